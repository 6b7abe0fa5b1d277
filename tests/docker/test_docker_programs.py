# SPDX-License-Identifier: Apache-2.0
"""The programs of tests/programs on a Debian of debootstrap, under docker with runc and with runsc: the same output and status."""

import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

SCRIPTS = Path(__file__).resolve().parents[1] / "programs" / "scripts"
OUT = Path(__file__).resolve().parents[2] / "out"
NAMES = sorted(path.name for path in SCRIPTS.glob("*.sh")) + sorted(path.name for path in SCRIPTS.glob("*.py"))
RUN = """
for name in "$@"; do
    mkdir -p "/runs/$name"; cd "/runs/$name"
    case $name in *.py) shell=python3 ;; *) shell=bash ;; esac
    timeout 100 $shell "/scripts/$name" > "/results/$name" 2>&1 < /dev/null
    echo "exit status $?" >> "/results/$name"
done
"""


@pytest.fixture(scope="module")
def results(daemon, debian, tmp_path_factory):
    """runtime -> directory with the output of every program; one container for each runtime runs them all."""
    found = {}
    for runtime in ("runc", "runsc"):
        found[runtime] = tmp_path_factory.mktemp(runtime)
        options = ["-v", f"{SCRIPTS}:/scripts:ro", "-v", f"{found[runtime]}:/results", "-e", "LC_ALL=C", "-h", "box"]
        daemon.run(*options, "--", "bash", "-c", RUN, "bash", *NAMES, image="debian", runtime=runtime, timeout=400)
    return found


def comparable(path):
    """The output without what differs from run to run: process numbers in bash's messages."""
    return re.sub(r"(line \d+:) +\d+ ", r"\1 PID ", path.read_text(errors="replace"))


@pytest.mark.parametrize("name", NAMES)
def test_program(results, name):
    assert comparable(results["runsc"] / name) == comparable(results["runc"] / name)


def test_goroutines(daemon, debian, tmp_path_factory):
    """A Go program, built on the host without cgo."""
    directory = tmp_path_factory.mktemp("go")
    settings = {
        "CGO_ENABLED": "0",
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOCACHE": f"{OUT}/programs/cache",
        "HOME": str(directory),
    }
    command = ["go", "build", "-o", f"{directory}/goroutines", str(SCRIPTS / "goroutines.go")]
    subprocess.run(command, check=True, timeout=100, env={**os.environ, **settings, "HOME": str(directory)})
    options = ["-v", f"{directory}:/go", "-w", "/tmp", "--", "/go/goroutines"]
    runc, ours = (daemon.run(*options, image="debian", runtime=runtime, status=5).stdout for runtime in ("runc", "runsc"))
    assert ours == runc
