# SPDX-License-Identifier: Apache-2.0
"""The watchdog writes what a busy loop is at, and says nothing while a process sleeps."""

import subprocess
import sys

BUSY = """
import time
from kernel.task import watchdog
watchdog.start(1, 100)
def burns():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
def sleeps():
    time.sleep(0.5)
"""


def output_of(call):
    return subprocess.run([sys.executable, "-P", "-c", BUSY + call], capture_output=True, text=True, timeout=100, check=True).stdout


def test_busy():
    text = output_of("burns()")
    assert text.startswith("watchdog: no turn of the loop for seconds; system call")
    assert "in burns" in text


def test_idle():
    assert output_of("sleeps()") == ""
