# SPDX-License-Identifier: Apache-2.0
"""Fids of the file server.

Rule: a fid keeps the object it was walked to, by O_PATH descriptor, whatever happens to names. Only regular files and
directories are ever opened: no host device, no fifo.
"""

from gofer cimport libc
from gofer cimport localfs
from kernel.abi.errno cimport ELOOP, EPERM, EROFS, Errno

cdef enum:
    OPEN_FLAGS = 0o7 | 0o1000 | 0o2000 | 0o4000 | 0o10000 | 0o4010000 | 0o200000


cdef class PathFd:
    """Owns an O_PATH descriptor."""

    def __init__(self, int fd):
        self.fd = fd

    def __dealloc__(self):
        libc.close(self.fd)


cdef class Tree:
    """An attach point: the descriptor of its root becomes ours."""

    def __init__(self, int fd, read_only):
        self.root = PathFd(fd)
        self.read_only = read_only


cdef class Fid:
    """A client's handle."""

    def __init__(self, PathFd path, Tree tree, unsigned int owner):
        self.handle = -1
        self.path = path
        self.tree = tree
        self.owner = owner
        self.mode = localfs.mode_of(path.fd) & libc.S_IFMT

    def __dealloc__(self):
        if self.handle >= 0:
            libc.close(self.handle)

    cdef Fid clone(self):
        """The same object, not opened."""
        cdef Fid fid = Fid.__new__(Fid)
        fid.handle = -1
        fid.path = self.path
        fid.tree = self.tree
        fid.owner = self.owner
        fid.mode = self.mode
        fid.parent = self.parent
        fid.name = self.name
        return fid

    cdef Fid child(self, PathFd path, bytes name):
        """The fid of an entry found in this directory."""
        cdef Fid fid = Fid(path, self.tree, self.owner)
        fid.parent = self.path
        fid.name = name
        return fid

    cdef int open(self, int flags) except -1:
        """A new descriptor of a regular file or directory."""
        if self.mode == libc.S_IFLNK:
            raise Errno(ELOOP)
        if self.mode != libc.S_IFREG and self.mode != libc.S_IFDIR:
            raise Errno(EPERM)
        if self.tree.read_only and (flags & libc.O_ACCMODE != libc.O_RDONLY or flags & libc.O_TRUNC):
            raise Errno(EROFS)
        return localfs.reopen(self.path.fd, flags & OPEN_FLAGS)

    cdef int may_change(self) except -1:
        """EROFS on a tree that is attached read-only."""
        if self.tree.read_only:
            raise Errno(EROFS)
        return 0
