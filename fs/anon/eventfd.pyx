# SPDX-License-Identifier: Apache-2.0
"""Event counters (eventfd(2))."""

from libc.string cimport memcpy

from fs.anon.inode cimport anon_inode
from fs.vfs.file cimport File
from kernel.abi.errno cimport EAGAIN, EINVAL
from kernel.abi.fs cimport O_RDWR
from kernel.abi.poll cimport POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.mm.userbuffer cimport UserBuffer

cdef unsigned long COUNT_MAX = 0xffffffffffffffff       # never reached by write: the highest value that can be is one less


cdef class EventFd(File):
    """A 64-bit counter: write adds, read takes all of it, or 1 of a semaphore."""

    cdef readonly unsigned long count
    cdef readonly bint semaphore

    def __init__(self, unsigned long count, bint semaphore, unsigned int flags=0):
        self.inode = anon_inode(b"[eventfd]")
        self.path = self.inode.path
        self.flags = O_RDWR | flags
        self.count = count
        self.semaphore = semaphore

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        """8 bytes: EINVAL for less, -EAGAIN while the counter is 0."""
        cdef unsigned long value = 1 if self.semaphore else self.count
        if buf.left() < 8:
            return -EINVAL
        if self.count == 0:
            return -EAGAIN
        buf.put((<char *> &value)[:8])
        self.count -= value
        self.waiters.wake(POLLOUT | POLLWRNORM)
        return 8

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        """8 bytes are added: -EAGAIN if the sum would not fit, EINVAL for all bits set."""
        cdef unsigned long value = 0
        cdef bytes data
        if buf.left() < 8:
            return -EINVAL
        data = buf.take(8)
        memcpy(&value, <const char *> data, len(data))
        if value == COUNT_MAX:
            return -EINVAL
        if COUNT_MAX - self.count <= value:
            return -EAGAIN
        self.add(value)
        return 8

    cpdef add(self, unsigned long value):
        """Add to the counter, up to its maximum; wakes readers."""
        self.count += min(value, COUNT_MAX - self.count)
        self.waiters.wake(POLLIN | POLLRDNORM)

    cpdef unsigned int poll(self) except? 0xffffffff:
        """Readable above 0, writable if 1 can be added, POLLERR at the overflow that only the kernel can cause."""
        cdef unsigned int ready = 0
        if self.count > 0:
            ready |= POLLIN | POLLRDNORM
        if self.count == COUNT_MAX:
            ready |= POLLERR
        if self.count < COUNT_MAX - 1:
            ready |= POLLOUT | POLLWRNORM
        return ready
