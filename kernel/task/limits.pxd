# SPDX-License-Identifier: Apache-2.0
# Resource limits of a process.

from kernel.abi.task cimport RLIM_NLIMITS


cdef class Limits:
    cdef unsigned long softs[RLIM_NLIMITS]
    cdef unsigned long hards[RLIM_NLIMITS]
    cpdef unsigned long soft(self, unsigned int resource) noexcept
    cpdef unsigned long hard(self, unsigned int resource) noexcept
    cpdef set(self, unsigned int resource, unsigned long soft, unsigned long hard)
    cpdef Limits copy(self)
