# SPDX-License-Identifier: Apache-2.0
# The birth of the zygote: the stub that all others are forked from.

from kernel.platform.border cimport Birth, ContextArea


cdef class Zygote:
    cdef readonly int host_pid
    cdef readonly int listener           # descriptor, ours
    cdef Birth birth
    cdef unsigned int *page              # the read-only page of all stubs, writable for us
    cdef int make_page(self) except -1
    cdef void describe(self, list pieces)
    cdef int take_listener(self, ContextArea area) except -1
