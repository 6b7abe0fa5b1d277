# SPDX-License-Identifier: Apache-2.0
"""ShmemFile: the memory of one MAP_SHARED|MAP_ANONYMOUS mapping (or System V segment), one memfd of the host.

The memfd can neither shrink nor grow, so that nobody gets SIGBUS by another's doing. The kernel never maps it.
"""

from libc.errno cimport errno
from posix.unistd cimport close, ftruncate

from fs.vfs.inode cimport FileSystem, Inode
from kernel.abi.errno cimport EINVAL, Errno
from kernel.mm cimport budget

cdef extern from "<sys/mman.h>" nogil:
    int memfd_create(const char *name, unsigned int flags)

cdef extern from "<fcntl.h>" nogil:
    int fcntl(int fd, int command, ...)
    int host_fallocate "fallocate"(int fd, int mode, long long offset, long long length)

cdef enum:
    MFD_CLOEXEC = 1
    MFD_ALLOW_SEALING = 2
    F_ADD_SEALS = 1033
    F_SEAL_SEAL = 1
    F_SEAL_SHRINK = 2
    F_SEAL_GROW = 4
    O_RDWR = 2
    S_IFREG_777 = 0o100777

cdef FileSystem shm_mount = None         # the kernel's own tmpfs, as Linux's shm_mnt
cdef unsigned long last_ino = 1024


cdef class ShmemFile(File):
    """Zeroes of a fixed size that whoever maps it shares."""

    def __init__(self, unsigned long size, str title="/dev/zero (deleted)"):
        self.fd = -1
        self.size, self.title = size, title
        self.flags = O_RDWR
        self.inode = new_inode(size)
        if size > 0x7ffffffffffff000:
            raise Errno(EINVAL)
        budget.may_touch(size)
        self.fd = memfd_create(b"shmem", MFD_CLOEXEC | MFD_ALLOW_SEALING)
        if self.fd < 0:
            raise Errno(errno)
        budget.adopt(self.fd)
        if ftruncate(self.fd, <long> size) or fcntl(self.fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW):
            raise Errno(errno)

    def __dealloc__(self):
        if self.fd >= 0:
            budget.leave(self.fd)
            close(self.fd)

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        """The memfd itself."""
        return (self.fd, offset)

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        """MADV_REMOVE: the pages read as zeroes again."""
        if host_fallocate(self.fd, mode, offset, length):
            raise Errno(errno)

    cpdef release(self):
        budget.leave(self.fd)
        close(self.fd)
        self.fd = -1


cdef Inode new_inode(unsigned long size):
    """A nameless regular file of the kernel's own tmpfs."""
    global shm_mount, last_ino
    if shm_mount is None:
        shm_mount = FileSystem("tmpfs")
    last_ino += 1
    inode = Inode(shm_mount, last_ino, S_IFREG_777)
    inode.size, inode.nlink = size, 0
    return inode
