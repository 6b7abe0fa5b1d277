# SPDX-License-Identifier: Apache-2.0
# An open regular file of a tree that the gofer serves.

from fs.gofer.connection cimport HostHandle
from fs.gofer.inode cimport GoferInode
from fs.vfs.file cimport File
from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.moved cimport Moved
from kernel.task.task cimport Task


cdef GoferFile gofer_file(GoferInode inode, HostHandle handle)


cdef class GoferFile(File):
    cdef HostHandle handle
    cdef int was_read(self) noexcept
    cdef int write_flags(self)
    cdef Py_ssize_t read_cached(self, char *start, Py_ssize_t want, long long pos)
    cdef bint fetch(self, Task task, long long pos, Py_ssize_t length) except -1
    cdef int written(self, Py_ssize_t count) except -1
    cdef Py_ssize_t write_now(self, bytes data, long long pos, int flags)
    cdef bint may_be_slow(self, bytes data, int flags)
    cdef long give_to_pool(self, object task, UserBuffer buf, bytes data, long long pos, int flags) except? -1
    cdef long end_of_job(self, Moved moved, UserBuffer buf) except? -1
