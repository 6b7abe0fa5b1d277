#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py [--rounds N] [--busy N] [--only WORD]... [--json FILE]: what things cost natively, in our sandbox, and in others.

Columns: native, Debian's runc if it is installed (for what is measured from outside), ours (RUNSC, default out/runsc), and Debian's
runsc with --platform=ptrace if it is installed (GVISOR names another one). All columns are measured in every round, one after another,
so that a busy moment hits all; the medians are printed, with ratios to native or else to runc. "cpu" is the host's processor time for
one operation, in whatever process it was spent. --busy N keeps N other programs computing meanwhile. Run it on an otherwise quiet machine.

The guest's root is the host's, read-only, and its times come from its own clock (inside.py); the rest is seen from outside (outside.py).
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import inside
import outside
from columns import ROOT, Column, conftest

GVISOR = os.environ.get("GVISOR", "/usr/bin/runsc")
OURS = os.environ.get("RUNSC", str(ROOT / "out/runsc"))
RUNC = "/usr/sbin/runc"
NAMES = {**inside.NAMES, **outside.NAMES}


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


def human(row, value):
    """With a unit."""
    if row == "wakeups":
        return f"{value:.0f}"
    if row in outside.IDLE:
        return f"{value / 2**20:.1f} MiB"
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if value < size * 1000 or unit == "ms":
            return f"{value / size:.3g} {unit}" if value < size * 1000 else f"{value / size:.0f} {unit}"
    raise AssertionError


def print_table(columns, wanted, title):
    """Markdown."""
    heads = [head for column in columns for head in (column.name, "cpu")]
    print(f"\n{title}\n\n| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for row, what in NAMES.items():
        if row in wanted:
            cells = [cell(row, which(column), [which(other) for other in columns]) for column in columns for which in (values_of, cpu_of)]
            print(f"| {what} | {' | '.join(cells)} |")


def values_of(column):
    """Its wall times, sizes and counts."""
    return column.values


def cpu_of(column):
    """Its processor times."""
    return column.cpu


def cell(row, values, all_values):
    """Median, and its ratio to that of the first column that has one."""
    if row not in values:
        return "-"
    value = statistics.median(values[row])
    first = next(other for other in all_values if row in other)
    base = statistics.median(first[row])
    return human(row, value) + (f" ({value / base:.3g}x)" if base and values is not first else "")


def parsed():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, help="other programs that compute meanwhile")
    parser.add_argument("--only", action="append", help="rows whose name holds this word")
    parser.add_argument("--without", action="append", default=[], help="columns to leave out")
    parser.add_argument("--rows", action="store_true", help="print the rows' names and end")
    parser.add_argument("--json", help="all values, for later")
    return parser.parse_args()


def present_columns(without):
    """Native, and the runtimes that this host has."""
    columns = [Column("native", None), Column("runc", [RUNC]), Column("ours", [OURS, "--network=none"])]
    columns.append(Column("gVisor", [GVISOR, "--platform=ptrace", "--network=none"]))
    return [column for column in columns if column.name not in without and (not column.command or Path(column.command[0]).exists())]


def main():
    options = parsed()
    if options.rows:
        sys.exit("\n".join(f"{row:16} {what}" for row, what in NAMES.items()))
    outside.become_subreaper()
    wanted = {row for row in NAMES if not options.only or any(word in row for word in options.only)}
    program = conftest.compile_c(ROOT / "tests/bench/micro.c", ROOT / "out/guest/bench/micro")
    columns = present_columns(options.without)
    with other_programs(options.busy):
        for number in range(options.rounds):
            for column in columns:
                print(f"round {number + 1}/{options.rounds}: {column.name}", file=sys.stderr)
                for measure in (inside.measure, outside.measure):
                    measured_or_noted(column, measure, program, wanted)
        for column in columns:
            measured_or_noted(column, outside.measure_idle, program, wanted)
    print_table(columns, wanted, f"{options.rounds} rounds, {options.busy} other programs busy, {os.cpu_count()} processors")
    if options.json:
        Path(options.json).write_text(json.dumps({column.name: {"values": column.values, "cpu": column.cpu} for column in columns}))


def measured_or_noted(column, measure, program, wanted):
    """A column that can't run something has no value there."""
    try:
        measure(column, program, wanted)
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        print(f"{column.name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
