# SPDX-License-Identifier: Apache-2.0
# One client's connection: framing, dispatch, the table of fids.

from gofer.fid cimport Fid


cdef class Session:
    cdef int sock
    cdef list trees                      # of Tree, by number
    cdef dict fids                       # number -> Fid
    cdef unsigned int msize
    cdef bint extended                   # our extension was negotiated
    cdef list handlers                   # by message type; None where there is none
    cdef int donation                    # descriptor to send with the reply; -1
    cdef int given                       # descriptor that came with the last request; -1

    cdef Fid fid(self, unsigned int number)
    cdef int set_fid(self, unsigned int number, Fid fid) except -1
    cdef Py_ssize_t take_messages(self, const unsigned char *data, Py_ssize_t size) except -2
    cdef bint answer(self, const unsigned char *message, Py_ssize_t size) except -1
    cdef bytes reply_to(self, const unsigned char *message, Py_ssize_t size)
    cdef bint send(self, bytes reply)
    cdef Py_ssize_t receive_some(self, unsigned char *into, Py_ssize_t room) noexcept
    cdef void drop_donation(self)
