# SPDX-License-Identifier: Apache-2.0
"""Rows that are measured from outside: starts, the commands in a container's life, memory, wake-ups. The yardstick is runc."""

import ctypes
import os
import time
from contextlib import contextmanager
from pathlib import Path

from columns import bundle, checked, small_root

MANY = 10
NAMES = {
    "start": "run of a static program",
    "life": "create + start + delete",
    "execute": "exec of a static program",
    "state": "state",
    "kill": "kill",
    "version": "--version (native: bare Python)",
    "pss": "idle sandbox: memory (PSS)",
    "pss_many": "each of ten idle sandboxes: memory",
    "wakeups": "idle sandbox: wake-ups in 10 s",
}
IDLE = frozenset(("pss", "pss_many", "wakeups"))
PROGRAM = "/micro"


def measure(column, program, wanted):
    """One value of each row that is no property of an idle sandbox."""
    if "version" in wanted:
        bare = ["/usr/bin/python3.11", "-I", "-S", "-c", "pass"]
        timed(column, "version", [column.command[0], "--version"] if column.command else bare)
    if column.command is None:
        return
    with bundle([PROGRAM, "true"], small_root, {PROGRAM: program}) as (directory, state, name):
        common = [*column.command, "--root", state]
        if "start" in wanted:
            timed(column, "start", [*common, "run", "--bundle", directory, name])
        if "life" in wanted:
            life = [["create", "--bundle", directory, name], ["start", name], ["delete", "--force", name]]
            timed(column, "life", *[[*common, *words] for words in life])
    if {"execute", "state", "kill"} & wanted:
        with idle(column, 1, program) as (common, names):
            for row, words in (
                ("execute", ["exec", names[0], PROGRAM, "true"]),
                ("state", ["state", names[0]]),
                ("kill", ["kill", names[0], "WINCH"]),
            ):
                if row in wanted:
                    timed(column, row, [*common, *words])


def timed(column, row, *commands):
    """Wall and processor time of commands, one after another."""
    start = time.perf_counter_ns()
    cpu = sum([checked(command, keeps_output=False)[1] for command in commands])
    column.add(row, time.perf_counter_ns() - start, cpu)


@contextmanager
def idle(column, number, program):
    """(runtime with its flags, ids) of so many sandboxes in which a program sleeps."""
    with bundle(["/bin/sleep", "1000"], small_root, {PROGRAM: program}, is_counted=number == 1) as (directory, state, name):
        common = [*column.command, "--root", state]
        names = [f"{name}-{i}" for i in range(number)]
        try:
            for one in names:
                checked([*common, "create", "--bundle", directory, one], keeps_output=False)
                checked([*common, "start", one], keeps_output=False)
            yield common, names
        finally:
            for one in names:
                checked([*common, "delete", "--force", one], keeps_output=False)


def measure_idle(column, program, wanted):
    """Memory and wake-ups, over all host processes of the sandboxes."""
    if column.command is None:
        return
    for number, rows in ((1, {"pss", "wakeups"}), (MANY, {"pss_many"})):
        if not rows & wanted:
            continue
        before = descendants()
        with idle(column, number, program):
            time.sleep(3)
            pids = descendants() - before
            column.add("pss" if number == 1 else "pss_many", sum(map(pss_bytes, pids)) / number)
            if "wakeups" in rows & wanted:
                woken = sum(map(switches, pids))
                time.sleep(10)
                column.add("wakeups", sum(map(switches, pids)) - woken)


def become_subreaper():
    """Processes of a sandbox whose parents ended become our children, so that we can tell them from other people's."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def descendants():
    """All processes below this one."""
    parent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent[int(pid)] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, fresh = set(), {os.getpid()}
    while fresh:
        fresh = {pid for pid, above in parent.items() if above in fresh} - found
        found |= fresh
    return found


def pss_bytes(pid):
    """The process's share of the memory it maps."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * int(text.partition("\nPss:")[2].split()[0])


def switches(pid):
    """Voluntary context switches of all its threads: each is a wake-up."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            total += int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        except OSError:
            continue
    return total
