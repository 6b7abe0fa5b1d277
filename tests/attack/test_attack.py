# SPDX-License-Identifier: Apache-2.0
"""The attack suite: hostile guests that know the shim's addresses. What they try must cost only their own processes.

Each program prints a line per attack and PASS; it survives because it attacks from children. That it could print at all shows that
the sandbox is still there.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OUT = ROOT / "out" / "guest" / "attack"
ABI = ROOT / "kernel" / "platform" / "x86_64"
SANDBOX_DESCRIPTORS = 800
SANDBOX_PROCESSES = 150
CFLAGS = ["-O1", "-static", "-pthread", "-Wall", "-Wextra", "-fno-stack-protector", "-fno-pie", "-no-pie", "-D_GNU_SOURCE"]


@pytest.fixture(scope="session")
def runsc(runsc, tmp_path_factory):
    """The executable, whose processes may open few files: attacks on what the host gives must find its end."""
    script = tmp_path_factory.mktemp("attack") / "runsc"
    script.write_text(f'#!/bin/sh\nulimit -n {SANDBOX_DESCRIPTORS}\nexec {runsc} "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture(scope="session")
def attack_program():
    """attack_program(name) compiles tests/attack/name.c against the shim's symbols; answers the path."""
    subprocess.run([sys.executable, str(ABI / "build_shim.py")], check=True)

    def build(name):
        OUT.mkdir(parents=True, exist_ok=True)
        scratch, program = OUT / f".{name}.{os.getpid()}", OUT / name
        includes = [f"-I{ABI}", f"-I{ROOT / 'out' / 'shim'}"]
        subprocess.run(["gcc", *CFLAGS, *includes, str(HERE / f"{name}.c"), "-o", str(scratch)], check=True)
        scratch.rename(program)
        return program

    return build


def check(result):
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    assert not failed, failed
    assert result.returncode == 0, (result.stdout[-2000:], result.stderr[-2000:])
    assert result.stdout.splitlines()[-1] == "PASS"


@pytest.mark.parametrize("name", ["memory", "births", "protocol", "numbers", "sites", "window", "execve"])
def test_attack(run_guest, attack_program, name):
    check(run_guest(attack_program(name), timeout=110))


@pytest.mark.parametrize("name", ["births", "protocol"])  # what memory tries is allowed, or not, by the lane
def test_attack_strict(run_guest, attack_program, name):
    check(run_guest(attack_program(name), timeout=110, flags=["--strict"]))


def few_processes(spec):
    spec["linux"]["resources"] = {"pids": {"limit": SANDBOX_PROCESSES}}


def test_exhaustion(run_guest, attack_program):
    check(run_guest(attack_program("exhaustion"), timeout=110, change=few_processes))


def little_memory(spec):
    spec["linux"]["resources"] = {"memory": {"limit": 64 << 20}}


def test_greed(run_guest, attack_program):
    """Without a cgroup, so that nothing but the kernel itself stands between the guest and the machine's memory."""
    check(run_guest(attack_program("greed"), timeout=60, flags=["--ignore-cgroups"], change=little_memory))


def test_floating_point(run_guest, attack_program):
    check(run_guest(attack_program("fp"), timeout=60))


def test_floating_point_natively(run_native, attack_program):
    check(run_native(attack_program("fp"), timeout=30))
