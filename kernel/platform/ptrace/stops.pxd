# SPDX-License-Identifier: Apache-2.0
# What the traced threads and the platform itself have to say, in order.


cpdef enum:                              # kinds of events
    STOPPED                              # (tid, wait status): a traced thread stopped or ended
    BORN                                 # (thread, 0)
    CLONED                               # (thread, 0 or -errno)
    CALLED                               # (thread, number of host calls made)
    UNBORN                               # (thread, 0): the zygote could not make its process


cdef class Stops:
    cdef readonly int listener           # POLLIN: next() may have something
    cdef int child_signal                # signalfd of SIGCHLD
    cdef int bell                        # eventfd: readable while something is queued
    cdef object queued                   # deque of (kind, subject, value)

    cdef open(self)
    cdef put(self, int kind, object subject, long value)
    cdef tuple next(self)                # or None
    cdef long wait_for(self, int tid) noexcept           # wait status of its next stop or end; -ECHILD
