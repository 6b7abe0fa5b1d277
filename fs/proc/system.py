# SPDX-License-Identifier: Apache-2.0
"""What /proc tells about the whole system (proc(5)): the container's share of the machine and this kernel's own figures.

What there is none of (swap, block devices, host interrupts) is shown as none.
"""

from kernel.abi.version import KERNEL_RELEASE, KERNEL_VERSION
from kernel.task import cputime

TICK_NS = 10_000_000  # USER_HZ is 100
FILESYSTEMS = (
    ("nodev", "sysfs"),
    ("nodev", "tmpfs"),
    ("nodev", "proc"),
    ("nodev", "devtmpfs"),
    ("nodev", "devpts"),
    ("nodev", "mqueue"),
    ("nodev", "pipefs"),
    ("nodev", "sockfs"),
    ("nodev", "anon_inodefs"),
    ("nodev", "cgroup2"),
    ("nodev", "overlay"),
    ("nodev", "9p"),
)
VMSTAT_NAMES = (
    "pgpgin",
    "pgpgout",
    "pswpin",
    "pswpout",
    "pgfault",
    "pgmajfault",
    "nr_dirty",
    "nr_writeback",
    "nr_mapped",
    "nr_slab_unreclaimable",
    "pgscan_kswapd",
    "pgscan_direct",
    "pgsteal_kswapd",
    "pgsteal_direct",
    "oom_kill",
)
VERSION = "Linux version {release} (runsc@localhost) (gcc (Debian) 12.2.0, GNU ld (GNU Binutils) 2.40) {version}\n"
DEVICES = """Character devices:
  1 mem
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
136 pts

Block devices:
"""


def meminfo(kernel):
    """/proc/meminfo in KiB; guest memory is the host's business, so used memory is an estimate."""
    total, free = (value >> 10 for value in kernel.machine.memory(kernel))
    fields = {
        "MemTotal": total,
        "MemFree": free,
        "MemAvailable": free,
        "Buffers": 0,
        "Cached": 0,
        "SwapCached": 0,
        "Active": total - free,
        "Inactive": 0,
        "Active(anon)": total - free,
        "Inactive(anon)": 0,
        "Active(file)": 0,
        "Inactive(file)": 0,
        "Unevictable": 0,
        "Mlocked": 0,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Dirty": 0,
        "Writeback": 0,
        "AnonPages": total - free,
        "Mapped": 0,
        "Shmem": 0,
        "KReclaimable": 0,
        "Slab": 0,
        "SReclaimable": 0,
        "SUnreclaim": 0,
        "KernelStack": 0,
        "PageTables": 0,
        "NFS_Unstable": 0,
        "Bounce": 0,
        "WritebackTmp": 0,
        "CommitLimit": total,
        "Committed_AS": total - free,
        "VmallocTotal": 34359738367,
        "VmallocUsed": 0,
        "VmallocChunk": 0,
        "Percpu": 0,
        "AnonHugePages": 0,
    }
    lines = [f"{name + ':':15} {value:8} kB\n" for name, value in fields.items()]
    lines += ["HugePages_Total:       0\n", "HugePages_Free:        0\n", "HugePages_Rsvd:        0\n", "HugePages_Surp:        0\n"]
    lines += ["Hugepagesize:       2048 kB\n", "Hugetlb:               0 kB\n"]
    return "".join(lines)


def cpuinfo(kernel):
    """/proc/cpuinfo: the host's text for as many processors as the sandbox has."""
    blocks = kernel.machine.cpuinfo.strip().split(b"\n\n")
    return b"".join(block + b"\n\n" for block in blocks[: kernel.machine.nr_cpus])


def cpu_ticks(kernel):
    """(user, system, idle) in ticks since the sandbox was born."""
    user = sum(sum(cputime.used(group)) + group.cutime_ns + group.cstime_ns for group in list(kernel.groups.values()))
    lived = (kernel.clock.monotonic_ns() - kernel.machine.boot_ns) * kernel.machine.nr_cpus
    return user // TICK_NS, 0, max(lived - user, 0) // TICK_NS


def stat(kernel):
    """/proc/stat: CPU time is spread evenly over the processors, since the host decides who runs where."""
    count = kernel.machine.nr_cpus
    user, system, idle = cpu_ticks(kernel)
    lines = [f"cpu  {user} 0 {system} {idle} 0 0 0 0 0 0\n"]
    lines += [f"cpu{number} {user // count} 0 {system // count} {idle // count} 0 0 0 0 0 0\n" for number in range(count)]
    running = sum(1 for task in kernel.tasks.values() if task.is_running())
    boot = (kernel.clock.realtime_ns() - kernel.clock.boottime_ns()) // 10**9
    lines.append(f"intr 0\nctxt {kernel.nr_syscalls}\nbtime {boot}\nprocesses {kernel.last_pid}\n")
    lines.append(f"procs_running {max(running, 1)}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n")
    return "".join(lines)


def uptime(kernel):
    """/proc/uptime: seconds of the boot-time clock, and idle seconds of all processors since the sandbox was born."""
    idle = cpu_ticks(kernel)[2]
    total = kernel.clock.boottime_ns() // TICK_NS
    return f"{total // 100}.{total % 100:02} {idle // 100}.{idle % 100:02}\n"


def loadavg(kernel):
    """/proc/loadavg."""
    one, five, fifteen = kernel.machine.load_average(kernel)
    running = sum(1 for task in kernel.tasks.values() if task.is_running())
    return f"{one:.2f} {five:.2f} {fifteen:.2f} {running}/{len(kernel.tasks)} {kernel.last_pid}\n"


def version(kernel):
    """/proc/version."""
    return VERSION.format(release=KERNEL_RELEASE.decode(), version=KERNEL_VERSION.decode())


def filesystems(kernel):
    """/proc/filesystems."""
    return "".join(f"{kind}\t{name}\n" for kind, name in FILESYSTEMS)


def interrupts(kernel):
    """/proc/interrupts: the header only."""
    return " " * 11 + "".join(f"CPU{number:<8}" for number in range(kernel.machine.nr_cpus)) + "\n"


def vmstat(kernel):
    """/proc/vmstat: what vmstat(8) and top read."""
    free = kernel.machine.memory(kernel)[1] >> 12
    return f"nr_free_pages {free}\n" + "".join(f"{name} 0\n" for name in VMSTAT_NAMES)
