# SPDX-License-Identifier: Apache-2.0
"""One thread serves all: a system call with much to do is served in turns, between which others have theirs.

What is asserted is the number of turns, as the debug log has it. How long each took is in the same log.
"""

import re

import pytest

MB = 1 << 20
FILES, SPACES = 256 << 10, 1 << 20  # bytes that a turn moves at most
MOVED = {  # name: bytes that heavy.c moves with it, at least, bytes of a turn; devices of memory have turns of their own
    "write": (64 * MB, FILES),
    "read": (64 * MB, FILES),
    "sendfile": (64 * MB, FILES),
    "writev": (64 * MB, FILES),
    "readv": (64 * MB, FILES),
    "process_vm_readv": (32 * MB, SPACES),
}


@pytest.mark.parametrize("directory", ["/tmp", "/root"])
def test_heavy_calls_are_served_in_turns(run_guest, guest, tmp_path, directory):
    log = tmp_path / "log"
    done = run_guest(guest("stress/heavy"), timeout=90, flags=["--debug", f"--debug-log={log}"], env={"CHECK_DIR": directory})
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in log.read_text().splitlines() if "were attempted so often" in line)
    attempts = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)(?:,|$)", line.partition("so often:")[2])}
    assert {name: attempts[name] for name, (size, turn) in MOVED.items() if attempts[name] < size // turn} == {}, line
