# SPDX-License-Identifier: Apache-2.0
# A stub process as the platform keeps it: its contexts, its slots, its threads.

from kernel.platform.border cimport ContextArea
from kernel.platform.platform cimport Space
from kernel.platform.sites cimport Sites
from kernel.platform.window cimport Window


cdef class StubSpace(Space):
    cdef ContextArea area
    cdef Sites sites
    cdef Window window                   # of the thread whose request is being served; None outside
    cdef int window_slot
    cdef bytearray taken                 # per slot: 0 free, 1 in use
    cdef bint had_threads                # other than its first
    cdef dict dying                      # slot -> host tid of a thread told to exit, until the host says that it is gone
    cdef set gone                        # host tids that went; the platform forgets them
    cdef set tids                        # host tids that are bound to a thread of this space
    cdef set threads                     # every thread not yet released
    cdef void flush_window(self) noexcept
    cdef int take_slot(self) except -2
    cdef void claim_slot(self, int slot) noexcept
    cdef void free_slot(self, int slot, int host_tid)
    cdef bint has_thread(self, int host_tid) noexcept
    cdef void bind(self, int host_pid) noexcept
    cdef void set_dead(self) noexcept


cdef long read_process(int pid, unsigned long address, void *into, size_t length) noexcept
cdef long write_process(int pid, unsigned long address, const void *data, size_t length) noexcept
