# SPDX-License-Identifier: Apache-2.0
"""Clocks and sleeping (clock_gettime(2), clock_nanosleep(2)). Guests read most clocks without us, from the host's vDSO."""

import struct

from kernel.abi.errno import EINTR, EINVAL, ENOTSUP, EPERM, ERESTARTNOHAND, Errno
from kernel.abi.task import CAP_SYS_TIME
from kernel.syscalls.kinds import Int, Out, Ptr
from kernel.syscalls.table import missing, syscall
from kernel.task.cputime import used
from kernel.time.clock import process_cpu_ns

NS = 1000000000
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS, CLOCK_THREAD = 0, 1, 2, 3
COARSE = (5, 6)
SLEEPABLE = (0, 1, 7, 8, 9, 11)
TIMER_ABSTIME = 1
LONGEST_NS = 1 << 62


def read_timespec(task, address):
    """ns of a struct timespec; EINVAL if it is none."""
    seconds, nanoseconds = struct.unpack("<2q", task.copy_in(address, 16))
    if seconds < 0 or not 0 <= nanoseconds < NS:
        raise Errno(EINVAL)
    return min(seconds * NS + nanoseconds, LONGEST_NS)


def write_timespec(task, address, value_ns):
    """The inverse."""
    task.copy_out(address, struct.pack("<2q", value_ns // NS, value_ns % NS))


def cpu_clock(task, clock_id):
    """The process behind a CPU-time clock number (clock_getcpuclockid(3))."""
    number = ~(clock_id >> 3)
    if clock_id & 3 == 3:
        raise Errno(EINVAL)
    group = task.group if number == 0 else task.kernel.groups.get(number)
    if group is None and number in task.kernel.tasks:
        group = task.kernel.tasks[number].group
    if group is None:
        raise Errno(EINVAL)
    return group


def now(task, clock_id):
    """ns of a clock; EINVAL."""
    if clock_id < 0:
        return sum(used(cpu_clock(task, clock_id)))
    if clock_id == CLOCK_PROCESS:
        return sum(used(task.group))
    if clock_id == CLOCK_THREAD:
        return sum(used(task.group)) if len(task.group.tasks) == 1 else process_cpu_ns(task.host_tid(), True)
    return task.kernel.clock.now(clock_id)


@syscall(228)
def sys_clock_gettime(task, clock_id: Int, address: Out):
    """clock_gettime(2)."""
    write_timespec(task, address, now(task, clock_id))


@syscall(229)
def sys_clock_getres(task, clock_id: Int, address: Out):
    """clock_getres(2)."""
    now(task, clock_id)
    if address:
        write_timespec(task, address, 4000000 if clock_id in COARSE else 1)


@syscall(227)
def sys_clock_settime(task, clock_id: Int, address: Ptr):
    """clock_settime(2): the machine's clock is the host's, nobody inside may set it."""
    read_timespec(task, address)
    if clock_id != CLOCK_REALTIME:
        raise Errno(EINVAL)
    raise Errno(EPERM)


@syscall(164)
def sys_settimeofday(task, address: Ptr, zone: Ptr):
    """settimeofday(2): as clock_settime."""
    if not task.creds.capable(CAP_SYS_TIME) or address or zone:
        raise Errno(EPERM)


@syscall(35)
def sys_nanosleep(task, request: Ptr, remaining: Out):
    """nanosleep(2)."""
    return sleep(task, CLOCK_MONOTONIC, 0, request, remaining)


@syscall(230, partial="CPU-time clocks can't be slept on")
def sys_clock_nanosleep(task, clock_id: Int, flags: Int, request: Ptr, remaining: Out):
    """clock_nanosleep(2)."""
    if clock_id in (CLOCK_THREAD, 4) or clock_id > 11 or clock_id in COARSE:
        raise Errno(EINVAL if clock_id != 4 and clock_id not in COARSE else ENOTSUP)
    if clock_id not in SLEEPABLE:
        raise Errno(ENOTSUP)
    return sleep(task, clock_id, flags, request, remaining)


def sleep(task, clock_id, flags, request, remaining):
    """Sleep to a deadline that the first attempt fixes; a handler that runs gets the rest written."""
    clock = task.kernel.clock
    if task.progress is None:
        value = read_timespec(task, request)
        if flags & TIMER_ABSTIME:
            value -= clock.now(clock_id)
            remaining = 0
        if value <= 0:
            return 0
        task.progress = clock.monotonic_ns() + value
    if task.timed_out or clock.monotonic_ns() >= task.progress:
        return 0
    if flags & TIMER_ABSTIME:
        return task.block(task.progress, ERESTARTNOHAND)
    deadline = task.progress
    return task.block(deadline, ERESTARTNOHAND, lambda sleeper: interrupted(sleeper, deadline, remaining))


def interrupted(task, deadline, remaining):
    """EINTR, and what was left."""
    if remaining:
        try:
            write_timespec(task, remaining, max(deadline - task.kernel.clock.monotonic_ns(), 0))
        except Errno as error:
            return -error.number
    return -EINTR


missing(159, "adjtimex", "the clock is the host's")
missing(305, "clock_adjtime", "the clock is the host's")
