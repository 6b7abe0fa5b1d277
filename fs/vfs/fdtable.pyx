# SPDX-License-Identifier: Apache-2.0
"""Descriptor tables.

A descriptor owns one reference of its File: install takes over the caller's. The table is the owner of POSIX record locks, which go when
any descriptor of the inode is closed (fcntl(2)). Whoever shares the table counts in `users`; the last one to leave closes everything.
"""

from kernel.abi.errno cimport EBADF, EMFILE, Errno

from fs.vfs.inode cimport Inode

cdef enum:
    DEFAULT_LIMIT = 1024
    HIGHEST_LIMIT = 1048576              # fs.nr_open


cdef class FdTable:
    """Open files by number."""

    def __init__(self, int limit=DEFAULT_LIMIT):
        self.files = []
        self.close_on_exec_flags = bytearray()
        self.limit = limit
        self.users = 1

    cdef File find(self, int fd):
        if fd < 0 or fd >= len(self.files):
            return None
        return <File> self.files[fd]

    cpdef File get(self, int fd):
        """The file behind a descriptor, still owned by the table; EBADF."""
        cdef File file = self.find(fd)
        if file is None:
            raise Errno(EBADF)
        return file

    cpdef int install(self, File file, bint cloexec=False, int at_least=0) except -1:
        """Give the lowest free descriptor that is not below at_least; EMFILE (the file is let go then)."""
        cdef int fd = max(at_least, self.lowest)
        cdef int length = len(self.files)
        while fd < length and self.files[fd] is not None:
            fd += 1
        if fd >= min(self.limit, HIGHEST_LIMIT):
            file.put()
            raise Errno(EMFILE)
        self.put_in(fd, file, cloexec)
        if at_least <= self.lowest:
            self.lowest = fd + 1
        return fd

    cpdef install_at(self, int fd, File file, bint cloexec=False):
        """Put file at fd, as dup2(2): what was there is closed. EBADF beyond the limit (the file is let go then)."""
        cdef File old
        if fd < 0 or fd >= min(self.limit, HIGHEST_LIMIT):
            file.put()
            raise Errno(EBADF)
        old = self.find(fd)
        self.put_in(fd, file, cloexec)
        if old is not None:
            self.let_go(old)

    cdef put_in(self, int fd, File file, bint cloexec):
        cdef Py_ssize_t missing = fd + 1 - len(self.files)
        if missing > 0:
            self.files.extend([None] * missing)
            self.close_on_exec_flags.extend(bytes(missing))
        self.files[fd] = file
        self.close_on_exec_flags[fd] = cloexec

    cpdef File take_out(self, int fd):
        """Free a descriptor without letting its file go: the caller owns the reference. EBADF."""
        cdef File file = self.get(fd)
        self.files[fd] = None
        self.close_on_exec_flags[fd] = 0
        if fd < self.lowest:
            self.lowest = fd
        return file

    cpdef close(self, int fd):
        """close(2): EBADF. What else fails while the file is let go is reported, but the descriptor is free."""
        self.let_go(self.take_out(fd))

    cdef let_go(self, File file):
        cdef Inode inode = file.inode
        if inode is not None and inode.locks is not None:
            inode.locks.drop_owner(self)
        file.put()

    cpdef bint cloexec(self, int fd) except? -1:
        """FD_CLOEXEC is set; EBADF."""
        self.get(fd)
        return self.close_on_exec_flags[fd]

    cpdef set_cloexec(self, int fd, bint value):
        """Set or clear FD_CLOEXEC; EBADF."""
        self.get(fd)
        self.close_on_exec_flags[fd] = value

    cpdef FdTable clone(self):
        """A table of its own with the same files, for fork and unshare(CLONE_FILES)."""
        cdef FdTable copy = FdTable(self.limit)
        cdef File file
        copy.files = self.files[:]
        copy.close_on_exec_flags = self.close_on_exec_flags[:]
        copy.lowest = self.lowest
        for file in copy.files:
            if file is not None:
                file.refs += 1
        return copy

    cpdef FdTable add_user(self):
        """clone(CLONE_FILES): one more task has this table, which is returned."""
        self.users += 1
        return self

    cpdef release_user(self):
        """A task has it no longer; the last one closes everything."""
        self.users -= 1
        if self.users == 0:
            self.drop()

    cpdef bint shared(self):
        """Several tasks have it."""
        return self.users > 1

    cpdef require_room(self):
        """EMFILE if no descriptor is free: asked before anything is created for it."""
        cdef int limit = min(self.limit, HIGHEST_LIMIT)
        cdef int fd = self.lowest
        while fd < len(self.files) and self.files[fd] is not None:
            fd += 1
        self.lowest = fd
        if fd >= limit:
            raise Errno(EMFILE)

    cpdef close_on_exec(self):
        """execve(2): close what is marked."""
        cdef int fd
        for fd in range(len(self.files)):
            if self.close_on_exec_flags[fd] and self.files[fd] is not None:
                self.close(fd)

    cpdef drop(self):
        """Its last user went: close everything."""
        cdef int fd
        for fd in range(len(self.files)):
            if self.files[fd] is not None:
                try:
                    self.close(fd)
                except Errno:
                    pass
        self.files = []
        self.close_on_exec_flags = bytearray()

    cpdef list descriptors(self):
        """The numbers in use, in order."""
        return [fd for fd in range(len(self.files)) if self.files[fd] is not None]
