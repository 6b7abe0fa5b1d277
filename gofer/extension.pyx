# SPDX-License-Identifier: Apache-2.0
"""Handlers of the extension "9P2000.L.runsc1": fewer round trips, and descriptors for the client to use directly.

Rule: a donated descriptor is of a regular file, and its access mode is the one asked for; a directory's never leaves,
since who has it could open what lies below.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from gofer cimport libc
from gofer cimport localfs
from gofer.fid cimport Fid, PathFd
from gofer.server cimport Server
from gofer.wire cimport ATTR_SIZE, HEADER, Attr
from kernel.abi.errno cimport EINVAL, EXDEV, Errno

from gofer.messages import NOOPEN as NO_OPEN

cdef unsigned int NOOPEN = NO_OPEN


cdef class ExtendedServer(Server):
    """A session that also speaks the extension, if the client does."""

    def Twalkattr(self, number, new_number, bytes name, unsigned int flags):
        """Walk one name (none: clone), its attributes and device; a descriptor too unless flags are NOOPEN."""
        cdef Attr attr
        fid = self.fid(number).clone()
        if name:
            fid.path = PathFd(localfs.open_child(fid.path.fd, name))
            fid.parent = None
        dev = localfs.get_attr(fid.path.fd, &attr)
        fid.mode = attr.mode & libc.S_IFMT
        self.set_fid(new_number, fid)
        if flags != NOOPEN and fid.mode == libc.S_IFREG:
            try:
                self.donation = fid.open(flags & libc.O_ACCMODE)
            except Errno:
                del self.fids[new_number]
                raise
        return PyBytes_FromStringAndSize(<char *> &attr, ATTR_SIZE), dev

    def Tdonate(self, number, unsigned int flags):
        """A descriptor of the regular file."""
        fid = self.fid(number)
        if fid.mode != libc.S_IFREG:
            raise Errno(EINVAL)
        self.donation = fid.open(flags & libc.O_ACCMODE)
        return ()

    def Tmake(self, number, new_number, bytes name, unsigned int mode, rdev, uid, gid, bytes target, unsigned int flags):
        """A new object of any type, its owner, its fid; a regular file's descriptor unless flags are NOOPEN."""
        directory = self.fid(number)
        directory.may_change()
        cdef int handle = -1
        if mode & libc.S_IFMT == libc.S_IFREG:
            handle = localfs.create_file(directory.path.fd, name, mode, libc.O_RDWR)
        else:
            localfs.create_special(directory.path.fd, name, mode, rdev, target)
        try:
            path = PathFd(localfs.reopen(handle, libc.O_PATH) if handle >= 0 else localfs.open_child(directory.path.fd, name))
            localfs.own(path.fd, uid, gid, mode)
            fid = Fid(path, directory.tree, directory.owner)
            self.set_fid(new_number, fid)
            values = attributes(fid)
        except Errno:
            if handle >= 0:
                libc.close(handle)
            if name:
                localfs.unlink(directory.path.fd, name, libc.AT_REMOVEDIR if mode & libc.S_IFMT == libc.S_IFDIR else 0)
            raise
        if handle >= 0 and flags != NOOPEN:
            self.donation = handle
        elif handle >= 0:
            libc.close(handle)
        return values

    def Trename2(self, old_number, bytes old_name, new_number, bytes new_name, unsigned int flags):
        """renameat2(2)."""
        cdef Fid old = self.fid(old_number), new = self.fid(new_number)
        old.may_change()
        if old.tree is not new.tree:
            raise Errno(EXDEV)
        localfs.rename(old.path.fd, old_name, new.path.fd, new_name, flags)
        return ()

    def Tclunks(self, bytes numbers):
        """Forget many fids; those that don't exist are passed over, and there is no reply."""
        cdef Py_ssize_t at
        cdef unsigned int number = 0
        for at in range(0, PyBytes_GET_SIZE(numbers) - 3, 4):
            memcpy(&number, PyBytes_AS_STRING(numbers) + at, 4)
            self.fids.pop(number, None)

    def Tfsync(self, number, bint datasync):
        """Of a directory too, which nobody has opened."""
        cdef int result
        cdef Fid fid = self.fid(number)
        if fid.handle >= 0 or fid.mode != libc.S_IFDIR:
            return Server.Tfsync(self, number, datasync)
        cdef int handle = fid.open(libc.O_RDONLY)
        with nogil:
            result = libc.fdatasync(handle) if datasync else libc.fsync(handle)
        libc.close(handle)
        if result < 0:
            localfs.fail()
        return ()

    def Tsyncfs(self, number):
        """Write back the file system that the fid is on."""
        cdef int result
        cdef int handle = self.fid(number).open(libc.O_RDONLY)
        with nogil:
            result = libc.syncfs(handle)
        libc.close(handle)
        if result < 0:
            localfs.fail()
        return ()

    def Treopen(self):
        """The memfd that came with the request, read-only."""
        if self.given < 0:
            raise Errno(EINVAL)
        given, self.given = self.given, -1
        try:
            if localfs.mode_of(given) & libc.S_IFMT != libc.S_IFREG:
                raise Errno(EINVAL)
            self.donation = localfs.reopen(given, libc.O_RDONLY)
        finally:
            libc.close(given)
        return ()

    def Tlist(self, number, new_number, bytes name, unsigned long offset, unsigned int count, bint with_attributes):
        """Walk one name (none: stay) and list that directory from offset on; it is open from the first listing to the last."""
        cdef Fid fid = self.fid(number)
        cdef bytes entries, more = b""
        if name:
            fid = fid.child(PathFd(localfs.open_child(fid.path.fd, name)), name)
            fid.parent = None
        if fid.handle < 0:
            fid.handle = fid.open(libc.O_RDONLY)
            fid.position = 0
        entries = self.entries(fid, offset, count, with_attributes)
        if entries and PyBytes_GET_SIZE(entries) < <Py_ssize_t> self.msize // 2:
            more = self.entries(fid, fid.position, self.msize // 2 - HEADER - 5, with_attributes)
        if not more and PyBytes_GET_SIZE(entries) < <Py_ssize_t> self.msize // 2:
            libc.close(fid.handle)
            fid.handle = -1
        if name:
            self.set_fid(new_number, fid)
        return entries + more, fid.handle < 0

    def Tgetxattr(self, number, bytes name):
        """The value; without a name the list."""
        fd = self.fid(number).path.fd
        return (localfs.get_xattr(fd, name) if name else localfs.list_xattr(fd),)

    def Tsetxattr(self, number, bytes name, bytes value, flags):
        """setxattr(2)."""
        fid = self.fid(number)
        fid.may_change()
        localfs.set_xattr(fid.path.fd, name, value, flags)
        return ()

    def Tremovexattr(self, number, bytes name):
        """removexattr(2)."""
        fid = self.fid(number)
        fid.may_change()
        localfs.remove_xattr(fid.path.fd, name)
        return ()


cdef tuple attributes(Fid fid):
    cdef Attr attr
    dev = localfs.get_attr(fid.path.fd, &attr)
    return PyBytes_FromStringAndSize(<char *> &attr, ATTR_SIZE), dev
