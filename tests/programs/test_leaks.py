# SPDX-License-Identifier: Apache-2.0
"""A sandbox that has done much holds what it held before: descriptors, memory and host processes."""

import os
import subprocess
import time
from pathlib import Path

import pytest

PAGE = os.sysconf("SC_PAGESIZE")
GROWTH_MB = 36 if "asan" in os.environ.get("LD_PRELOAD", "") else 12  # garbage that waits; ASan keeps red zones around each object


class Shell:
    """A shell in a sandbox that stays; its host processes are the descendants of the command."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def do(self, line):
        """Runs a line to its end."""
        self.process.stdin.write(f"{{ {line}; }} >/dev/null 2>&1; echo done\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def descendants(self):
        """pid -> name, of all host processes below the command."""
        parents, names = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                    names[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return {pid: names[pid] for pid in found if pid in names}

    def held(self):
        """What the sentry and the gofer hold, and the number of host processes."""
        below = self.descendants()
        result = {"processes": len(below)}
        for role in ("sentry", "gofer"):
            pid = next(pid for pid, name in below.items() if name.startswith(f"runsc-{role}"))
            result[f"{role} descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
            result[f"{role} MB"] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE >> 20
        return result


@pytest.fixture
def shell(runsc, runsc_flags, tmp_path):
    command = [runsc, "--root", tmp_path / "state", *runsc_flags, "do", "/bin/bash"]
    shell = Shell([*map(str, command)])
    yield shell
    shell.close()


BUSY = {
    "processes": "{programs}/processes 300 100",
    "threads": "{programs}/threads 0.3",
    "files": "d=$(mktemp -d); for i in $(seq 300); do echo $i > $d/$i; done; cat $d/* | sort | md5sum; rm -r $d",
    "pipes": "for i in $(seq 30); do seq 100 | sort | tail -1; done",
    "python": "/usr/bin/python3 -c 'import mmap, socket, tempfile; m = mmap.mmap(-1, 1 << 24); m[:] = bytes(1 << 24); socket.socketpair()'",
}


@pytest.mark.parametrize("name", BUSY)
def test_nothing_grows(name, shell, built):
    line = BUSY[name].format(programs=built("processes").parent)
    built("threads")
    for _ in range(3):
        shell.do(line)
    before = settled(shell)
    for _ in range(6):
        shell.do(line)
    after = settled(shell, before)
    for what in before:
        slack = GROWTH_MB if what.endswith("MB") else 8 if "descriptors" in what else 0
        assert after[what] <= before[what] + slack, (before, after)


def settled(shell, expected=None):
    """What is held when the dead are buried: that may take a moment."""
    deadline = time.monotonic() + 5
    while True:
        time.sleep(0.2)
        held = shell.held()
        if (expected is None or held["processes"] <= expected["processes"]) or time.monotonic() > deadline:
            return held
