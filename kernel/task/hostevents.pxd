# SPDX-License-Identifier: Apache-2.0
# What the kernel's loop hears from the host besides guests: descriptors in its epoll, and the deaths of its children.

cdef class Watch:                        # a host descriptor in the kernel's epoll
    cdef readonly int fd
    cdef public object callback          # called with the EPOLL* events


cdef class HostEvents:
    cdef readonly int epoll
    cdef int child_signal                # signalfd of SIGCHLD
    cdef dict watches                    # fd -> Watch
    cdef object log
    cdef object child_ended              # called with host pid, wait status, maxrss in KiB
    cpdef Watch watch(self, int fd, unsigned int events, callback)
    cpdef unwatch(self, Watch watch)
    cdef int run(self) except -1         # calls back for what is ready
