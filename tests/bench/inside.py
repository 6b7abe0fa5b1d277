# SPDX-License-Identifier: Apache-2.0
"""Rows that are measured inside, by the guest's own clock: what micro.c does, and whole programs."""

MICRO = {  # what micro.c measures, in ns
    "umask": "umask()",
    "umask_30": "umask() once every 30 µs",
    "umask_200": "umask() once every 200 µs",
    "getpid": "getpid()",
    "getppid": "getppid()",
    "getuid": "getuid()",
    "stat": "stat(/etc/passwd)",
    "open": "open + close of it",
    "read": "pread 4 KiB of a file",
    "tmpfs_stat": "stat on tmpfs",
    "tmpfs_open": "open + close on tmpfs",
    "tmpfs_read": "read 4 KiB on tmpfs",
    "tmpfs_write": "write 4 KiB on tmpfs",
    "epoll": "epoll_wait, a descriptor ready",
    "signal": "signal to itself, with a handler",
    "nanosleep": "nanosleep 50 µs",
    "mmap": "mmap + touch + munmap 64 KiB",
    "mprotect": "mprotect a page",
    "touch": "first touch of a page",
    "fork": "fork + exit + wait",
    "exec": "vfork + exec + wait, static",
    "thread": "thread create + join",
    "mutex": "mutex, four threads",
    "pipe": "pipe ping-pong, processes",
    "pipe_threads": "pipe ping-pong, threads",
    "unix": "AF_UNIX ping-pong, processes",
    "unix_threads": "AF_UNIX ping-pong, threads",
    "eventfd": "eventfd ping-pong, processes",
    "eventfd_threads": "eventfd ping-pong, threads",
    "futex": "futex ping-pong, two threads",
}
IMPORTS = """argparse ast asyncio collections csv dataclasses datetime decimal email hashlib
    http inspect json logging pathlib random re subprocess typing urllib""".split()
BUILD = """mkdir /dev/shm/bench.$$ && cd /dev/shm/bench.$$ || exit 1
for i in {1..40}; do echo "#include <stdio.h>
int f$i(int n) { for (int i = 0; i < n; i++) printf(\\"%d\\", i * n); return n; }" > $i.c; done
ls *.c | xargs -P 2 -n 1 gcc -O1 -c && cd / && rm -r /dev/shm/bench.$$"""
PROGRAMS = {  # run inside by `micro time`: (what, runs, command)
    "python": ("python3 -c pass", 5, ["/usr/bin/python3", "-c", "pass"]),
    "imports": ("python3 with 20 imports", 3, ["/usr/bin/python3", "-c", f"import {', '.join(IMPORTS)}"]),
    "loop": ("python3: a loop of 10 million", 1, ["/usr/bin/python3", "-c", "for i in range(10**7): pass"]),
    "bash": ("bash: 500 times /bin/true", 1, ["/bin/bash", "-c", "for i in {1..500}; do /bin/true; done"]),
    "perl": ("perl: 300 times fork + wait", 1, ["/usr/bin/perl", "-e", "for (1..300) { my $p = fork; exit 0 unless $p; waitpid $p, 0 }"]),
    "gcc": ("gcc: 40 files, two at a time", 1, ["/bin/bash", "-c", BUILD]),
    "xz": ("xz -1 of 50 MB", 1, ["/bin/bash", "-c", "seq 9999999 | head -c 50000000 | xz -1 -T1 > /dev/null"]),
}
NAMES = {**MICRO, **{row: what for row, (what, _, _) in PROGRAMS.items()}}


def measure(column, program, wanted):
    """All rows that are wanted, each in a container of its own, so that its processor time is known."""
    rows = [row for row in NAMES if row in wanted]
    if not rows or column.name == "runc":  # runc's programs run natively
        return
    _, start = column.run([str(program), "true"])
    for row in rows:
        args = [row]
        if row in PROGRAMS:
            _, runs, command = PROGRAMS[row]
            args = ["time", str(runs), *command]
        text, cpu = column.run([str(program), *args])
        _, ns, count = text.split()
        column.add(row, float(ns), max(0, cpu - start) / int(count))
