# SPDX-License-Identifier: Apache-2.0
"""What the machine says of itself: uname(2), sysinfo(2), host names, getrandom(2), getcpu(2), syslog(2), times(2)."""

import posix
import struct

from kernel.abi.errno import EFAULT, EINVAL, EPERM, Errno
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.abi.version import KERNEL_RELEASE, KERNEL_VERSION
from kernel.syscalls.kinds import Int, Long, Out, Ptr, Size, UInt
from kernel.syscalls.table import syscall
from kernel.task.rusage import pack_tms

HOST_NAME_MAX = 64
RANDOM_CHUNK = 65536


@syscall(63)
def sys_uname(task, address: Out):
    """uname(2): our own version, never the host's."""
    machine = b"x86_64"
    release = b"2.6.60" if task.personality & 0x0020000 else KERNEL_RELEASE
    fields = (b"Linux", task.uts.nodename, release, KERNEL_VERSION, machine, task.uts.domainname)
    task.copy_out(address, b"".join([field.ljust(65, b"\0") for field in fields]))


def new_name(task, address, length):
    """The argument of sethostname and setdomainname."""
    if not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    if not 0 <= length <= HOST_NAME_MAX:
        raise Errno(EINVAL)
    return task.copy_in(address, length).split(b"\0")[0]


@syscall(170)
def sys_sethostname(task, address: Ptr, length: Int):
    """sethostname(2)."""
    task.uts.nodename = new_name(task, address, length)


@syscall(171)
def sys_setdomainname(task, address: Ptr, length: Int):
    """setdomainname(2)."""
    task.uts.domainname = new_name(task, address, length)


@syscall(99)
def sys_sysinfo(task, address: Out):
    """sysinfo(2)."""
    kernel = task.kernel
    total, free = kernel.machine.memory(kernel)
    load = [int(value * 65536) for value in kernel.machine.load_average(kernel)]
    uptime = -(-kernel.clock.boottime_ns() // 1000000000)
    fields = struct.pack("<q3Q6QHHIQQI", uptime, *load, total, free, 0, 0, 0, 0, min(len(kernel.tasks), 65535), 0, 0, 0, 0, 1)
    task.copy_out(address, fields.ljust(112, b"\0"))


@syscall(318)
def sys_getrandom(task, address: Out, count: Size, flags: UInt):
    """getrandom(2): from the host's generator."""
    if flags & ~7 or flags & 6 == 6:
        raise Errno(EINVAL)
    done = 0
    count = min(count, 1 << 25)
    while done < count:
        part = posix.getrandom(min(RANDOM_CHUNK, count - done))
        wrote = task.copy_out_some(address + done, part)
        done += wrote
        if wrote < len(part):
            break
    if count and not done:
        raise Errno(EFAULT)
    return done


@syscall(309)
def sys_getcpu(task, cpu: Out, node: Out):
    """getcpu(2): the first processor of the node; where the thread will run next is the host's business."""
    if cpu:
        task.copy_out(cpu, bytes(4))
    if node:
        task.copy_out(node, bytes(4))


@syscall(100)
def sys_times(task, address: Out):
    """times(2)."""
    if address:
        task.copy_out(address, pack_tms(task.group))
    return task.kernel.clock.boottime_ns() // 10000000


@syscall(103, partial="the log is empty")
def sys_syslog(task, kind: Int, address: Out, length: Int):
    """syslog(2): a kernel log without messages."""
    if kind in (2, 3, 4):
        if not address or length < 0:
            raise Errno(EINVAL)
        return 0
    if kind in (0, 1, 5, 6, 7, 8, 9):
        return 0
    if kind == 10:
        return 16384
    raise Errno(EINVAL)


@syscall(201)
def sys_time(task, address: Out):
    """time(2)."""
    seconds = task.kernel.clock.realtime_ns() // 1000000000
    if address:
        task.copy_out(address, seconds.to_bytes(8, "little"))
    return seconds


@syscall(96)
def sys_gettimeofday(task, address: Out, zone: Out):
    """gettimeofday(2)."""
    now = task.kernel.clock.realtime_ns()
    if address:
        task.copy_out(address, struct.pack("<2q", now // 1000000000, now % 1000000000 // 1000))
    if zone:
        task.copy_out(zone, bytes(8))


@syscall(135)
def sys_personality(task, value: Long):
    """personality(2): stored and answered; only UNAME26 has an effect."""
    old = task.personality
    if value & 0xFFFFFFFF != 0xFFFFFFFF:
        task.personality = value & 0xFFFFFFFF
    return old
