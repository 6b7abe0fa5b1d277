# SPDX-License-Identifier: Apache-2.0
# A traced process.

from kernel.platform.platform cimport Space


cdef class TracedSpace(Space):
    cdef set threads                     # every thread not yet released
    cdef set tids                        # host tids that are alive
    cdef void bind(self, int host_pid) noexcept
    cdef void set_dead(self) noexcept
