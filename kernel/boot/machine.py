# SPDX-License-Identifier: Apache-2.0
"""The machine that guests see: processors, memory, uptime.

read_host() runs before the jail, while the host's /proc can be opened; what changes later is estimated from our own state.
"""

import posix
import time

from fs.tmpfs.options import set_total_memory
from kernel.mm import budget

CPUINFO_LIMIT = 1 << 20
PAGE = 4096
RESERVE = 64 << 20


class Machine:
    """Figures for sysinfo(2), /proc and /sys."""

    def __init__(self, nr_cpus, mem_total, cpuinfo, boot_ns):
        self.nr_cpus = nr_cpus
        self.cpu_mask = (1 << nr_cpus) - 1
        self.mem_total = mem_total  # bytes
        self.cpuinfo = cpuinfo  # text of the host's /proc/cpuinfo, bytes
        self.boot_ns = boot_ns  # CLOCK_MONOTONIC when the sandbox was born

    def limit_memory(self, count):
        """Guests see no more than so many bytes (0: all), and their shared memory and file systems have to do with them."""
        self.mem_total = min(count or self.mem_total, self.mem_total)
        set_total_memory(self.mem_total)
        budget.set_memory(self.mem_total)

    def memory(self, kernel):
        """(total, free) bytes; what the guests have mapped and touched is taken from a rough count of their address spaces."""
        spaces = {task.mm for task in kernel.tasks.values() if task.mm is not None}
        used = min(sum(mm.data_vm for mm in spaces) // 8, self.mem_total // 2)
        used += budget.pages_in_use() * PAGE + min(RESERVE, self.mem_total // 8)
        return self.mem_total, max(self.mem_total - used, 0)

    def load_average(self, kernel):
        """Running tasks, as three equal averages."""
        running = sum(1 for task in kernel.tasks.values() if task.is_running())
        return float(running), float(running), float(running)


def read_host(nr_cpus=0, mem_total=0):
    """The Machine of this host, with other figures where the configuration says so."""
    cpuinfo = read_file("/proc/cpuinfo")
    total = next((int(line.split()[1]) << 10 for line in read_file("/proc/meminfo").splitlines() if line.startswith(b"MemTotal")), 1 << 30)
    available = len(posix.sched_getaffinity(0))
    return Machine(min(nr_cpus or available, available), min(mem_total or total, total), cpuinfo, time.monotonic_ns())


def read_file(path):
    """A small file of the host's /proc; empty if it can't be read."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := posix.read(fd, CPUINFO_LIMIT):
            parts.append(part)
        return b"".join(parts)
    finally:
        posix.close(fd)
