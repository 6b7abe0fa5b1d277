# SPDX-License-Identifier: Apache-2.0
# Tasks whose system call is to be attempted again, in order.

cdef class RunQueue:
    cdef object tasks                    # deque
    cdef void push(self, object task)
    cdef object pop(self)                # None when empty
