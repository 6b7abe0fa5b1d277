#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""handover.py [--rounds N] [--busy N]...: what a call costs by how long the guest computes in between, by who else runs, and by policy.

Columns: native, ours with spinning allowed, ours with --spinning=false (a pure policy: sleep at once). Each cell is the median of the
rounds: ns of a umask() and, behind the slash, the host's processor time for one gap and one call. See kernel/platform/handover.pyx.
"""

import argparse
import statistics
import sys

from bench import OURS, other_programs
from columns import ROOT, Column, conftest

GAPS_US = (0, 1, 3, 10, 30, 100, 300)
COLUMNS = (("native", None), ("spinning", [OURS, "--network=none"]), ("sleeping", [OURS, "--network=none", "--spinning=false"]))


def measure(column, program, arguments):
    """(ns of a call, ns of processor time for a call and the gap before it)."""
    output, cpu = column.run([program, *map(str, arguments)])
    mean, calls = output.split()
    return float(mean), cpu / max(int(calls), 1)


def rows(busy, rounds, program):
    """One line a combination of gap, callers and siblings."""
    columns = [Column(*pair) for pair in COLUMNS]
    for callers in (1, 2):
        for siblings in (0, 1):
            for gap in GAPS_US:
                arguments = (gap * 1000, callers, siblings)
                found = {column.name: [] for column in columns}
                for _ in range(rounds):
                    for column in columns:
                        found[column.name].append(measure(column, program, arguments))
                cells = [[statistics.median(values) for values in zip(*found[column.name], strict=True)] for column in columns]
                print(
                    f"| {busy} | {callers} | {siblings} | {gap} | " + " | ".join(f"{ns:.0f} / {cpu:.0f}" for ns, cpu in cells) + " |",
                    flush=True,
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, action="append", help="other programs that compute meanwhile; 0, 1 and 2 by default")
    options = parser.parse_args()
    program = str(conftest.compile_c(ROOT / "tests/bench/gaps.c", ROOT / "out/guest/bench/gaps"))
    print("| busy | callers | siblings | gap in us | " + " | ".join(name for name, _ in COLUMNS) + " |")
    print("|---" * (4 + len(COLUMNS)) + "|")
    for busy in options.busy or (0, 1, 2):
        with other_programs(busy):
            rows(busy, options.rounds, program)


if __name__ == "__main__":
    sys.exit(main())
