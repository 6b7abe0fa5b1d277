# SPDX-License-Identifier: Apache-2.0
"""Pipes and the open files of fifos (pipe(7)).

A pipe keeps what writers wrote as they wrote it: one bytes object a write, not copied again until a reader takes it. Rules:
- a write of at most PIPE_BUF bytes happens whole or not at all;
- with less than PIPE_BUF bytes of room the pipe is full for poll and for packets;
- data is consumed only after it was copied out, so a reader's bad address loses nothing.
"""

from _collections import deque
from itertools import islice

from kernel.abi.errno cimport EAGAIN, EBUSY, EFAULT, EINVAL, ENOTTY, EPERM, EPIPE, Errno
from kernel.abi.fs cimport FIONREAD, O_ACCMODE, O_DIRECT, O_RDONLY, O_WRONLY
from kernel.abi.poll cimport POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.abi.task cimport CAP_SYS_RESOURCE

cdef enum:
    PIPE_DEFAULT_SIZE = 65536
    PAGE_SIZE = 4096
    PIPE_BUF = 4096
    SMALL_SIZE = 8192                    # what a new pipe has when there are very many
    MANY = 64 << 20                      # total capacity from which on new pipes are small (fs.pipe-user-pages-soft)
    TOO_MANY = 256 << 20                 # and beyond which none can grow

cdef Py_ssize_t total_capacity = 0         # of all pipes that have an open end: bytes that the kernel may have to hold
cdef Py_ssize_t pipe_max_size = 1048576     # /proc/sys/fs/pipe-max-size: bytes an unprivileged process may ask for


def get_max_size():
    """/proc/sys/fs/pipe-max-size."""
    return pipe_max_size


def set_max_size(Py_ssize_t size):
    """Change it: rounded up to a power of two of pages."""
    global pipe_max_size
    pipe_max_size = PAGE_SIZE
    while pipe_max_size < size:
        pipe_max_size *= 2


cdef class Packet:
    """What one write with O_DIRECT left."""


cdef class Pipe:
    """The bytes and the count of ends; the ends are PipeFiles."""

    def __cinit__(self):
        self.chunks = deque()
        self.capacity = PIPE_DEFAULT_SIZE
        self.waiters = WaitQueue()

    cdef long read(self, UserBuffer buf) except? -1:
        """Move bytes into buf: the count, 0 at the end (no writers), -EAGAIN. A packet is taken whole, its tail is lost."""
        cdef Py_ssize_t want = buf.left(), count, room = self.room()
        if want == 0:
            return 0
        if self.queued == 0:
            return -EAGAIN if self.writers else 0
        if isinstance(self.chunks[0], Packet):
            count = buf.put(chunk_data(self.chunks[0])[self.offset:self.offset + want])
            self.drop_first()
        else:
            count = buf.put(self.first(want))
            self.consume(count)
        self.wake_writers(room)
        return count

    cdef long write(self, UserBuffer buf, bint packets) except? -1:
        """Take bytes from buf: the count (short if the pipe is full), -EAGAIN, -EPIPE without readers."""
        cdef Py_ssize_t want = buf.left(), room = self.room()
        cdef bytes data
        if want == 0:
            return 0
        if self.readers == 0:
            return -EPIPE
        if packets:
            return self.write_packets(buf)
        if room <= 0 or (room < want and want <= PIPE_BUF and buf.done == 0):
            return -EAGAIN
        want = min(room, want)
        data = buf.take(want)
        if len(data) < want:             # a bad address: whole pages before it are written, as Linux does
            data = data[:len(data) // PAGE_SIZE * PAGE_SIZE]
            if not data:
                return -EFAULT
        self.append(data)
        self.waiters.wake(POLLIN | POLLRDNORM, 1)
        return len(data)

    cdef long write_packets(self, UserBuffer buf) except? -1:
        """Each PIPE_BUF bytes of a write with O_DIRECT are a packet, which takes a page of the capacity."""
        cdef Packet packet
        cdef long total = 0
        while buf.left() and self.room() >= PAGE_SIZE:
            packet = Packet.__new__(Packet)
            packet.data = buf.take(min(PIPE_BUF, buf.left()))
            self.chunks.append(packet)
            self.used += PAGE_SIZE
            self.queued += len(packet.data)
            total += len(packet.data)
        if total == 0:
            return -EAGAIN
        self.waiters.wake(POLLIN | POLLRDNORM, 1)
        return total

    cpdef Py_ssize_t room(self) noexcept:
        """Bytes that still fit."""
        return self.capacity - self.used

    cpdef int append(self, data) except -1:
        """Put bytes at the end, whatever the capacity; the caller has looked at room() and wakes the queue."""
        self.chunks.append(data)
        self.used += len(data)
        self.queued += len(data)
        return 0

    cpdef list peek(self, Py_ssize_t count):
        """The first `count` bytes, or fewer, as a list of bytes objects; nothing is consumed."""
        parts = []
        offset = self.offset
        for chunk in self.chunks:
            if count <= 0:
                break
            part = chunk_data(chunk)[offset:offset + count]
            offset = 0
            count -= len(part)
            parts.append(part)
        return parts

    cpdef Py_ssize_t consume(self, Py_ssize_t count) except -1:
        """Drop `count` bytes from the front: how many were there. The caller wakes writers."""
        cdef Py_ssize_t left = count, length
        while left > 0 and self.chunks:
            head = self.chunks[0]
            length = len(chunk_data(head)) - self.offset
            if left >= length:
                left -= length
                self.drop_first()
            else:
                self.offset += left
                self.queued -= left
                if not isinstance(head, Packet):
                    self.used -= left
                left = 0
        return count - left

    cdef void drop_first(self):
        cdef Py_ssize_t length
        head = self.chunks.popleft()
        length = len(chunk_data(head)) - self.offset
        self.queued -= length
        self.used -= PAGE_SIZE if isinstance(head, Packet) else length
        self.offset = 0

    cdef bytes first(self, Py_ssize_t count):
        """Up to `count` bytes, joined from the chunks in front of the first packet."""
        cdef bytes head = self.chunks[0]
        cdef Py_ssize_t length = len(head) - self.offset
        if length >= count or len(self.chunks) == 1:
            return head if self.offset == 0 and length <= count else head[self.offset:self.offset + count]
        parts = [head[self.offset:] if self.offset else head]
        count -= length
        for chunk in islice(self.chunks, 1, None):
            if count <= 0 or isinstance(chunk, Packet):
                break
            parts.append(chunk if len(<bytes> chunk) <= count else (<bytes> chunk)[:count])
            count -= len(<bytes> chunk)
        return b"".join(parts)

    cpdef wake_writers(self, Py_ssize_t room_before):
        """After bytes were taken: who found the pipe full looks again."""
        if room_before < PIPE_BUF:
            self.waiters.wake(POLLOUT | POLLWRNORM)

    cpdef long set_capacity(self, unsigned long size, bint privileged) except? -1:
        """F_SETPIPE_SZ: rounds up to a power of two of pages and returns the new capacity. EINVAL, EPERM, EBUSY."""
        global total_capacity
        cdef Py_ssize_t rounded = PAGE_SIZE
        if size == 0 or size > 1UL << 31:
            return -EINVAL
        while rounded < <Py_ssize_t> size:
            rounded *= 2
        if rounded > self.capacity and rounded > pipe_max_size and not privileged:
            return -EPERM
        if rounded < self.used:
            return -EBUSY
        if rounded > self.capacity and total_capacity + rounded - self.capacity > TOO_MANY:
            return -EPERM
        room = self.room()
        total_capacity += rounded - self.capacity
        self.capacity = rounded
        self.wake_writers(room)
        return rounded

    cpdef open_end(self, unsigned int flags):
        """An end was opened with these flags: counts it and tells opens that wait for it."""
        global total_capacity
        cdef unsigned int access = flags & O_ACCMODE
        if self.readers == 0 and self.writers == 0:
            self.capacity = PIPE_DEFAULT_SIZE if total_capacity < MANY else SMALL_SIZE
            total_capacity += self.capacity
        if access != O_WRONLY:
            self.readers += 1
            self.reader_opens += 1
        if access != O_RDONLY:
            self.writers += 1
            self.writer_opens += 1
        self.waiters.wake(0xffffffff)

    cpdef close_end(self, unsigned int flags):
        """An end was closed: hang-up for the other side. Without ends the bytes are gone."""
        global total_capacity
        cdef unsigned int access = flags & O_ACCMODE
        if access != O_WRONLY:
            self.readers -= 1
            if self.readers == 0:
                self.waiters.wake(POLLERR | POLLOUT | POLLWRNORM)
        if access != O_RDONLY:
            self.writers -= 1
            if self.writers == 0:
                self.waiters.wake(POLLHUP | POLLIN | POLLRDNORM)
        if self.readers == 0 and self.writers == 0:
            self.chunks.clear()
            self.offset = self.used = self.queued = 0
            total_capacity -= self.capacity


cdef bytes chunk_data(object chunk):
    return (<Packet> chunk).data if isinstance(chunk, Packet) else chunk


cdef PipeFile pipe_end(AnonInode inode, Pipe pipe, unsigned int flags):
    """A new file of a pipe that has no name."""
    cdef PipeFile file = PipeFile.__new__(PipeFile)
    file.begin(inode, pipe, flags)
    file.path = inode.path
    return file


cdef class PipeFile(File):
    """One end of a pipe, or a fifo opened for both."""

    def __init__(self, inode, Pipe pipe, unsigned int flags):
        self.begin(inode, pipe, flags)

    cdef int begin(self, object inode, Pipe pipe, unsigned int flags) except -1:
        """Become a file of the pipe."""
        self.inode = inode
        self.pipe = pipe
        self.flags = flags
        self.waiters = pipe.waiters
        self.seen_writers = pipe.writer_opens
        pipe.open_end(flags)
        return 0

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return self.pipe.read(buf)

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        return self.pipe.write(buf, self.flags & O_DIRECT != 0)

    cpdef unsigned int poll(self) except? 0xffffffff:
        """A reader hangs up when the last writer has gone, a writer has an error when the last reader has."""
        cdef unsigned int ready = 0, access = self.flags & O_ACCMODE
        if access != O_WRONLY:
            if self.pipe.queued:
                ready |= POLLIN | POLLRDNORM
            if self.pipe.writers == 0 and self.pipe.writer_opens != self.seen_writers:
                ready |= POLLHUP
        if access != O_RDONLY:
            if self.pipe.room() >= PIPE_BUF:
                ready |= POLLOUT | POLLWRNORM
            if self.pipe.readers == 0:
                ready |= POLLERR
        return ready

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        if command == FIONREAD:
            task.copy_out(argument, (<unsigned int> self.pipe.queued).to_bytes(4, "little"))
            return 0
        raise Errno(ENOTTY)

    cpdef long get_pipe_size(self):
        """F_GETPIPE_SZ: the capacity in bytes."""
        return self.pipe.capacity

    cpdef long set_pipe_size(self, object task, unsigned long size) except? -1:
        """F_SETPIPE_SZ: the new capacity or -errno."""
        return self.pipe.set_capacity(size, task.creds.capable(CAP_SYS_RESOURCE))

    cpdef release(self):
        self.pipe.close_end(self.flags)
