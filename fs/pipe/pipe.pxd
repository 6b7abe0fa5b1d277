# SPDX-License-Identifier: Apache-2.0
# A pipe: bytes on their way from writers to readers, and its two kinds of ends.

from fs.anon.inode cimport AnonInode
from fs.vfs.file cimport File
from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.waitqueue cimport WaitQueue


cdef class Packet:                       # one write with O_DIRECT: read whole or cut off
    cdef bytes data


cdef class Pipe:
    cdef object chunks                   # deque of bytes and Packet, in order of arrival
    cdef Py_ssize_t offset               # how much of the first chunk was read
    cdef readonly Py_ssize_t used        # bytes of capacity taken
    cdef readonly Py_ssize_t queued      # bytes that can be read
    cdef readonly Py_ssize_t capacity
    cdef readonly int readers            # open ends
    cdef readonly int writers
    cdef readonly unsigned long reader_opens     # how often an end was opened: a waiting open compares it
    cdef readonly unsigned long writer_opens
    cdef readonly WaitQueue waiters      # of both ends, and of opens of a fifo that wait for the other end
    cdef public dict opening             # fifo: Task -> fs.pipe.fifo.Opening; None
    cdef long read(self, UserBuffer buf) except? -1
    cdef long write(self, UserBuffer buf, bint packets) except? -1
    cpdef Py_ssize_t room(self) noexcept
    cpdef int append(self, data) except -1
    cpdef list peek(self, Py_ssize_t count)
    cpdef Py_ssize_t consume(self, Py_ssize_t count) except -1
    cdef long write_packets(self, UserBuffer buf) except? -1
    cdef bytes first(self, Py_ssize_t count)
    cdef void drop_first(self)
    cpdef wake_writers(self, Py_ssize_t room_before)
    cpdef long set_capacity(self, unsigned long size, bint privileged) except? -1
    cpdef open_end(self, unsigned int flags)
    cpdef close_end(self, unsigned int flags)


cdef PipeFile pipe_end(AnonInode inode, Pipe pipe, unsigned int flags)


cdef class PipeFile(File):
    cdef readonly Pipe pipe
    cdef unsigned long seen_writers      # writer_opens when it was opened: a reader who never had a writer sees no hang-up
    cdef int begin(self, object inode, Pipe pipe, unsigned int flags) except -1
    cpdef long get_pipe_size(self)
    cpdef long set_pipe_size(self, object task, unsigned long size) except? -1
