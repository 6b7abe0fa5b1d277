# SPDX-License-Identifier: Apache-2.0
# The kernel's clocks: the only place that asks the host for the time.

cdef class Clock:
    cpdef long long monotonic_ns(self)
    cpdef long long realtime_ns(self)
    cpdef long long boottime_ns(self)
    cpdef long long now(self, int clock_id) except? -1


cdef class MockClock(Clock):
    cdef public long long time_ns
    cpdef advance(self, long long ns)
