# SPDX-License-Identifier: Apache-2.0
"""Guests that feed random input to the kernel: system calls, contexts and bells, ELF files. Whatever they do, the kernel must not stumble.

FUZZ_SECONDS is how long each runs (3), FUZZ_SEED where it begins (1); the soak variant takes ten minutes and a new seed. A failure
in the kernel kills only one guest process, so it is looked for in the debug log.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ABI = ROOT / "kernel" / "platform" / "x86_64"
PROGRAMS = ROOT / "out" / "guest" / "fuzz"
CFLAGS = ["-O1", "-static", "-pthread", "-Wall", "-Wextra", "-fno-stack-protector", "-fno-pie", "-no-pie", "-D_GNU_SOURCE"]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SOAK_S = 600
GRACE_S = 60
STUMBLES = ("failed in the kernel", "event on descriptor", "after host calls", "the kernel failed", "Sanitizer", "runtime error")
LETTERS = "iiiizfppssff"  # of the kinds in kernel.syscalls.table: Int UInt Long ULong Size Fd Ptr Out Path OptPath OpenFile AnyFile

pytestmark = pytest.mark.fuzz


def build(name):
    """The guest program; border.c needs the shim's addresses."""
    subprocess.run([sys.executable, str(ABI / "build_shim.py")], check=True, stdout=subprocess.DEVNULL)
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    scratch, program = PROGRAMS / f".{name}.{os.getpid()}", PROGRAMS / name
    includes = [f"-I{ABI}", f"-I{ROOT / 'out' / 'shim'}"]
    subprocess.run(["gcc", *CFLAGS, *includes, str(HERE / f"{name}.c"), "-o", str(scratch)], check=True)
    scratch.rename(program)
    return program


def signatures():
    """The argument kinds of all system calls, from the kernel's own table."""
    from kernel.boot import tables
    from kernel.syscalls.table import rows

    tables.load()
    return " ".join(f"{row.number}:{''.join(LETTERS[kind] for kind in row.kinds)}" for row in rows() if row.kinds)


@pytest.fixture
def survive(run_guest, tmp_path):
    """survive(name, seconds, seed, *arguments): the guest ends with PASS and the kernel has logged no failure of its own."""

    def run(name, seconds, seed, *arguments):
        log = tmp_path / "log"
        done = run_guest(build(name), seconds, seed, *arguments, timeout=seconds + GRACE_S, flags=["--debug", f"--debug-log={log}"])
        text = log.read_text(errors="replace")
        stumbles = [line for line in text.splitlines() if any(word in line for word in STUMBLES)]
        assert not stumbles, f"seed {seed}:\n{text[-20000:]}"
        assert done.returncode == 0 and "PASS" in done.stdout, (seed, done.returncode, done.stdout[-1000:], text[-2000:])

    return run


def arguments_of(name):
    return [signatures()] if name == "syscalls" else []


@pytest.mark.parametrize("name", ["syscalls", "border", "elf"])
def test_survives(survive, name):
    survive(name, SECONDS, SEED, *arguments_of(name))


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 2 * GRACE_S)
@pytest.mark.parametrize("name", ["syscalls", "border", "elf"])
def test_survives_long(survive, name):
    survive(name, SOAK_S, time.time_ns() % 1000000007, *arguments_of(name))
