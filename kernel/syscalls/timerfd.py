# SPDX-License-Identifier: Apache-2.0
"""timerfd_create(2), timerfd_settime(2), timerfd_gettime(2)."""

import struct

from fs.anon.timerfd import TimerFd
from kernel.abi.errno import EINVAL, EPERM, Errno
from kernel.abi.fs import O_CLOEXEC, O_NONBLOCK
from kernel.abi.task import CAP_WAKE_ALARM
from kernel.syscalls.kinds import Int, OpenFile, Out, Ptr
from kernel.syscalls.table import syscall

CLOCKS = (0, 1, 7)  # CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME
ALARM_CLOCKS = (8, 9)
TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2
NS_PER_S = 1_000_000_000
MAX_SECONDS = 9_000_000_000


@syscall(283)
def sys_timerfd_create(task, clock_id: Int, flags: Int):
    """timerfd_create(2)."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK) or clock_id not in CLOCKS + ALARM_CLOCKS:
        raise Errno(EINVAL)
    if clock_id in ALARM_CLOCKS and not task.creds.capable(CAP_WAKE_ALARM):
        raise Errno(EPERM)
    return task.files.install(TimerFd(task.kernel, clock_id, flags & O_NONBLOCK), bool(flags & O_CLOEXEC))


@syscall(286, partial="TFD_TIMER_CANCEL_ON_SET is accepted and never cancels")
def sys_timerfd_settime(task, file: OpenFile, flags: Int, new: Ptr, old: Out):
    """timerfd_settime(2)."""
    interval_s, interval_ns, value_s, value_ns = struct.unpack("<4q", task.copy_in(new, 32))
    if flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) or not isinstance(file, TimerFd):
        raise Errno(EINVAL)
    if min(interval_s, value_s) < 0 or not 0 <= interval_ns < NS_PER_S or not 0 <= value_ns < NS_PER_S:
        raise Errno(EINVAL)
    before = file.remaining()
    file.settime_flags = flags
    file.set(to_ns(value_s, value_ns), to_ns(interval_s, interval_ns), bool(flags & TFD_TIMER_ABSTIME))
    if old:
        copy_out_itimerspec(task, old, before)


@syscall(287)
def sys_timerfd_gettime(task, file: OpenFile, current: Out):
    """timerfd_gettime(2)."""
    if not isinstance(file, TimerFd):
        raise Errno(EINVAL)
    copy_out_itimerspec(task, current, file.remaining())


def to_ns(seconds, ns):
    return min(seconds, MAX_SECONDS) * NS_PER_S + ns


def copy_out_itimerspec(task, address, times):
    value, interval = times
    task.copy_out(address, struct.pack("<4q", interval // NS_PER_S, interval % NS_PER_S, value // NS_PER_S, value % NS_PER_S))
