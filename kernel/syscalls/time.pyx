# SPDX-License-Identifier: Apache-2.0
"""Clocks and sleeping (clock_gettime(2), clock_nanosleep(2)). Guests read most clocks without us, from the host's vDSO."""

from kernel.abi.errno cimport EINTR, EINVAL, ENOTSUP, EPERM, ERESTARTNOHAND, Errno
from kernel.abi.task cimport CAP_SYS_TIME
from kernel.syscalls.table cimport define
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport Task
from kernel.time.clock cimport Clock

from kernel.syscalls.kinds import Int, Out, Ptr
from kernel.syscalls.table import missing, syscall
from kernel.task.cputime import used
from kernel.time.clock import process_cpu_ns

cdef enum:
    CLOCK_REALTIME = 0
    CLOCK_MONOTONIC = 1
    CLOCK_PROCESS = 2
    CLOCK_THREAD = 3
    MONOTONIC_RAW = 4
    REALTIME_COARSE = 5
    MONOTONIC_COARSE = 6
    CLOCK_TAI = 11
    TIMER_ABSTIME = 1

cdef long long NS = 1000000000
cdef long long LONGEST_NS = 1LL << 62
cdef long long LONGEST_S = LONGEST_NS // NS


cpdef long long read_timespec(Task task, unsigned long address) except -1:
    """ns of a struct timespec; EINVAL if it is none."""
    cdef long value[2]
    task.get(address, value, sizeof(value))
    if value[0] < 0 or not 0 <= value[1] < NS:
        raise Errno(EINVAL)
    return value[0] * NS + value[1] if value[0] < LONGEST_S else LONGEST_NS


cdef int write_timespec(Task task, unsigned long address, long long value_ns) except -1:
    """The inverse."""
    cdef long value[2]
    value[0], value[1] = value_ns // NS, value_ns % NS
    return task.put(address, value, sizeof(value))


cdef object cpu_clock(Task task, int clock_id):
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


cpdef long long now(Task task, int clock_id) except? -1:
    """ns of a clock; EINVAL."""
    if clock_id < 0:
        return sum(used(cpu_clock(task, clock_id)))
    if clock_id == CLOCK_PROCESS:
        return sum(used(task.group))
    if clock_id == CLOCK_THREAD:
        return sum(used(task.group)) if len(task.group.tasks) == 1 else process_cpu_ns(task.host_tid(), True)
    return (<Kernel> task.kernel).clock.now(clock_id)


cdef long sys_clock_gettime(Task task, const unsigned long *args) except? -1:
    """clock_gettime(2)."""
    return write_timespec(task, args[1], now(task, <int> args[0]))


define(228, "clock_gettime(clock_id: Int, address: Out)", sys_clock_gettime)


@syscall(229)
def sys_clock_getres(task, clock_id: Int, address: Out):
    """clock_getres(2)."""
    now(task, clock_id)
    if address:
        write_timespec(task, address, 4000000 if clock_id == REALTIME_COARSE or clock_id == MONOTONIC_COARSE else 1)


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


cdef class Sleep:
    """A sleep between its attempts."""

    cdef long long deadline_ns           # CLOCK_MONOTONIC
    cdef unsigned long remaining         # where the rest is written when a handler runs; 0: nowhere


cdef long sys_nanosleep(Task task, const unsigned long *args) except? -1:
    """nanosleep(2)."""
    return sleep(task, CLOCK_MONOTONIC, 0, args[0], args[1])


cdef long sys_clock_nanosleep(Task task, const unsigned long *args) except? -1:
    """clock_nanosleep(2)."""
    cdef int clock_id = <int> args[0]
    if clock_id == MONOTONIC_RAW or clock_id == REALTIME_COARSE or clock_id == MONOTONIC_COARSE:
        return -ENOTSUP
    if clock_id == CLOCK_THREAD or clock_id > CLOCK_TAI:
        return -EINVAL
    if clock_id < 0 or clock_id == CLOCK_PROCESS or clock_id == CLOCK_TAI - 1:
        return -ENOTSUP
    return sleep(task, clock_id, <int> args[1], args[2], args[3])


define(35, "nanosleep(request: Ptr, remaining: Out)", sys_nanosleep)
define(230, "clock_nanosleep(clock_id: Int, flags: Int, request: Ptr, remaining: Out)", sys_clock_nanosleep,
       partial="CPU-time clocks can't be slept on")


cdef long sleep(Task task, int clock_id, int flags, unsigned long request, unsigned long remaining) except? -1:
    """Sleep to a deadline that the first attempt fixes; a handler that runs gets the rest written."""
    cdef Clock clock = (<Kernel> task.kernel).clock
    cdef Sleep call = task.progress
    cdef long long value
    if task.timed_out:
        return 0
    if call is None:
        value = read_timespec(task, request)
        if flags & TIMER_ABSTIME:
            value -= clock.now(clock_id)
        if value <= 0:
            return 0
        call = Sleep.__new__(Sleep)
        call.deadline_ns, call.remaining = clock.monotonic_ns() + value, 0 if flags & TIMER_ABSTIME else remaining
        task.progress = call
    elif clock.monotonic_ns() >= call.deadline_ns:
        return 0
    return task.block(call.deadline_ns, ERESTARTNOHAND, None if flags & TIMER_ABSTIME else interrupted)


def interrupted(Task task):
    """EINTR, and what was left."""
    cdef Sleep call = task.progress
    if call.remaining:
        try:
            write_timespec(task, call.remaining, max(call.deadline_ns - (<Kernel> task.kernel).clock.monotonic_ns(), 0))
        except Errno as error:
            return -error.number
    return -EINTR


missing(159, "adjtimex", "the clock is the host's")
missing(305, "clock_adjtime", "the clock is the host's")
