# SPDX-License-Identifier: Apache-2.0
"""Every guest program, first on the host's kernel, which proves the program, then in the sandbox.

Programs that work in a scratch directory run there twice: in /tmp, which is a tmpfs, and on the root file system behind the gofer.
A program passes when it exits with 0 and its last line is PASS. The native run is skipped with SKIP_NATIVE=1.
"""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT_DIRECTORY = "/root"
NEEDS_NETWORK = ("net/tcp", "net/udp")  # proven natively; in the sandbox AF_INET answers EAFNOSUPPORT until there is a stack (net/absent)
PROGRAMS = sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.c"))
ONLY_INSIDE = ("net/absent",)
SCRATCH_PROGRAMS = [name for name in PROGRAMS if "#define CHECK_SCRATCH" in (HERE / f"{name}.c").read_text()]


def assert_passes(done):
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert lines and lines[-1] == "PASS", f"no PASS at the end\n{done.stdout}{done.stderr}"


@pytest.mark.skipif(os.environ.get("SKIP_NATIVE") == "1", reason="SKIP_NATIVE=1")
@pytest.mark.skipif(os.geteuid() != 0, reason="guest programs expect to be root")
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in ONLY_INSIDE])
def test_native(name, guest, run_native):
    assert_passes(run_native(guest(name), timeout=40))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NEEDS_NETWORK])
def test_guest(name, guest, run_guest):
    assert_passes(run_guest(guest(name), timeout=90))


@pytest.mark.parametrize("name", SCRATCH_PROGRAMS)
def test_guest_on_root(name, guest, run_guest):
    assert_passes(run_guest(guest(name), timeout=90, env={"CHECK_DIR": ROOT_DIRECTORY}))
