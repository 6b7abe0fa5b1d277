# SPDX-License-Identifier: Apache-2.0
"""Clocks. Everything else takes a Clock or a time as an argument, so that tests can use a MockClock."""

from posix.time cimport clock_gettime, timespec

from kernel.abi.errno cimport EINVAL, Errno

cdef enum:
    CLOCK_REALTIME = 0
    CLOCK_MONOTONIC = 1
    CLOCK_BOOTTIME = 7
    REALTIME_ALARM = 8
    BOOTTIME_ALARM = 9
    SLOWEST_TICK_NS = 4                  # no processor's ticks are longer


cdef long long read_clock(int clock_id) noexcept:
    cdef timespec value
    clock_gettime(clock_id, &value)
    return value.tv_sec * 1000000000LL + value.tv_nsec


cdef class Stopwatch:
    """Whether something took long, told from the processor's ticks; the clock is asked only when it may have."""

    def __cinit__(self):
        self.first_ticks, self.first_ns = ticks(), read_clock(CLOCK_MONOTONIC)

    cdef bint passed(self, unsigned long since, long long ns) noexcept:
        """More than ns since the reading `since` of ticks()."""
        cdef unsigned long now = ticks()
        cdef long elapsed = <long> (now - since)
        if elapsed < ns // SLOWEST_TICK_NS:
            return False
        return elapsed / <double> (now - self.first_ticks) * (read_clock(CLOCK_MONOTONIC) - self.first_ns) > ns


cdef class Clock:
    """The host's clocks, in ns."""

    cpdef long long monotonic_ns(self):
        """CLOCK_MONOTONIC; what timers and deadlines count in."""
        return read_clock(CLOCK_MONOTONIC)

    cpdef long long realtime_ns(self):
        """CLOCK_REALTIME: ns since the epoch."""
        return read_clock(CLOCK_REALTIME)

    cpdef long long boottime_ns(self):
        """CLOCK_BOOTTIME."""
        return read_clock(CLOCK_BOOTTIME)

    cpdef long long now(self, int clock_id) except? -1:
        """A wall or monotonic clock by its Linux number (not the CPU-time clocks); EINVAL."""
        if clock_id in (0, 1, 4, 5, 6, 7, 11):
            return read_clock(clock_id)
        if clock_id == REALTIME_ALARM:
            return self.realtime_ns()
        if clock_id == BOOTTIME_ALARM:
            return self.boottime_ns()
        raise Errno(EINVAL)


cdef class MockClock(Clock):
    """A clock that only moves when told, for tests."""

    cpdef advance(self, long long ns):
        """Let time pass."""
        self.time_ns += ns

    cpdef long long monotonic_ns(self):
        return self.time_ns

    cpdef long long realtime_ns(self):
        return self.time_ns

    cpdef long long boottime_ns(self):
        return self.time_ns

    cpdef long long now(self, int clock_id) except? -1:
        return self.time_ns


def process_cpu_ns(int host_pid, bint thread=False):
    """CPU time of a host process or thread, user and system, in ns; 0 if it is gone."""
    cdef timespec value
    if clock_gettime(~host_pid << 3 | (6 if thread else 2), &value) < 0:
        return 0
    return value.tv_sec * 1000000000LL + value.tv_nsec
