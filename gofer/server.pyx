# SPDX-License-Identifier: Apache-2.0
"""Handlers of 9P2000.L: one method a message, named like it, its fields as arguments; the reply's fields come back.

The server does what it is asked with its own rights: users' permissions are checked by the kernel that is its client.
Deliberately absent: authentication (the socket is the right), and the older dialects' messages.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from gofer cimport libc
from gofer cimport localfs
from gofer.fid cimport Fid, PathFd, Tree
from gofer.session cimport Session
from gofer.wire cimport ATTR_SIZE, HEADER, QTDIR, QTSYMLINK, Attr
from kernel.abi.errno cimport EAGAIN, EBADF, EINVAL, EISDIR, ENOENT, ENOTDIR, EOPNOTSUPP, ERANGE, EXDEV, Errno

from gofer.messages import NOFID

cdef enum:
    MAX_WALK = 16
    XATTR_MAX = 65536
    XATTR_REPLACE = 2
    LOCK_BLOCKED = 1
    MAX_OFFSET = 0x7fffffffffffffff


cdef class Server(Session):
    """A session that speaks 9P2000.L."""

    cdef Fid opened(self, unsigned int number):
        """A fid that Tlopen or Tlcreate opened."""
        fid = self.fid(number)
        if fid.handle < 0:
            raise Errno(EBADF)
        return fid

    def Tattach(self, number, afid, uname, bytes aname, unsigned int n_uname):
        """The root of a tree; aname is the tree's number, empty for the first."""
        if afid != NOFID or not (aname == b"" or aname == b"/" or aname.isdigit() and len(aname) < 6):
            raise Errno(EINVAL)
        index = int(aname) if aname.isdigit() else 0
        if index >= len(self.trees):
            raise Errno(ENOENT)
        cdef Tree tree = self.trees[index]
        fid = Fid(tree.root, tree, 0 if n_uname == <unsigned int> 0xffffffff else n_uname)
        self.set_fid(number, fid)
        return (qid_of(fid.path),)

    def Tflush(self, oldtag):
        return ()

    def Twalk(self, number, new_number, list names):
        """Walk up to 16 names; a partial walk tells how far it came and sets no fid."""
        cdef Fid fid = self.fid(number).clone()
        if len(names) > MAX_WALK:
            raise Errno(EINVAL)
        qids = []
        for name in names:
            try:
                fid = walk_one(fid, name)
            except Errno:
                if not qids:
                    raise
                return (qids,)
            qids.append(qid_of(fid.path))
        if new_number == number:
            del self.fids[number]
        self.set_fid(new_number, fid)
        return (qids,)

    def Tclunk(self, number):
        """Forget a fid; an attribute that was written to it is set now."""
        fid = self.fid(number)
        del self.fids[number]
        if fid.pending_xattr is not None:
            name, size, flags, value = fid.pending_xattr
            if len(value) != size:
                raise Errno(EINVAL)
            if size == 0 and flags & XATTR_REPLACE:
                localfs.remove_xattr(fid.path.fd, name)
            else:
                localfs.set_xattr(fid.path.fd, name, bytes(value), flags)
        return ()

    def Tremove(self, number):
        """Remove the object and forget the fid, whether or not that worked."""
        fid = self.fid(number)
        del self.fids[number]
        fid.may_change()
        check_still_there(fid)
        localfs.unlink(fid.parent.fd, fid.name, libc.AT_REMOVEDIR if fid.mode == libc.S_IFDIR else 0)
        return ()

    def Tgetattr(self, number, mask):
        cdef Attr attr
        localfs.get_attr(self.fid(number).path.fd, &attr)
        return (PyBytes_FromStringAndSize(<char *> &attr, ATTR_SIZE),)

    def Tsetattr(self, number, valid, *values):
        fid = self.fid(number)
        fid.may_change()
        localfs.set_attr(fid.path.fd, valid, values)
        return ()

    def Tstatfs(self, number):
        return localfs.stat_fs(self.fid(number).path.fd)

    def Treadlink(self, number):
        fid = self.fid(number)
        if fid.mode != libc.S_IFLNK:
            raise Errno(EINVAL)
        return (localfs.read_link(fid.path.fd),)

    def Tlopen(self, number, unsigned int flags):
        fid = self.fid(number)
        if fid.handle >= 0:
            raise Errno(EBADF)
        fid.handle = fid.open(flags)
        return qid_of(fid.path), 0

    def Tlcreate(self, number, bytes name, unsigned int flags, unsigned int mode, unsigned int gid):
        """Create and open; the fid becomes the file's."""
        cdef Fid directory = self.fid(number)
        directory.may_change()
        if not name or directory.handle >= 0:
            raise Errno(EINVAL)
        handle = localfs.create_file(directory.path.fd, name, mode, flags & (libc.O_ACCMODE | libc.O_APPEND))
        try:
            fid = directory.child(PathFd(localfs.reopen(handle, libc.O_PATH)), name)
            localfs.own(handle, fid.owner, gid, mode | libc.S_IFREG)
        except Errno:
            libc.close(handle)
            raise
        fid.handle = handle
        self.fids[number] = fid
        return qid_of(fid.path), 0

    def Tread(self, number, unsigned long offset, unsigned int count):
        cdef Py_ssize_t got
        fid = self.fid(number)
        count = min(count, self.msize - HEADER - 4)
        if offset > MAX_OFFSET:
            raise Errno(EINVAL)
        if fid.xattr is not None:
            return (fid.xattr[min(offset, <unsigned long> XATTR_MAX):][:count],)
        if fid.mode == libc.S_IFDIR:
            raise Errno(EISDIR)
        fid = self.opened(number)
        cdef bytes data = PyBytes_FromStringAndSize(NULL, count)
        cdef char *start = PyBytes_AS_STRING(data)
        with nogil:
            got = libc.pread(fid.handle, start, count, offset)
        if got < 0:
            localfs.fail()
        return (data[:got],)

    def Twrite(self, number, unsigned long offset, bytes data):
        cdef Py_ssize_t done, size = PyBytes_GET_SIZE(data)
        cdef const char *start = PyBytes_AS_STRING(data)
        fid = self.fid(number)
        if fid.pending_xattr is not None:
            return (write_xattr(fid.pending_xattr, offset, data),)
        if offset > MAX_OFFSET:
            raise Errno(EINVAL)
        fid = self.opened(number)
        with nogil:
            done = libc.pwrite(fid.handle, start, size, offset)
        if done < 0:
            localfs.fail()
        return (done,)

    def Treaddir(self, number, unsigned long offset, unsigned int count):
        """Entries from offset on, of an opened directory."""
        return (self.entries(self.opened(number), offset, count, False),)

    cdef bytes entries(self, Fid fid, unsigned long offset, unsigned int count, bint with_attributes):
        """At most count bytes, and as many as a reply can have."""
        if fid.mode != libc.S_IFDIR:
            raise Errno(ENOTDIR)
        if offset != <unsigned long> fid.position:
            if libc.lseek(fid.handle, offset, libc.SEEK_SET) < 0:
                localfs.fail()
            fid.position = offset
        return localfs.list_directory(fid.handle, min(count, self.msize - HEADER - 5), with_attributes, &fid.position)

    def Tfsync(self, number, bint datasync):
        cdef int result
        fid = self.opened(number)
        with nogil:
            result = libc.fdatasync(fid.handle) if datasync else libc.fsync(fid.handle)
        if result < 0:
            localfs.fail()
        return ()

    def Tmkdir(self, number, name, unsigned int mode, gid):
        return self.made(self.fid(number), name, mode & 0o7777 | libc.S_IFDIR, 0, gid, b"")

    def Tmknod(self, number, name, unsigned int mode, major, minor, gid):
        return self.made(self.fid(number), name, mode, libc.makedev(major, minor), gid, b"")

    def Tsymlink(self, number, name, target, gid):
        return self.made(self.fid(number), name, 0o777 | libc.S_IFLNK, 0, gid, target)

    cdef tuple made(self, Fid directory, bytes name, unsigned int mode, unsigned long rdev, unsigned int gid, bytes target):
        directory.may_change()
        if mode & libc.S_IFMT == libc.S_IFREG or mode & libc.S_IFMT == 0:
            libc.close(localfs.create_file(directory.path.fd, name or b".", mode, libc.O_WRONLY))
        else:
            localfs.create_special(directory.path.fd, name, mode, rdev, target)
        cdef PathFd path = PathFd(localfs.open_child(directory.path.fd, name))
        localfs.own(path.fd, directory.owner, gid, mode)
        return (qid_of(path),)

    def Tlink(self, directory_number, number, name):
        directory = self.fid(directory_number)
        fid = self.fid(number)
        directory.may_change()
        if fid.tree is not directory.tree:
            raise Errno(EXDEV)
        localfs.link(fid.path.fd, directory.path.fd, name)
        return ()

    def Tunlinkat(self, number, name, unsigned int flags):
        directory = self.fid(number)
        directory.may_change()
        localfs.unlink(directory.path.fd, name, flags)
        return ()

    def Trenameat(self, old_number, old_name, new_number, new_name):
        rename(self.fid(old_number), old_name, self.fid(new_number), new_name, 0)
        return ()

    def Trename(self, number, directory_number, name):
        cdef Fid fid = self.fid(number), directory = self.fid(directory_number)
        fid.may_change()
        check_still_there(fid)
        if fid.tree is not directory.tree:
            raise Errno(EXDEV)
        localfs.rename(fid.parent.fd, fid.name, directory.path.fd, name, 0)
        fid.parent = directory.path
        fid.name = name
        return ()

    def Txattrwalk(self, number, new_number, bytes name):
        """A fid that reads an attribute, or without a name the list of them."""
        fid = self.fid(number).clone()
        fid.xattr = localfs.get_xattr(fid.path.fd, name) if name else localfs.list_xattr(fid.path.fd)
        self.set_fid(new_number, fid)
        return (len(fid.xattr),)

    def Txattrcreate(self, number, bytes name, size, flags):
        """The fid takes an attribute's value by Twrite, to be set when it is clunked."""
        fid = self.fid(number)
        fid.may_change()
        if size > XATTR_MAX:
            raise Errno(ERANGE)
        fid.pending_xattr = (name, size, flags, bytearray())
        return ()

    def Tlock(self, number, kind, flags, start, length, proc_id, client_id):
        """A lock of the open file on the host; never waits: the client asks again."""
        if lock(self.opened(number), kind, start, length, libc.F_OFD_SETLK) is None:
            return (LOCK_BLOCKED,)
        return (0,)

    def Tgetlock(self, number, kind, start, length, proc_id, client_id):
        kind, start, length = lock(self.opened(number), kind, start, length, libc.F_OFD_GETLK)
        return kind, start, length, proc_id, client_id


cdef tuple qid_of(PathFd path):
    cdef libc.stat s
    if libc.fstat(path.fd, &s) < 0:
        localfs.fail()
    kind = s.st_mode & libc.S_IFMT
    return QTDIR if kind == libc.S_IFDIR else QTSYMLINK if kind == libc.S_IFLNK else 0, 0, s.st_ino


cdef Fid walk_one(Fid fid, bytes name):
    if name == b"..":
        return Fid(PathFd(localfs.open_parent(fid.path.fd, fid.tree.root.fd)), fid.tree, fid.owner)
    return fid.child(PathFd(localfs.open_child(fid.path.fd, name)), name)


cdef int check_still_there(Fid fid) except -1:
    """The name that the fid was walked by still means its object. ENOENT; EOPNOTSUPP without a name."""
    cdef libc.stat here, there
    if fid.parent is None:
        raise Errno(EOPNOTSUPP)
    cdef PathFd child = PathFd(localfs.open_child(fid.parent.fd, fid.name))
    if libc.fstat(child.fd, &there) < 0 or libc.fstat(fid.path.fd, &here) < 0:
        localfs.fail()
    if here.st_ino != there.st_ino or here.st_dev != there.st_dev:
        raise Errno(ENOENT)
    return 0


cdef rename(Fid old, bytes old_name, Fid new, bytes new_name, unsigned int flags):
    old.may_change()
    if old.tree is not new.tree:
        raise Errno(EXDEV)
    localfs.rename(old.path.fd, old_name, new.path.fd, new_name, flags)


cdef object write_xattr(tuple pending, unsigned long offset, bytes data):
    _name, size, _flags, value = pending
    if offset != len(value) or offset + len(data) > size:
        raise Errno(EINVAL)
    value += data
    return len(data)


cdef tuple lock(Fid fid, int kind, unsigned long start, unsigned long length, int command):
    """(type, start, length) that is there now; None if another holds it."""
    cdef libc.flock request
    if kind > libc.F_UNLCK or start > MAX_OFFSET or length > MAX_OFFSET:
        raise Errno(EINVAL)
    request.l_type = kind
    request.l_whence = libc.SEEK_SET
    request.l_start = start
    request.l_len = length
    request.l_pid = 0
    if libc.fcntl(fid.handle, command, &request) < 0:
        if libc.errno == EAGAIN:
            return None
        localfs.fail()
    return request.l_type, request.l_start, request.l_len
