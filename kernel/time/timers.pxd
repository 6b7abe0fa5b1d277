# SPDX-License-Identifier: Apache-2.0
# Deadlines on the monotonic clock, in order.

cdef class Timer:
    cdef public long long deadline_ns    # CLOCK_MONOTONIC
    cdef public object callback          # called without arguments; None: cancelled
    cpdef cancel(self)


cdef class TimerQueue:
    cdef list heap
    cdef long long sequence
    cpdef Timer add(self, long long deadline_ns, object callback)
    cpdef long long next_deadline(self)             # -1: none
    cpdef int run(self, long long now_ns) except -1 # calls what is due; returns how many
