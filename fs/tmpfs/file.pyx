# SPDX-License-Identifier: Apache-2.0
"""Open regular files of tmpfs, and memfds: reading, writing, mapping, holes.

Permission to read or write was checked by whoever opened the file, the set-id bits and RLIMIT_FSIZE by the system call.
"""

from _functools import partial

from kernel.abi.errno cimport EINVAL, ENXIO, EOPNOTSUPP, EPERM, Errno
from kernel.abi.fs cimport (
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_WRITE, O_ACCMODE,
    O_APPEND, O_RDONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
)
from kernel.abi.mm cimport MAP_SHARED, PROT_WRITE
from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.pool cimport FALLOCATE, HostJob, host_job

from fs.tmpfs.inode cimport TmpfsRegular
from fs.vfs.atime cimport touch_atime
from fs.vfs.inode cimport now_ns

cdef enum:
    LONG = 1 << 20                       # bytes to allocate that take the host too long

cdef long long SIZE_MAX = 0x7fffffffffffffff


cdef class TmpfsFile(File):
    """An open file whose contents are a Storage."""

    def __init__(self, inode):
        self.inode = inode

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef TmpfsRegular inode = self.inode
        cdef long total = 0, got = 0
        while True:
            try:
                got = inode.storage.read(buf, pos + total)
            except Errno:
                if total == 0:
                    raise
                break
            if got <= 0:
                break
            total += got
        if buf.count:
            touch_atime(self)
        return total if total else got

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef TmpfsRegular inode = self.inode
        cdef long total = 0, put = 0
        if self.flags & O_APPEND:
            pos = inode.size
        if buf.left() == 0:
            return 0
        if pos > SIZE_MAX - buf.left():
            return -EINVAL
        if inode.seals:
            check_seals(inode, pos + buf.left())
        while True:
            try:
                put = inode.storage.write(buf, pos + total)
            except Errno:
                if total == 0:
                    raise
                break
            if put <= 0:
                break
            total += put
        if total:
            inode.set_size(inode.storage.size)
            inode.mtime_ns = inode.ctime_ns = now_ns()
            if self.flags & O_APPEND:
                self.pos = pos + total
        return total if total else put

    cpdef long long seek(self, long long offset, int whence) except? -1:
        cdef TmpfsRegular inode = self.inode
        if whence == SEEK_CUR:
            offset += self.pos
        elif whence == SEEK_END:
            offset += inode.size
        elif whence == SEEK_DATA or whence == SEEK_HOLE:
            if offset < 0 or offset >= inode.size:
                raise Errno(ENXIO)
            offset = inode.storage.next_data(offset) if whence == SEEK_DATA else inode.storage.next_hole(offset)
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if offset < 0:
            raise Errno(EINVAL)
        self.pos = offset
        return offset

    cpdef bint seekable(self):
        return True

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        cdef TmpfsRegular inode = self.inode
        cdef bint shared = flags & MAP_SHARED != 0
        cdef bint sealed = inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0
        if shared and prot & PROT_WRITE and sealed:
            raise Errno(EPERM)      # the host's memfd is sealed too: nobody gets a writable mapping out of its descriptor
        touch_atime(self)
        return inode.storage.descriptor(self.flags & O_ACCMODE != O_RDONLY or sealed, shared), offset

    cpdef fsync(self, bint data_only):
        """Memory is as safe as it gets."""

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        cdef TmpfsRegular inode = self.inode
        cdef long long end = offset + length
        if mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE):
            raise Errno(EOPNOTSUPP)
        if inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) and mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE):
            raise Errno(EPERM)
        if mode & FALLOC_FL_PUNCH_HOLE:
            inode.storage.punch(offset, length)
        else:
            if not mode & FALLOC_FL_KEEP_SIZE and end > inode.size and inode.seals & F_SEAL_GROW:
                raise Errno(EPERM)
            if mode & FALLOC_FL_ZERO_RANGE:
                inode.storage.punch(offset, length)
            if length >= LONG:
                return allocate_in_pool(inode, offset, length, 0 if mode & FALLOC_FL_KEEP_SIZE else end)
            inode.storage.allocate(offset, length)
            if not mode & FALLOC_FL_KEEP_SIZE and end > inode.size:
                inode.storage.truncate(end)
        inode.set_size(inode.storage.size)
        inode.mtime_ns = inode.ctime_ns = now_ns()


cdef HostJob allocate_in_pool(TmpfsRegular inode, long long offset, long long length, long long end):
    """The host clears pages at a few GB/s: a job, after which the file has at least the size `end`."""
    inode.storage.check_room(offset, length)
    job = host_job(FALLOCATE, inode.storage.memfd, offset, length, FALLOC_FL_KEEP_SIZE)
    job.after.append(partial(allocated, inode, end))
    return job


def allocated(TmpfsRegular inode, long long end):
    """The job is done."""
    inode.storage.truncate(max(end, inode.storage.size))
    inode.set_size(inode.storage.size)
    inode.mtime_ns = inode.ctime_ns = now_ns()


cdef check_seals(TmpfsRegular inode, long long end):
    """EPERM if a write up to `end` breaks a seal."""
    if inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) or end > inode.size and inode.seals & F_SEAL_GROW:
        raise Errno(EPERM)
