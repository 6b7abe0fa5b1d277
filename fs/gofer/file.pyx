# SPDX-License-Identifier: Apache-2.0
"""Open regular files of the gofer's trees: they use the donated descriptor directly.

The descriptor is shared with the inode's other files of the same access mode, so its own position and status flags are
never used: positions are explicit, O_APPEND and O_SYNC are asked for write by write.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from fs.gofer.connection cimport HostHandle
from fs.gofer.inode cimport GoferFileSystem, GoferInode
from fs.vfs.file cimport File
from gofer cimport libc
from kernel.abi.errno cimport EACCES, EINVAL, ENXIO, EOVERFLOW, Errno
from kernel.abi.fs cimport (
    O_ACCMODE, O_APPEND, O_DSYNC, O_SYNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
)
from kernel.mm.userbuffer cimport UserBuffer

cdef enum:
    CHUNK = 262144


cdef class GoferFile(File):
    """A regular file on the host."""

    def __init__(self, GoferInode inode, HostHandle handle):
        self.inode = inode
        self.handle = handle
        handle.users += 1

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t total = 0, got = 0, want
        cdef bytes data
        cdef char *start
        cdef int fd = self.handle.fd
        while buf.left():
            want = min(buf.left(), <Py_ssize_t> CHUNK)
            data = PyBytes_FromStringAndSize(NULL, want)
            start = PyBytes_AS_STRING(data)
            with nogil:
                got = libc.pread(fd, start, want, pos + total)
            if got < 0:
                return total or -libc.errno
            if got == 0:
                break
            if total:
                try:
                    want = buf.put(data if got == want else data[:got])
                except Errno:
                    break
            else:
                want = buf.put(data if got == want else data[:got])
            total += want
            if want < got or got < CHUNK:
                break
        return total

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t total = 0, done
        cdef bytes data
        cdef libc.iovec piece
        cdef int fd = self.handle.fd
        cdef int flags = self.write_flags()
        while buf.left():
            try:
                data = buf.take(min(buf.left(), <Py_ssize_t> CHUNK))
            except Errno:
                if total == 0:
                    raise
                break
            piece.iov_base = PyBytes_AS_STRING(data)
            piece.iov_len = PyBytes_GET_SIZE(data)
            with nogil:
                done = libc.pwritev2(fd, &piece, 1, pos + total, flags)
            if done < 0 and total == 0:
                return -libc.errno
            done = max(done, 0)
            buf.give_back(PyBytes_GET_SIZE(data) - done)
            total += done
            if done < PyBytes_GET_SIZE(data) or done < CHUNK:
                break
        (<GoferInode> self.inode).fill_from_host(fd)
        if self.flags & O_APPEND and total:
            self.pos = (<GoferInode> self.inode).size
        return total

    cdef int write_flags(self):
        """RWF_* for this file's status flags."""
        cdef int flags = libc.RWF_APPEND if self.flags & O_APPEND else 0
        if self.flags & O_SYNC == O_SYNC:
            return flags | libc.RWF_SYNC
        return flags | (libc.RWF_DSYNC if self.flags & O_DSYNC else 0)

    cpdef bint seekable(self):
        return True

    cpdef long long seek(self, long long offset, int whence) except? -1:
        cdef long long base = 0
        if whence == SEEK_DATA or whence == SEEK_HOLE:
            offset = libc.lseek(self.handle.fd, offset, whence) if offset >= 0 else -ENXIO
            if offset < 0:
                raise Errno(libc.errno if offset == -1 else ENXIO)
        elif whence == SEEK_CUR:
            base = self.pos
        elif whence == SEEK_END:
            (<GoferInode> self.inode).fill_from_host(self.handle.fd)
            base = (<GoferInode> self.inode).size
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if offset > 0 and base > 0x7fffffffffffffff - offset:
            raise Errno(EOVERFLOW)
        if base + offset < 0:
            raise Errno(EINVAL)
        self.pos = base + offset
        return self.pos

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        if self.flags & O_ACCMODE == O_WRONLY:
            raise Errno(EACCES)
        return self.handle.fd, offset

    cpdef fsync(self, bint data_only):
        cdef int result
        cdef int fd = self.handle.fd
        with nogil:
            result = libc.fdatasync(fd) if data_only else libc.fsync(fd)
        if result < 0:
            raise Errno(libc.errno)

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        cdef int result
        cdef int fd = self.handle.fd
        with nogil:
            result = libc.fallocate(fd, mode, offset, length)
        if result < 0:
            raise Errno(libc.errno)
        (<GoferInode> self.inode).fill_from_host(fd)

    cpdef release(self):
        """The last file closes the descriptor, or leaves it for the next one if the tree is ours alone."""
        cdef GoferInode inode = self.inode
        cdef HostHandle handle = self.handle
        handle.users -= 1
        if handle.users or handle.fd < 0:
            return
        inode.fill_from_host(handle.fd)
        if (<GoferFileSystem> inode.fs).exclusive and inode.nlink:
            (<GoferFileSystem> inode.fs).keep_idle(handle)
        else:
            handle.close()
