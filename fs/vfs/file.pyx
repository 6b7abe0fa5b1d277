# SPDX-License-Identifier: Apache-2.0
"""Open file descriptions.

Rules for every kind of file:
- read and write return a count, or a negative error number, or raise Errno. A file that would block returns -EAGAIN,
  always, whatever O_NONBLOCK says: the system call decides whether to wait on `poll_queue()`.
- `pos` is the position to use; a seekable file never touches self.pos itself, the caller does. Streams ignore it.
- write with O_APPEND: the file kind ignores pos, appends, and sets self.pos.
- whoever changes readiness wakes the queue with the POLL* bits that became true.
- `get` and `put` count references; at zero `release` runs, once. `flush`-like work at close(2) of one descriptor
  (POSIX locks) is done by FdTable.
"""

from kernel.abi.errno cimport EINVAL, ENODEV, ENOTTY, EOPNOTSUPP, ESPIPE, Errno
from kernel.abi.fs cimport IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, O_ACCMODE, O_PATH, O_RDONLY

from fs.vfs.inode cimport Inode
from fs.vfs.notify cimport notify_path

POLLIN_OUT_RDNORM_WRNORM = 0x145


cdef class File:
    """An open file description; a kind of file overrides what it can do."""

    def __cinit__(self):
        self.refs = 1
        self.waiters = WaitQueue()

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        """Put up to buf.left() bytes from `pos` into buf: the count, 0 at the end of the file, or -errno."""
        return -EINVAL

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        """Take bytes from buf and write them at `pos`: the count or -errno."""
        return -EINVAL

    cpdef unsigned int poll(self) except? 0xffffffff:
        """POLL* bits that are true now. Files without a notion of readiness are always ready."""
        return POLLIN_OUT_RDNORM_WRNORM

    cpdef WaitQueue poll_queue(self):
        """The queue that is woken when poll() may have changed."""
        return self.waiters

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        """ioctl(2) on this file, after the generic commands (FIONBIO, FIOCLEX...). Raises ENOTTY if unknown."""
        raise Errno(ENOTTY)

    cpdef long long seek(self, long long offset, int whence) except? -1:
        """lseek(2): moves self.pos and returns it."""
        raise Errno(ESPIPE)

    cpdef bint seekable(self):
        """Has positions: pread, pwrite and lseek work."""
        return False

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        """(host descriptor, offset in it) to map from; the descriptor stays ours, its rights never exceed the file's.

        prot and flags are mmap's. Raises ENODEV if this kind can't be mapped. A kind that maps anonymous
        zero pages (/dev/zero) returns (-1, 0).
        """
        raise Errno(ENODEV)

    cpdef fsync(self, bint data_only):
        """fsync(2), fdatasync(2): what was written is safe, or will be when the HostJob that is returned is done.

        Raises EINVAL for kinds that have nothing to keep.
        """
        raise Errno(EINVAL)

    def syncfs(self):
        """syncfs(2): everything on the file's file system; None or a HostJob."""
        return self.inode.fs.sync_job()

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        """fallocate(2): FALLOC_FL_* checked for contradictions by the caller; None or a HostJob. EOPNOTSUPP if this kind can't."""
        raise Errno(EOPNOTSUPP)

    cpdef release(self):
        """The last reference went: give back what the description holds."""

    cpdef object get(self):
        """One more reference; returns the file."""
        self.refs += 1
        return self

    cpdef put(self):
        """One reference less; releases at zero."""
        self.refs -= 1
        if self.refs == 0:
            if self.epolls is not None:
                for item in list(self.epolls):
                    item.file_released()
            self.let_go()
            self.release()

    cdef int let_go(self) except -1:
        """What the description held of its inode: locks, the right to write, a place on the watch list."""
        cdef Inode inode
        if self.inode is None or self.flags & O_PATH:
            return 0
        inode = <Inode?> self.inode
        if self.counts_as_writer:
            inode.writers -= 1
        if self.denies_writers:
            inode.writers += 1
        if inode.locks is not None:
            inode.locks.drop_file(self)
        if self.path is not None:
            notify_path(self.path, IN_CLOSE_NOWRITE if self.flags & O_ACCMODE == O_RDONLY else IN_CLOSE_WRITE)
        return 0
