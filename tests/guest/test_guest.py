# SPDX-License-Identifier: Apache-2.0
"""Every guest program, first on the host's kernel, which proves the program, then in the sandbox; some on the second platform as well.

Programs that work in a scratch directory run there twice: in /tmp, which is a tmpfs, and on the root file system behind the gofer.
A program passes when it exits with 0 and its last line is PASS. The native run is skipped with SKIP_NATIVE=1.
"""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT_DIRECTORY = "/root"
NEEDS_NETWORK = ("net/tcp", "net/udp")  # proven natively; in the sandbox AF_INET answers EAFNOSUPPORT until there is a stack (net/absent)
PROGRAMS = sorted(str(path.relative_to(HERE).with_suffix("")) for path in HERE.glob("*/*.c"))
ONLY_INSIDE = ("net/absent",)
# On the slow platform: what it has code of its own for. The rest of the kernel is the same.
TRACED_PROGRAMS = """files/io ipc/pipes memory/mapping memory/memfd memory/protect memory/remap memory/sharing poll/epoll
    process/clone process/exec process/spawn process/threads process/wait proc/self signal/actions signal/altstack signal/children
    signal/faults signal/queue signal/restart signal/threads stress/forkexec stress/signals sync/futex sync/priority time/timers""".split()
NOT_TRACED = {
    "context_names_the_trap": "the host tells tracers no error code of the processor, so whether a fault was a write can't be known",
}
# Each of these may be switched off; then the same programs must give the same results in another way.
SWITCHES = ("--syscall-patching=false", "--spinning=false", "--window=false")
SWITCHED_PROGRAMS = """fastpath/hammer fastpath/rewriting fastpath/text fastpath/window files/io ipc/pipes memory/mapping
    poll/epoll process/threads signal/queue signal/restart sync/futex""".split()
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


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("name", SWITCHED_PROGRAMS)
def test_guest_without(name, switch, guest, run_guest):
    assert_passes(run_guest(guest(name), timeout=90, flags=[switch]))


@pytest.fixture(scope="session")
def ptrace_flags(runsc):
    """Global flags that choose the platform of the debug build."""
    flags = ["--platform=ptrace"]
    done = subprocess.run([runsc, *flags, "--network=none", "do", "/bin/true"], capture_output=True, text=True, timeout=60)
    if "platform ptrace belongs to the debug build" in done.stderr:
        pytest.skip("platform ptrace belongs to the debug build")
    return flags


@pytest.mark.parametrize("name", TRACED_PROGRAMS)
def test_guest_traced(name, guest, run_guest, ptrace_flags):
    """On the second platform; only tests that it can't pass are left out, each with its reason."""
    program = guest(name)
    tests = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=30).stdout.split()
    left_out = NOT_TRACED.keys() & tests
    chosen = [test for test in tests if test not in left_out] if left_out else []
    assert_passes(run_guest(program, *chosen, timeout=110, flags=ptrace_flags))
