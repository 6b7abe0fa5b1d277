# SPDX-License-Identifier: Apache-2.0
# Filters that guests put on their own system calls.

from kernel.task.task cimport Task

cdef enum:
    NR_CACHED = 512

cdef struct sock_filter:
    unsigned short code
    unsigned char jt
    unsigned char jf
    unsigned int k

cdef class Filter:
    cdef readonly Filter older           # installed before this one; asked as well
    cdef readonly int mode               # 1: strict, 2: filter
    cdef readonly int total              # instructions, older ones included
    cdef sock_filter *program
    cdef int length
    cdef unsigned int verdicts[NR_CACHED]        # of the whole chain, by number
    cdef unsigned char known[NR_CACHED]          # 0: not yet, 1: verdicts has it, 2: depends on more than the number
    cdef unsigned int verdict(self, Task task) noexcept
    cdef unsigned int ask_all(self, const unsigned int *data, bint *only_number) noexcept
    cdef unsigned int run(self, const unsigned int *data, bint *only_number) noexcept


cdef bint passes(Task task) except? False        # the call may be served; otherwise everything is done
