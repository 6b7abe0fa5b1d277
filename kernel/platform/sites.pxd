# SPDX-License-Identifier: Apache-2.0
# The call sites of one address space that trap often, and those that were rewritten.

from libc.stdint cimport uint64_t

from kernel.platform.platform cimport HostCall, Space
from kernel.platform.x86_64.abi cimport machine

cdef enum:
    NR_COUNTERS = 256
    SITE_CALLS = 3                       # host calls of one rewriting

cdef enum Middle:                        # what a fault in the middle of a rewritten site stands for
    NO_SITE
    A_CALL                               # the system call instruction
    COMPARED                             # the comparison behind it, which has been done


cdef struct Counter:
    uint64_t address
    unsigned int hits


cdef class Sites:
    cdef readonly dict numbers           # address of a site -> its number, for those that were rewritten, or are being
    cdef Counter *counters               # NR_COUNTERS of them, made when first needed
    cdef bint mapped                     # the process has its table
    cdef int busy                        # orders to rewrite that are out: no fork may copy what they leave behind
    cdef int forks                       # forks that are out
    cdef list waiting                    # threads that will fork when no order to rewrite is out
    cdef uint64_t back                   # of the site that is being rewritten
    cdef uint64_t start                  # its first byte that changes
    cdef int number

    cdef Counter *counter_of(self, uint64_t back) noexcept
    cdef void drop(self) noexcept
    cdef bint often(self, uint64_t back) noexcept
    cdef void never(self, uint64_t back) noexcept
    cdef Sites copy(self)
    cdef void map_call(self, HostCall *call) noexcept
    cdef int plan(self, Space space, uint64_t back, int protection, HostCall *calls)
    cdef Middle middle(self, Space space, machine *state)
    cdef Middle compare(self, Space space, machine *state)
    cdef bint is_jump(self, Space space, uint64_t start)
