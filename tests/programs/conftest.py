# SPDX-License-Identifier: Apache-2.0
"""Real programs, natively and in `runsc do`, in the same directory with the same environment.

The sandbox sees the host's files, so both runs start from the same state: what the native run wrote is removed in between, what
the sandbox writes vanishes with it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
PROGRAMS = HERE.parent.parent / "out" / "programs"
ENVIRONMENT = {"HOME": "/nonexistent", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="session")
def built():
    """built("threads") -> path of scripts/threads.c, or of a .go file, compiled for the host."""

    def build(name):
        PROGRAMS.mkdir(parents=True, exist_ok=True)
        program, source = PROGRAMS / name, next(SCRIPTS.glob(f"{name}.*"))
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            return program
        fresh = program.with_name(f".{name}.{os.getpid()}")
        command = ["gcc", "-O2", "-Wall", "-pthread", "-D_GNU_SOURCE"] if source.suffix == ".c" else ["go", "build"]
        own = {"GOCACHE": f"{PROGRAMS}/cache", "HOME": str(PROGRAMS), "GOTOOLCHAIN": "local", "GO111MODULE": "off", "CGO_ENABLED": "0"}
        subprocess.run([*command, "-o", str(fresh), str(source)], check=True, env={**os.environ, **own}, timeout=100)
        fresh.rename(program)
        return program

    return build


@pytest.fixture
def scratch(tmp_path):
    """Empties the directory in which programs run; answers it."""
    directory = tmp_path / "scratch"

    def empty():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o755)
        return directory

    return empty


@pytest.fixture
def natively(scratch, run_native):
    """natively(command) -> CompletedProcess, in an empty scratch directory."""

    def run(command, stdin=None, timeout=60):
        return run_native("/usr/bin/env", "-C", scratch(), *command, stdin=stdin, timeout=timeout, env=ENVIRONMENT)

    return run


@pytest.fixture
def sandboxed(natively, runsc, runsc_flags, tmp_path):
    """sandboxed(command) -> CompletedProcess, in the same directory as seen by `runsc do`."""

    def run(command, stdin=None, timeout=90):
        done = natively([runsc, "--root", tmp_path / "state", *runsc_flags, "do", *command], stdin, timeout)
        assert not list((tmp_path / "scratch").iterdir()), "what a sandbox writes must not reach the host"
        return done

    return run


@pytest.fixture
def same(natively, sandboxed):
    """same(command) runs it both ways and asserts equal output, errors and status; answers the native result."""

    def compare(command, stdin=None):
        native, ours = natively(command, stdin), sandboxed(command, stdin)
        assert ours.stdout == native.stdout, f"errors: {ours.stderr}"
        assert (ours.returncode, without_pids(ours.stderr)) == (native.returncode, without_pids(native.stderr))
        return native

    return compare


def without_pids(text):
    """What bash says of killed jobs has their process numbers."""
    return re.sub(r"(line \d+:) +\d+ ", r"\1 PID ", text)
