# SPDX-License-Identifier: Apache-2.0
"""Contents of regular files: in the heap up to 64 KiB, then, or as soon as somebody maps them, in a memfd.

The memfd is never mapped here. Everything that allocates is charged to the file system's quota, in pages: the heap by its length, the
memfd by what the host has allocated (pages that guests touch through mappings are noticed late). The budget of the whole sandbox
(kernel.mm.budget) is charged as well. When either, or the host, has no memory: ENOSPC.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport EINTR, ENXIO as HOST_ENXIO, errno as host_errno
from libc.string cimport memcpy, memset
from posix.unistd cimport close, ftruncate, lseek, off_t

from kernel.abi.errno cimport EACCES, ENOMEM, ENOSPC, ENXIO, Errno
from kernel.mm cimport budget

cdef extern from "Python.h":
    enum:
        PyBUF_READ

cdef extern from "<sys/mman.h>" nogil:
    int memfd_create(const char *name, unsigned int flags)
    enum:
        MFD_CLOEXEC
        MFD_ALLOW_SEALING

cdef extern from "<fcntl.h>" nogil:
    int fallocate(int fd, int mode, off_t offset, off_t length)
    enum:
        FALLOC_FL_KEEP_SIZE
        FALLOC_FL_PUNCH_HOLE

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buf, size_t count, off_t offset)
    ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset)
    enum:
        SEEK_DATA
        SEEK_HOLE

cdef extern from "<sys/stat.h>" nogil:
    struct stat_t "stat":
        off_t st_blocks

cdef extern from "<sys/syscall.h>" nogil:
    long syscall(long number, ...)
    enum:
        SYS_fstat                        # libc's fstat is newfstatat, which the kernel's own jail refuses

cdef enum:
    PAGE = 4096
    HEAP_MAX = 65536
    CHUNK = 262144                       # bytes copied at once

cdef object reopen_read_only = None
ZEROS = bytes(CHUNK)


def set_reopen_read_only(function):
    """At boot: function(memfd) -> a descriptor of the same object that has no right to write (the sentry itself can't open files)."""
    global reopen_read_only
    reopen_read_only = function


cdef class Quota:
    """Pages of one file system."""

    def __init__(self, long long limit=0):
        self.limit = limit

    cdef long long room(self) except? -1:
        """Here and in the budget."""
        return min(self.limit - self.used, budget.room()) if self.limit else budget.room()


cdef class Storage:
    """A sparse array of bytes."""

    def __init__(self, Quota quota):
        self.quota = quota
        self.heap = bytearray()
        self.memfd = self.read_only_memfd = -1

    def __dealloc__(self):
        if self.memfd >= 0:
            budget.leave(self.memfd)
            close(self.memfd)
        else:
            budget.take(-self.pages)
        if self.read_only_memfd >= 0:
            close(self.read_only_memfd)
        if self.quota is not None:
            self.quota.used -= self.pages

    cdef long read(self, UserBuffer buf, long long pos) except? -1:
        """Bytes from pos into buf: how many, 0 at the end."""
        cdef Py_ssize_t count = buf.left(), stored, got
        cdef bytes chunk
        if pos >= self.size or count <= 0:
            return 0
        count = min(min(count, CHUNK), self.size - pos)
        if self.heap is None:
            chunk = PyBytes_FromStringAndSize(NULL, count)
            got = pread(self.memfd, PyBytes_AS_STRING(chunk), count, pos)
            if got < 0:
                return -host_errno
            return buf.put(chunk if got == count else chunk[:got])
        stored = min(count, max(len(self.heap) - pos, 0))
        got = 0
        if stored:
            got = buf.put(PyMemoryView_FromMemory(PyByteArray_AS_STRING(self.heap) + pos, stored, PyBUF_READ))
        if got == stored and stored < count:
            got += buf.put(memoryview(ZEROS)[:count - stored])
        return got

    cdef long write(self, UserBuffer buf, long long pos) except? -1:
        """Bytes from buf to pos: how many; ENOSPC."""
        cdef Py_ssize_t count = min(buf.left(), CHUNK)
        if count <= 0:
            return 0
        if self.heap is not None and pos + count > HEAP_MAX:
            self.to_memfd()
        if self.heap is not None:
            return self.write_heap(buf, pos, count)
        return self.write_memfd(buf, pos, count)

    cdef long write_heap(self, UserBuffer buf, long long pos, Py_ssize_t count) except? -1:
        cdef long long most = (self.pages + self.quota.room()) * PAGE
        cdef bytes chunk
        if pos + count > most and pages_of(pos + count) > self.pages:
            if pos >= most:
                return -ENOSPC
            count = most - pos
        chunk = buf.take(count)
        count = len(chunk)
        if pos + count > len(self.heap):
            grow(self, pos + count)
        memcpy(PyByteArray_AS_STRING(self.heap) + pos, PyBytes_AS_STRING(chunk), count)
        self.size = max(self.size, pos + count)
        return count

    cdef long write_memfd(self, UserBuffer buf, long long pos, Py_ssize_t count) except? -1:
        cdef long long first = pos // PAGE, end = pages_of(pos + count)
        cdef bytes chunk
        cdef ssize_t put
        if end - first > self.quota.room():
            while end > first and self.missing_pages(first * PAGE, (end - first) * PAGE) > self.quota.room():
                end -= 1
            count = min(count, end * PAGE - pos)
            if count <= 0:
                return -ENOSPC
        chunk = buf.take(count)
        put = pwrite(self.memfd, PyBytes_AS_STRING(chunk), len(chunk), pos)
        while put < 0 and host_errno == EINTR:
            put = pwrite(self.memfd, PyBytes_AS_STRING(chunk), len(chunk), pos)
        if put < 0:
            return -(ENOSPC if host_errno == ENOMEM else host_errno)
        self.size = max(self.size, pos + put)
        self.recount()
        return put

    cdef int charge(self, long long pages) except -1:
        """The file takes `pages` from now on; ENOSPC if the quota hasn't got them."""
        if pages - self.pages > self.quota.room():
            raise Errno(ENOSPC)
        budget.take(pages - self.pages)
        self.quota.used += pages - self.pages
        self.pages = pages
        return 0

    cdef int recount(self) except -1:
        """Charge what the memfd takes by now: it is there, so the quota may be exceeded by what guests touched."""
        cdef stat_t attributes
        if syscall(SYS_fstat, self.memfd, &attributes) == 0:
            self.quota.used += attributes.st_blocks // (PAGE // 512) - self.pages
            self.pages = attributes.st_blocks // (PAGE // 512)
            budget.counted(self.memfd, self.pages)
        return 0

    cdef long long missing_pages(self, long long pos, long long count) except -1:
        """Pages of the range that the memfd hasn't allocated."""
        cdef long long end = pos + count, missing = 0, hole, data
        while pos < end:
            hole = lseek(self.memfd, pos, SEEK_HOLE)
            hole = pos if hole < 0 else min(hole, end)
            data = lseek(self.memfd, hole, SEEK_DATA)
            data = end if data < 0 else min(data, end)
            missing += pages_of(data) - hole // PAGE
            pos = max(data, pos + PAGE)
        return missing

    cpdef truncate(self, long long size):
        """Set the size: the rest is freed, or reads as zeros."""
        if self.heap is not None:
            if size < len(self.heap):
                del self.heap[size:]
                self.charge(pages_of(len(self.heap)))
        else:
            if ftruncate(self.memfd, size) < 0:
                raise Errno(host_errno)
            self.recount()
        self.size = size

    cpdef check_room(self, long long pos, long long count):
        """ENOSPC if the range can't be backed by memory; it is a memfd then."""
        self.to_memfd()
        if self.missing_pages(pos, count) > self.quota.room():
            raise Errno(ENOSPC)

    cpdef allocate(self, long long pos, long long count):
        """Make sure that the range is backed by memory. Doesn't change the size."""
        self.check_room(pos, count)
        if fallocate(self.memfd, FALLOC_FL_KEEP_SIZE, pos, count) < 0:
            raise Errno(ENOSPC if host_errno == ENOMEM else host_errno)
        self.recount()

    cpdef punch(self, long long pos, long long count):
        """The range reads as zeros; whole pages are freed."""
        cdef long long end
        if self.heap is not None:
            end = min(pos + count, <long long> len(self.heap))
            if pos < end:
                memset(PyByteArray_AS_STRING(self.heap) + pos, 0, end - pos)
            return
        if fallocate(self.memfd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, pos, count) < 0:
            raise Errno(host_errno)
        self.recount()

    cpdef long long next_data(self, long long pos) except -2:
        """SEEK_DATA; ENXIO behind the last."""
        cdef long long found
        if self.heap is not None:
            if pos >= len(self.heap):
                raise Errno(ENXIO)
            return pos
        found = lseek(self.memfd, pos, SEEK_DATA)
        if found < 0:
            raise Errno(ENXIO if host_errno == HOST_ENXIO else host_errno)
        return found

    cpdef long long next_hole(self, long long pos) except -2:
        """SEEK_HOLE; ENXIO behind the end."""
        cdef long long found
        if pos >= self.size:
            raise Errno(ENXIO)
        if self.heap is not None:
            return max(pos, <long long> len(self.heap))
        found = lseek(self.memfd, pos, SEEK_HOLE)
        if found < 0:
            raise Errno(host_errno)
        return found

    cpdef to_memfd(self):
        """Move the contents to a memfd, for good."""
        cdef int fd
        if self.heap is None:
            return
        fd = memfd_create(b"tmpfs", MFD_CLOEXEC | MFD_ALLOW_SEALING)
        if fd < 0:
            raise Errno(ENOSPC)
        if ftruncate(fd, self.size) < 0 or pwrite(fd, PyByteArray_AS_STRING(self.heap), len(self.heap), 0) < len(self.heap):
            close(fd)
            raise Errno(ENOSPC)
        budget.take(-self.pages)
        self.memfd = fd
        self.heap = None
        self.recount()

    cpdef int descriptor(self, bint writable, bint shared) except -1:
        """The memfd, to map from: without the right to write unless `writable`.

        Before the read-only twin can be had, a private mapping gets the memfd itself: EACCES for a shared one.
        """
        self.to_memfd()
        budget.may_touch(self.size - self.pages * PAGE)
        if writable:
            return self.memfd
        if self.read_only_memfd < 0 and reopen_read_only is not None:
            self.read_only_memfd = reopen_read_only(self.memfd)
        if self.read_only_memfd >= 0:
            return self.read_only_memfd
        if shared:
            raise Errno(EACCES)
        return self.memfd


cdef grow(Storage storage, Py_ssize_t length):
    """Make the heap longer, with zeros."""
    storage.charge(pages_of(length))
    storage.heap.extend(bytes(length - len(storage.heap)))


cdef long long pages_of(long long size):
    return (size + PAGE - 1) // PAGE
