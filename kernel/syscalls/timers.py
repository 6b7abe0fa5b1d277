# SPDX-License-Identifier: Apache-2.0
"""setitimer(2), alarm(2), timer_create(2) and what belongs to them."""

import struct

from kernel.abi.errno import EAGAIN, EFAULT, EINVAL, ENOTSUP, EPERM, Errno
from kernel.abi.signal import SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID
from kernel.abi.task import CAP_WAKE_ALARM
from kernel.syscalls.kinds import Int, Out, Ptr, UInt
from kernel.syscalls.table import syscall
from kernel.syscalls.time import now
from kernel.time.posix_timers import PosixTimer, timers_of

NS = 1000000000
TIMER_ABSTIME = 1
LONGEST_NS = 1 << 62
MAX_TIMERS = 32000


def pack_timeval(value_ns):
    """struct timeval, rounded up: a running timer never shows 0."""
    microseconds = -(-value_ns // 1000)
    return struct.pack("<2q", microseconds // 1000000, microseconds % 1000000)


def read_timeval(data):
    """ns of a struct timeval; EINVAL."""
    seconds, microseconds = struct.unpack("<2q", data)
    if seconds < 0 or not 0 <= microseconds < 1000000:
        raise Errno(EINVAL)
    return min(seconds * NS + microseconds * 1000, LONGEST_NS)


def interval_timer(task, which):
    """The Countdown behind ITIMER_REAL, VIRTUAL or PROF."""
    if which not in (0, 1, 2):
        raise Errno(EINVAL)
    return timers_of(task.group).intervals[which]


@syscall(36)
def sys_getitimer(task, which: Int, address: Out):
    """getitimer(2)."""
    timer = interval_timer(task, which)
    task.copy_out(address, pack_timeval(timer.interval_ns) + pack_timeval(timer.left()))


@syscall(38)
def sys_setitimer(task, which: Int, new: Ptr, old: Out):
    """setitimer(2)."""
    timer = interval_timer(task, which)
    interval = value = 0
    if new:
        data = task.copy_in(new, 32)
        interval, value = read_timeval(data[:16]), read_timeval(data[16:])
    before = pack_timeval(timer.interval_ns) + pack_timeval(timer.left())
    timer.set(timer.now() + value if value else 0, interval)
    if old:
        task.copy_out(old, before)


@syscall(37)
def sys_alarm(task, seconds: UInt):
    """alarm(2)."""
    timer = interval_timer(task, 0)
    left = timer.left()
    timer.set(timer.now() + seconds * NS if seconds else 0, 0)
    return max((left + NS // 2) // NS, 1) if left else 0


class Event:
    """struct sigevent: which signal goes where."""

    def __init__(self, signo, value, task=None):
        self.signo = signo  # 0: none
        self.value = value
        self.task = task  # None: the process


def read_event(task, address, number):
    """The sigevent of timer_create; NULL is SIGALRM to the process with the timer's number."""
    if not address:
        return Event(SIGALRM, number)
    value, signo, notify, tid = struct.unpack("<QiiI", task.copy_in(address, 20))
    if notify not in (SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID) or (notify != SIGEV_NONE and not 1 <= signo <= 64):
        raise Errno(EINVAL)
    target = None
    if notify == SIGEV_THREAD_ID:
        target = task.kernel.tasks.get(tid)
        if target is None or target.group is not task.group:
            raise Errno(EINVAL)
    return Event(0 if notify == SIGEV_NONE else signo, value, target)


@syscall(222, partial="a thread's CPU-time clock counts its process")
def sys_timer_create(task, clock_id: Int, event: Ptr, address: Out):
    """timer_create(2)."""
    if clock_id in (4, 5, 6):
        raise Errno(ENOTSUP)
    now(task, clock_id)
    if clock_id in (8, 9) and not task.creds.capable(CAP_WAKE_ALARM):
        raise Errno(EPERM)
    timers = timers_of(task.group)
    if len(timers.timers) >= min(task.group.limits.soft(11), MAX_TIMERS):
        raise Errno(EAGAIN)
    number = timers.new_number()
    timer = PosixTimer(number, task.group, clock_id, read_event(task, event, number))
    if task.copy_out_some(address, number.to_bytes(4, "little")) < 4:
        raise Errno(EFAULT)
    timers.timers[number] = timer


def posix_timer(task, number):
    """The timer of that number; EINVAL."""
    timer = timers_of(task.group).timers.get(number)
    if timer is None:
        raise Errno(EINVAL)
    return timer


def read_itimerspec(data):
    """(interval, value) in ns."""
    words = struct.unpack("<4q", data)
    if any(words[i] < 0 or not 0 <= words[i + 1] < NS for i in (0, 2)):
        raise Errno(EINVAL)
    return min(words[0] * NS + words[1], LONGEST_NS), min(words[2] * NS + words[3], LONGEST_NS)


def pack_itimerspec(countdown):
    """struct itimerspec of a running timer."""
    left = countdown.left()
    return struct.pack("<4q", countdown.interval_ns // NS, countdown.interval_ns % NS, left // NS, left % NS)


@syscall(223)
def sys_timer_settime(task, number: Int, flags: Int, new: Ptr, old: Out):
    """timer_settime(2)."""
    timer = posix_timer(task, number)
    if not new:
        raise Errno(EINVAL)
    interval, value = read_itimerspec(task.copy_in(new, 32))
    countdown = timer.countdown
    before = pack_itimerspec(countdown)
    deadline = 0
    if value:
        offset = countdown.now() - now(task, timer.clock_id) if flags & TIMER_ABSTIME else countdown.now()
        deadline = max(value + offset, 1)
    timer.overrun = 0
    countdown.set(deadline, interval)
    if old:
        task.copy_out(old, before)


@syscall(224)
def sys_timer_gettime(task, number: Int, address: Out):
    """timer_gettime(2)."""
    task.copy_out(address, pack_itimerspec(posix_timer(task, number).countdown))


@syscall(225)
def sys_timer_getoverrun(task, number: Int):
    """timer_getoverrun(2)."""
    return posix_timer(task, number).last_overrun


@syscall(226)
def sys_timer_delete(task, number: Int):
    """timer_delete(2)."""
    posix_timer(task, number).countdown.set(0, 0)
    del task.group.timers.timers[number]
