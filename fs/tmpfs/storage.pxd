# SPDX-License-Identifier: Apache-2.0
# The contents of a regular file in memory.

from kernel.mm.userbuffer cimport UserBuffer


cdef class Quota:
    cdef public long long limit          # pages; 0: no limit
    cdef public long long used
    cdef long long room(self) except? -1


cdef class Storage:
    cdef Quota quota
    cdef readonly long long size         # bytes
    cdef readonly long long pages        # charged to the quota
    cdef bytearray heap                  # small files; what lies behind its end is zero. None: in the memfd
    cdef readonly int memfd              # -1 before
    cdef int read_only_memfd             # the same object with read rights only; -1 before anybody asked
    cdef long read(self, UserBuffer buf, long long pos) except? -1
    cdef long write(self, UserBuffer buf, long long pos) except? -1
    cdef long write_heap(self, UserBuffer buf, long long pos, Py_ssize_t count) except? -1
    cdef long write_memfd(self, UserBuffer buf, long long pos, Py_ssize_t count) except? -1
    cdef int charge(self, long long pages) except -1
    cdef int recount(self) except -1
    cdef long long missing_pages(self, long long pos, long long count) except -1
    cpdef truncate(self, long long size)
    cpdef check_room(self, long long pos, long long count)
    cpdef allocate(self, long long pos, long long count)
    cpdef punch(self, long long pos, long long count)
    cpdef long long next_data(self, long long pos) except -2
    cpdef long long next_hole(self, long long pos) except -2
    cpdef to_memfd(self)
    cpdef int descriptor(self, bint writable, bint shared) except -1
