# SPDX-License-Identifier: Apache-2.0
# The socket to the gofer.

from gofer.wire cimport Layout


cdef class HostHandle:                   # a donated descriptor
    cdef int fd                          # -1: given back; whoever needs it asks the gofer again
    cdef int users                       # open files that use it
    cdef bint waits                      # its file system can't tell whether a read would wait
    cdef void close(self)


cdef class Connection:
    cdef int sock
    cdef unsigned int msize
    cdef bint dead                       # the gofer is gone: every call answers EIO
    cdef unsigned char *buffer           # of msize bytes: the reply that is being received
    cdef HostHandle donated              # came with the last reply; None
    cdef unsigned int next_fid           # never used so far
    cdef list free_fids
    cdef list forgotten                  # fids to clunk with the next request

    cdef unsigned int new_fid(self)
    cdef void forget(self, unsigned int fid)
    cdef tuple call(self, Layout request, tuple values)
    cdef HostHandle take_donation(self)
    cdef bytes with_clunks(self, bytes message)
    cdef int send(self, bytes message) except -1
    cdef tuple receive(self, Layout expected)
    cdef Py_ssize_t receive_some(self, Py_ssize_t have, Py_ssize_t want) except -1
    cdef int lost(self) except -1
