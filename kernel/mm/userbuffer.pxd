# SPDX-License-Identifier: Apache-2.0
# Bytes on the other side of a read or write: guest memory in one or many pieces, or kernel memory.

cdef class UserBuffer:
    cdef readonly Py_ssize_t count       # whole length in bytes, clamped to MAX_RW_COUNT
    cdef readonly Py_ssize_t done        # how far put() or take() has come
    cpdef Py_ssize_t left(self)
    cpdef Py_ssize_t put(self, data) except -1
    cpdef bytes take(self, Py_ssize_t count)
    cpdef give_back(self, Py_ssize_t count)


cdef class GuestBuffer(UserBuffer):
    cdef object task
    cdef list pieces                     # (address, length), none empty
    cdef int piece                       # where the cursor is
    cdef Py_ssize_t offset               # bytes into that piece
    cdef Py_ssize_t move(self, char *memory, Py_ssize_t count, bint out) except -1
    cdef void advance(self, Py_ssize_t got, Py_ssize_t length)


cdef class KernelBuffer(UserBuffer):
    cdef readonly bytearray data
