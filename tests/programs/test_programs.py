# SPDX-License-Identifier: Apache-2.0
"""Debian's programs do in the sandbox what they do outside."""

import shutil
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent / "scripts"
NEEDS = {"editor": ("vi", "less"), "git": ("git",), "exceptions": ("g++",), "make": ("make",), "compile": ("gcc",)}
SHELL = sorted(path.stem for path in SCRIPTS.glob("*.sh"))
PYTHON = sorted(path.stem for path in SCRIPTS.glob("python_*.py"))


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("name", SHELL)
def test_shell(name, same):
    need(*NEEDS.get(name, ()))
    same(["/bin/bash", SCRIPTS / f"{name}.sh"])


@pytest.mark.parametrize("name", PYTHON)
def test_python(name, same):
    same(["/usr/bin/python3", SCRIPTS / f"{name}.py"])


def test_goroutines(same, built):
    need("go")
    same([built("goroutines")])


def test_threads(same, built):
    same([built("threads"), "3"])


def test_processes(same, built):
    same([built("processes"), "1000", "200"])


def test_terminal_inside(same):
    """The pseudo-terminal belongs to the sandbox."""
    assert "status 7" in same(["/usr/bin/python3", SCRIPTS / "interactive.py"]).stdout


def test_terminal_outside(natively, runsc, runsc_flags):
    """The pseudo-terminal belongs to the host; its ctrl-c goes to the guest."""
    shell = ["bash", "--norc", "--noprofile", "-i"]
    native = natively(["/usr/bin/python3", SCRIPTS / "interactive.py", *shell])
    ours = natively(["/usr/bin/python3", SCRIPTS / "interactive.py", runsc, *runsc_flags, "do", *shell])
    assert (ours.stdout, ours.stderr, ours.returncode) == (native.stdout, native.stderr, native.returncode)


@pytest.mark.parametrize(("command", "status"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_status(command, status, sandboxed):
    assert sandboxed(["/bin/sh", "-c", command]).returncode == status


def test_large_stdin(same):
    same(["/usr/bin/md5sum"], stdin="0123456789abcde\n" * 100000)
