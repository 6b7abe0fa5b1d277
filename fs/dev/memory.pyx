# SPDX-License-Identifier: Apache-2.0
"""/dev/null, /dev/zero, /dev/full, /dev/random and /dev/urandom (null(4), full(4), random(4)). /dev/mem and /dev/kmsg are absent."""

import posix

from fs.vfs.file cimport File
from kernel.abi.errno cimport ENOSPC, ENOTTY, Errno
from kernel.mm.userbuffer cimport UserBuffer

cdef enum:
    CHUNK = 65536                        # bytes copied out at once
    MOST_ZEROES = 1 << 20                # bytes between two turns of others: whoever calls read() asks again for the rest
    MOST_RANDOM = 262144
    RNDGETENTCNT = 0x80045200
    POOL_BITS = 256

cdef bytes ZEROES = bytes(CHUNK)


cdef class MemoryDevice(File):
    """What these devices share: a position that means nothing."""

    def __init__(self, inode, unsigned int flags):
        self.inode = inode
        self.flags = flags

    cpdef bint seekable(self):
        return True

    cpdef long long seek(self, long long offset, int whence) except? -1:
        """Anything goes and leads to 0."""
        self.pos = 0
        return 0


cdef class NullFile(MemoryDevice):
    """/dev/null: reads end at once, writes vanish unread."""

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return 0

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        return buf.left()


cdef class ZeroFile(MemoryDevice):
    """/dev/zero: endless zero bytes; mapping it makes anonymous memory."""

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return put_zeroes(buf)

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        return buf.left()

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        return (-1, 0)


cdef class FullFile(MemoryDevice):
    """/dev/full: zero bytes to read, no space to write."""

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return put_zeroes(buf)

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        return -ENOSPC


cdef class RandomFile(MemoryDevice):
    """/dev/random and /dev/urandom: the host's generator; what is written is not mixed in, and only its beginning is looked at."""

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef long total = 0, count
        while buf.left() and total < MOST_RANDOM:
            count = min(CHUNK, buf.left())
            got = buf.put(posix.urandom(count))
            total += got
            if got < count:
                break
        return total

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef long count = buf.left()
        buf.take(min(CHUNK, count))
        return count

    cpdef long long seek(self, long long offset, int whence) except? -1:
        return self.pos

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        if command == RNDGETENTCNT:
            task.copy_out(argument, (<int> POOL_BITS).to_bytes(4, "little"))
            return 0
        raise Errno(ENOTTY)


cdef long put_zeroes(UserBuffer buf) except -1:
    cdef long total = 0, count, got
    while buf.left() and total < MOST_ZEROES:
        count = min(CHUNK, buf.left())
        got = buf.put(ZEROES if count == CHUNK else ZEROES[:count])
        total += got
        if got < count:
            break
    return total
