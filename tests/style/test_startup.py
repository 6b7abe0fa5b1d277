# SPDX-License-Identifier: Apache-2.0
"""Start-up is a budget, and the manual follows the table: what scripts in build/ check."""

import os
import subprocess
import sys

import pytest
from sources import ROOT


def succeed(*command):
    """Runs a script of build/ and shows what it said if it failed."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.fail((done.stdout + done.stderr)[-8000:], pytrace=False)


@pytest.mark.skipif("debug" in os.environ.get("RUNSC", ""), reason="the debug build imports from directories")
def test_hot_commands_import_little(runsc):
    succeed("build/check_startup", str(runsc))


def test_executable_is_small(runsc):
    assert runsc.stat().st_size < 40_000_000


def test_manual_of_system_calls_is_up_to_date():
    succeed("build/syscalls_doc", "--check")
