# SPDX-License-Identifier: Apache-2.0
# A host descriptor that was handed to the kernel, and who waits for it.

from kernel.sync.waitqueue cimport WaitQueue


cdef class HostDescriptor:
    cdef readonly int fd
    cdef bint owned                      # closed with this object
    cdef bint nonblocking                # O_NONBLOCK is set; otherwise readiness is asked before each read and write
    cdef bint is_socket
    cdef bint is_terminal
    cdef object kernel                   # watch(fd, events, callback), unwatch(token)
    cdef object token                    # of the watch; None
    cdef unsigned int armed              # events that the watch waits for now
    cdef unsigned int told               # events that fired, and nobody has found untrue since
    cdef readonly HostQueue queue
    cdef unsigned int ready(self) noexcept
    cdef int expect(self, unsigned int events) except -1
    cdef int not_ready(self, unsigned int events) except -1


cdef class HostQueue(WaitQueue):
    cdef HostDescriptor descriptor
    cdef unsigned int wanted(self)
