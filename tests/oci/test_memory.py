# SPDX-License-Identifier: Apache-2.0
"""`debug --memory`: every page of a sandbox is counted, once, under the part that it belongs to."""

import os
import subprocess
from types import SimpleNamespace

from oci import memory


def test_parts():
    program = "/usr/bin/runsc"
    assert memory.part_of("r-xp", program, program) == memory.CODE
    assert memory.part_of("r--p", program, program) == memory.CONSTANTS
    assert memory.part_of("rw-p", "/lib/kernel.so", program) == memory.DATA
    assert memory.part_of("rw-p", "", program) == memory.OBJECTS
    assert memory.part_of("rw-p", "[heap]", program) == memory.HEAP
    assert memory.part_of("rw-s", "/memfd:contexts (deleted)", program) == memory.CONTEXTS
    assert memory.part_of("rw-s", "/memfd:file (deleted)", program) == memory.MEMFDS
    assert memory.part_of("r--s", "/usr/lib/locale", program) == memory.OTHER


def test_the_parts_of_a_process_are_its_share():
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            os.write(process.stdin.fileno(), b"x")
            os.read(process.stdout.fileno(), 1)  # it has started, and rests
            parts = memory.shares(process.pid, memory.program_of(process.pid))
            with open(f"/proc/{process.pid}/smaps_rollup") as file:
                total = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        finally:
            process.kill()
    assert abs(sum(parts.values()) - total) < 64


def test_a_stub_has_guest_memory_only():
    assert memory.as_stub({memory.OBJECTS: 8, memory.CODE: 2, memory.CONTEXTS: 4}) == {memory.CONTEXTS: 4, memory.GUEST: 10}


def test_report():
    pid = os.getpid()
    text = memory.report(SimpleNamespace(values={"pid": pid, "goferPid": 0}))
    assert text.splitlines()[0].split() == ["KiB", "sentry", "gofer", "stubs", "all"]
    last = text.splitlines()[-1].split()
    assert last[0] == "all" and int(last[1]) > 1000 and int(last[2]) == 0
