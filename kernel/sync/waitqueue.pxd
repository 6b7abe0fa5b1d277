# SPDX-License-Identifier: Apache-2.0
# Who waits for what. A Waiter stands in any number of queues; a queue knows no tasks.

cdef class Waiter:
    # Called by WaitQueue.wake with the events that happened (POLLIN...). May add and remove entries of any queue.
    # True: this wake-up was used up (matters for exclusive entries only).
    cpdef bint wake(self, unsigned int events) except? -1


cdef class WaitEntry:
    cdef public WaitQueue queue
    cdef public Waiter waiter
    cdef public unsigned int events      # wakes only if some of these happened
    cdef public bint exclusive           # counts against nr of wake()
    cdef bint stands                     # in the queue
    cdef WaitEntry before                # in the queue; None at its ends
    cdef WaitEntry behind


cdef class WaitQueue:
    cdef WaitEntry first                 # in order of arrival
    cdef WaitEntry last
    cpdef WaitEntry add(self, Waiter waiter, unsigned int events=*, bint exclusive=*)
    cpdef remove(self, WaitEntry entry)
    cpdef int wake(self, unsigned int events=*, int nr_exclusive=*) except -1
    cdef int wake_many(self, unsigned int events, int nr_exclusive) except -1
    cpdef bint empty(self)
