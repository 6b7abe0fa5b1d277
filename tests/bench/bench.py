#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py [--rounds N] [--busy N] [--only WORD]... [--json FILE]: what things cost natively, in our sandbox, and in gVisor's.

Columns: native, ours (RUNSC, default out/runsc), and Debian's runsc with --platform=ptrace if it is installed (GVISOR names
another one). All columns are measured in every round, one after another, so that a busy moment hits all; the medians are
printed with ratios to native. --busy N keeps N other programs computing meanwhile. Run it on an otherwise quiet machine.

The guest's root is the host's, read-only, and its times come from its own clock; starts and memory are seen from outside.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402

GVISOR = os.environ.get("GVISOR", "/usr/bin/runsc")
OURS = os.environ.get("RUNSC", str(ROOT / "out/runsc"))
LIMIT_S = 300
MICRO = {  # what micro.c measures, in ns
    "umask": "umask(), a trapped call",
    "getpid": "getpid()",
    "stat": "stat(/etc/passwd)",
    "open": "open + close",
    "read": "pread 4 KiB of a file",
    "mmap": "mmap + touch + munmap 64 KiB",
    "fork": "fork + exit + wait",
    "exec": "vfork + exec + wait, static",
    "thread": "thread create + join",
    "pipe": "pipe ping-pong, two processes",
    "futex": "futex ping-pong, two threads",
}
COMMANDS = {  # run inside by `micro time`: (what, runs, command)
    "python": ("python3 -c pass", 5, ["/usr/bin/python3", "-c", "pass"]),
    "bash": ("bash: 100 times /bin/true", 1, ["/bin/bash", "-c", "for i in {1..100}; do /bin/true; done"]),
}


class Column:
    """One way to run a program, and what was measured with it: row name -> values."""

    def __init__(self, name, command):
        self.name = name
        self.command = command  # of the runtime with global flags; None: native
        self.values = {}

    def add(self, row, value):
        self.values.setdefault(row, []).append(value)

    def run(self, args):
        """Output of a program, run to its end."""
        if self.command is None:
            return checked(args)
        with bundle(args) as (directory, state, name):
            return checked([*self.command, "--root", state, "run", "--bundle", directory, name])


def checked(command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S).stdout


@contextmanager
def bundle(args):
    """(bundle, state directory, id) of a container whose root is the host's."""

    def change(spec):
        spec["root"] = {"path": "/", "readonly": True}

    directory = conftest.write_bundle(args, {}, change)
    state = ROOT / "out/state" / directory.name
    try:
        yield str(directory), str(state), directory.name
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def measure_micro(column, program, wanted):
    rows = [row for row in MICRO if row in wanted]
    if rows:
        for line in column.run([str(program), *rows]).splitlines():
            row, ns = line.split()
            column.add(row, float(ns))


def measure_commands(column, program, wanted):
    for row, (_, runs, command) in COMMANDS.items():
        if row in wanted:
            column.add(row, float(column.run([str(program), "time", str(runs), *command]).split()[1]))


def measure_starts(column, program, wanted):
    if "version" in wanted:
        bare = ["/usr/bin/python3.11", "-I", "-S", "-c", "pass"]
        column.add("version", elapsed_ns(lambda: checked([column.command[0], "--version"] if column.command else bare)))
    if "start" in wanted:
        column.add("start", elapsed_ns(lambda: column.run([str(program), "true"])))


def elapsed_ns(function):
    start = time.perf_counter_ns()
    function()
    return time.perf_counter_ns() - start


def measure_idle(column, wanted):
    """Memory and wake-ups of a sandbox in which one program sleeps, over all its host processes."""
    if column.command is None or not {"pss", "wakeups"} & wanted:
        return
    before = descendants()
    with bundle(["/bin/sleep", "1000"]) as (directory, state, name):
        common = [*column.command, "--root", state]
        try:
            subprocess.run([*common, "create", "--bundle", directory, name], check=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S)
            checked([*common, "start", name])
            time.sleep(3)
            pids = descendants() - before
            column.add("pss", sum(map(pss_bytes, pids)))
            woken = sum(map(switches, pids))
            time.sleep(10)
            column.add("wakeups", sum(map(switches, pids)) - woken)
        finally:
            subprocess.run([*common, "delete", "--force", name], capture_output=True, timeout=60)


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


@contextmanager
def other_programs(number):
    """So many programs that compute for as long as the block runs."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for program in programs:
            program.send_signal(signal.SIGKILL)
            program.wait()


def row_names():
    """{row: what the table says}, in the order of the table."""
    return {
        **MICRO,
        **{row: what for row, (what, _, _) in COMMANDS.items()},
        "version": "--version (native: bare Python)",
        "start": "run a static program and delete",
        "pss": "idle sandbox: memory (PSS)",
        "wakeups": "idle sandbox: wake-ups in 10 s",
    }


def human(row, value):
    if row == "wakeups":
        return f"{value:.0f}"
    if row == "pss":
        return f"{value / 2**20:.1f} MiB"
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if value < size * 1000 or unit == "ms":
            return f"{value / size:.3g} {unit}" if value < size * 1000 else f"{value / size:.0f} {unit}"
    raise AssertionError


def print_table(columns, wanted, title):
    print(f"\n{title}\n\n| | {' | '.join(column.name for column in columns)} |\n|---|{'---|' * len(columns)}")
    for row, what in row_names().items():
        if row in wanted:
            print(f"| {what} | {' | '.join(cell(column, columns[0], row) for column in columns)} |")


def cell(column, native, row):
    """Median, and its ratio to native."""
    if row not in column.values:
        return "-"
    value = statistics.median(column.values[row])
    base = statistics.median(native.values.get(row, [0]))
    return human(row, value) + (f" ({value / base:.3g}x)" if base and column is not native else "")


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, help="other programs that compute meanwhile")
    parser.add_argument("--only", action="append", help="rows whose name holds this word")
    parser.add_argument("--without", action="append", default=[], help="columns to leave out")
    parser.add_argument("--json", help="all values, for later")
    return parser.parse_args()


def main():
    options = parsed()
    become_subreaper()
    wanted = {row for row in row_names() if not options.only or any(word in row for word in options.only)}
    program = conftest.compile_c(ROOT / "tests/bench/micro.c", ROOT / "out/guest/bench/micro")
    columns = [Column("native", None), Column("ours", [OURS, "--network=none"])]
    if Path(GVISOR).exists():
        columns.append(Column("gVisor", [GVISOR, "--platform=ptrace", "--network=none"]))
    columns = [column for column in columns if column.name not in options.without]
    with other_programs(options.busy):
        for number in range(options.rounds):
            for column in columns:
                print(f"round {number + 1}/{options.rounds}: {column.name}", file=sys.stderr)
                for measure in (measure_micro, measure_commands, measure_starts):
                    measured_or_noted(column, measure, program, wanted)
        for column in columns:
            measured_or_noted(column, lambda column, program, wanted: measure_idle(column, wanted), program, wanted)
    print_table(columns, wanted, f"{options.rounds} rounds, {options.busy} other programs busy, {os.cpu_count()} processors")
    if options.json:
        Path(options.json).write_text(json.dumps({column.name: column.values for column in columns}))


def measured_or_noted(column, measure, program, wanted):
    """A column that can't run something has no value there."""
    try:
        measure(column, program, wanted)
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        print(f"{column.name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
