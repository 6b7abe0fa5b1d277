# SPDX-License-Identifier: Apache-2.0
"""The linters' verdict on the tree. Their configuration is in pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sources import ROOT, tracked, with_suffix

BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
ENVIRONMENT.pop("PYTHONPATH", None)
ENVIRONMENT.pop("LD_PRELOAD", None)


def be_content(*command):
    """Fails with what a tool complains about."""
    done = subprocess.run([f"{BIN}/{command[0]}", *command[1:]], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.fail((done.stdout + done.stderr)[-8000:], pytrace=False)


def test_ruff_check():
    be_content("ruff", "check", "--no-cache", "--output-format", "concise", ".")


def test_ruff_format():
    be_content("ruff", "format", "--no-cache", "--check", ".")


def test_cython_lint():
    be_content("cython-lint", *with_suffix(".pyx", ".pxd"))


def test_codespell():
    be_content("codespell", *(name for name in tracked() if not name.endswith((".patch", ".toml"))))


@pytest.mark.timeout(300)
def test_mypy():
    be_content("mypy", "--cache-dir", "out/mypy")


def test_build_without_warnings():
    """Of Cython and of gcc -Wall."""
    file = ROOT / "out/release/warnings"
    if not file.exists():
        pytest.skip("nothing has been built by build/test yet")
    said = file.read_text()
    if said:
        pytest.fail(said[-8000:], pytrace=False)
