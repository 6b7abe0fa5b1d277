# SPDX-License-Identifier: Apache-2.0
# The kernel's clocks: the only place that asks the host for the time.

cdef extern from *:
    """
    static inline unsigned long clock_ticks(void) { return __builtin_ia32_rdtsc(); }
    """
    unsigned long ticks "clock_ticks"() noexcept nogil   # of the processor: for what must cost next to nothing


cdef class Stopwatch:
    cdef unsigned long first_ticks       # read together, to know how long a tick is
    cdef long long first_ns
    cdef bint passed(self, unsigned long since, long long ns) noexcept


cdef class Clock:
    cpdef long long monotonic_ns(self)
    cpdef long long realtime_ns(self)
    cpdef long long boottime_ns(self)
    cpdef long long now(self, int clock_id) except? -1


cdef class MockClock(Clock):
    cdef public long long time_ns
    cpdef advance(self, long long ns)
