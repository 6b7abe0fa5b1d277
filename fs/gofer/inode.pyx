# SPDX-License-Identifier: Apache-2.0
"""Inodes of a tree that the gofer serves, written through.

Rules: an inode is a fid, and one host object is one inode while it lives (hard links). An exclusive tree's attributes
are believed until we change them ourselves; a shared tree's are asked for again, after a moment. While a donated descriptor
is at hand the host is asked directly. Descriptors are shared by the files of an inode, one for each access mode,
and kept for a while after the last close: on an exclusive tree only.
"""

from _weakref import ref as weak_reference
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from posix.resource cimport RLIMIT_NOFILE, getrlimit, rlimit
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from fs.gofer.connection cimport Connection, HostHandle
from fs.gofer.file cimport gofer_file
from fs.vfs.dentry cimport bound_cache
from fs.vfs.file cimport File
from fs.vfs.inode cimport FileSystem, Inode
from fs.vfs.permission cimport new_owner
from gofer cimport libc
from gofer.wire cimport Attr, Cursor, DirEntry, Known, Layout, layout_of, take
from kernel.abi.errno cimport EACCES, EINVAL, EIO, ENODATA, ENOENT, ENXIO, EPERM, Errno
from kernel.sync.pool cimport SYNCFS, host_job
from kernel.abi.fs cimport (
    AT_REMOVEDIR, O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY, RENAME_EXCHANGE, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG,
)

from gofer.messages import NOFID, NOOPEN
from gofer.wire import WireError, number_of

cdef enum:
    SET_MODE = 0x1
    SET_UID = 0x2
    SET_GID = 0x4
    SET_SIZE = 0x8
    SET_ATIME = 0x90                     # with ..._TO: the time given
    SET_MTIME = 0x120
    SHARED_FRESH_NS = 1000000            # a walk's attributes serve the call that walked
    MAX_IDLE = 512
    MAX_ENTRIES = 4000000
    MAX_KNOWN = 16384

cdef Layout T_ATTACH = layout_of(number_of("Tattach"))
cdef Layout T_WALKATTR = layout_of(number_of("Twalkattr"))
cdef Layout T_MAKE = layout_of(number_of("Tmake"))
cdef Layout T_DONATE = layout_of(number_of("Tdonate"))
cdef Layout T_LINK = layout_of(number_of("Tlink"))
cdef Layout T_UNLINKAT = layout_of(number_of("Tunlinkat"))
cdef Layout T_RENAME2 = layout_of(number_of("Trename2"))
cdef Layout T_READLINK = layout_of(number_of("Treadlink"))
cdef Layout T_LIST = layout_of(number_of("Tlist"))
cdef Layout T_GETATTR = layout_of(number_of("Tgetattr"))
cdef Layout T_SETATTR = layout_of(number_of("Tsetattr"))
cdef Layout T_STATFS = layout_of(number_of("Tstatfs"))
cdef Layout T_FSYNC = layout_of(number_of("Tfsync"))
cdef Layout T_SYNCFS = layout_of(number_of("Tsyncfs"))
cdef Layout T_GETXATTR = layout_of(number_of("Tgetxattr"))
cdef Layout T_SETXATTR = layout_of(number_of("Tsetxattr"))
cdef Layout T_REMOVEXATTR = layout_of(number_of("Tremovexattr"))


class InodeRef(weak_reference):
    """Knows what to give back when its inode is gone."""

    __slots__ = ("fs", "key", "fid")


def forget_inode(ref):
    """An inode died: the gofer may forget its fid."""
    cdef GoferFileSystem fs = ref.fs
    if fs.inodes.get(ref.key) is ref:
        del fs.inodes[ref.key]
    if ref.fid:
        fs.connection.forget(ref.fid)


cdef class GoferFileSystem(FileSystem):
    """An attached tree; `aname` is its number at the gofer."""

    def __init__(self, Connection connection, bytes aname, *, exclusive, read_only=False, source="none"):
        FileSystem.__init__(self, "9p", source, read_only)
        self.connection = connection
        self.exclusive = exclusive
        self.cache_dentries = exclusive
        self.inodes = {}
        self.idle = {}
        bound_cache(own_descriptor_limit() // 2)    # a fid costs the gofer a descriptor, and its limit is ours
        fid = connection.new_fid()
        self.call(T_ATTACH, (fid, NOFID, b"", aname, NOFID))
        root_fid = connection.new_fid()
        self.root = self.adopt(root_fid, self.call(T_WALKATTR, (fid, root_fid, b"", NOOPEN)))
        connection.forget(fid)

    cdef tuple call(self, Layout request, tuple values):
        return self.connection.call(request, values)

    cdef GoferInode call_for_inode(self, Layout request, unsigned int fid, tuple values):
        """A call whose reply is attributes, for the object that `fid` now stands for."""
        try:
            reply = self.connection.call(request, values)
        except Errno:
            self.connection.free_fids.append(fid)
            raise
        return self.adopt(fid, reply)

    cdef GoferInode adopt(self, unsigned int fid, tuple reply):
        """The inode of a new fid: one that we know already, or a new one."""
        inode = self.inode_for(fid, <const Attr *> PyBytes_AS_STRING(<bytes> reply[0]), reply[1])
        inode.fill(<const Attr *> PyBytes_AS_STRING(<bytes> reply[0]))
        return inode

    cdef GoferInode inode_for(self, unsigned int fid, const Attr *attr, unsigned long dev):
        """The inode of a host object; fid is 0 if none was walked to it."""
        cdef GoferInode inode
        key = (dev, attr.qid_path)
        ref = self.inodes.get(key)
        inode = ref() if ref is not None else None
        if inode is None:
            inode = GoferInode(self, attr.qid_path, attr.mode)
            inode.host_dev = dev
            inode.fill(attr)
            ref = InodeRef(inode, forget_inode)
            ref.fs = self
            ref.key = key
            ref.fid = 0
            self.inodes[key] = ref
        elif inode.fid and fid:
            self.connection.forget(fid)
            return inode
        if fid:
            inode.fid = ref.fid = fid
        return inode

    cdef void forget_number(self, GoferInode gone):
        """The host may give the number of an object without a name, which no fid holds, to another."""
        self.inodes.pop((gone.host_dev, gone.ino), None)

    cdef void keep_idle(self, HostHandle handle):
        """Nobody uses the descriptor now: close it after a while."""
        self.idle[handle] = None
        if len(self.idle) > MAX_IDLE:
            oldest = next(iter(self.idle))
            del self.idle[oldest]
            (<HostHandle> oldest).close()

    cpdef dict statfs(self):
        names = ("type", "bsize", "blocks", "bfree", "bavail", "files", "ffree", "fsid", "namelen")
        fields = dict(zip(names, self.call(T_STATFS, ((<GoferInode> self.root).fid,))))
        fields["frsize"] = fields["bsize"]
        return fields

    cpdef sync(self):
        self.call(T_SYNCFS, ((<GoferInode> self.root).fid,))

    def sync_job(self):
        """For the pool if a descriptor is at hand; nothing was written without one."""
        if self.latest is not None and self.latest.fd >= 0:
            return host_job(SYNCFS, self.latest.fd)
        self.sync()


cdef class GoferInode(Inode):
    """An object on the host."""

    cpdef Inode lookup(self, bytes name):
        if self.known_entries is not None and name in self.known_entries:
            return self.known_entry(name)
        fid = (<GoferFileSystem> self.fs).connection.new_fid()
        return (<GoferFileSystem> self.fs).call_for_inode(T_WALKATTR, fid, (self.walked(), fid, name, NOOPEN))

    cdef GoferInode known_entry(self, bytes name):
        """The entry as it was listed. An inode that lives knows better."""
        cdef const Known *known
        raw = self.known_entries.pop(name)
        known = <const Known *> PyBytes_AS_STRING(<bytes> raw)
        inode = (<GoferFileSystem> self.fs).inode_for(0, &known.attr, known.dev)
        if not inode.fid:
            inode.parent = self
            inode.name = name
        return inode

    cdef unsigned int walked(self) except? 0:
        """The fid; the gofer is asked for it when it is needed first. ENOENT if the name went before that."""
        cdef GoferFileSystem fs = self.fs
        if not self.fid:
            if self.parent is None:
                raise Errno(ENOENT)
            fid = fs.connection.new_fid()
            if fs.call_for_inode(T_WALKATTR, fid, (self.parent.walked(), fid, self.name, NOOPEN)) is not self:
                raise Errno(EIO)
            self.parent = None
        return self.fid

    cpdef Inode create(self, bytes name, unsigned int mode, object creds):
        return self.make(name, mode & 0o7777 | S_IFREG, 0, creds, b"")

    cpdef Inode tmpfile(self, unsigned int mode, object creds):
        inode = self.make(b"", mode & 0o7777 | S_IFREG, 0, creds, b"")
        inode.nlink = 0
        return inode

    cpdef Inode mkdir(self, bytes name, unsigned int mode, object creds):
        return self.make(name, mode & 0o7777 | S_IFDIR, 0, creds, b"")

    cpdef Inode mknod(self, bytes name, unsigned int mode, unsigned long rdev, object creds):
        return self.make(name, mode, rdev, creds, b"")

    cpdef Inode symlink(self, bytes name, bytes target, object creds):
        inode = self.make(name, 0o777 | S_IFLNK, 0, creds, target)
        inode.target = target
        return inode

    cdef GoferInode make(self, bytes name, unsigned int mode, unsigned long rdev, object creds, bytes target):
        """A new object; a regular file's descriptor is kept for the open that follows."""
        cdef GoferFileSystem fs = self.fs
        cdef GoferInode inode
        uid, gid, mode = new_owner(self, mode, creds)
        fid = fs.connection.new_fid()
        inode = fs.call_for_inode(T_MAKE, fid, (self.walked(), fid, name, mode, rdev, uid, gid, target, O_RDWR))
        self.stale = True
        inode.both = fs.connection.take_donation()
        if inode.both is not None:
            fs.keep_idle(inode.both)
        inode.xattr_names = [] if fs.exclusive and mode & S_IFMT == S_IFLNK else None
        return inode

    cpdef link(self, bytes name, Inode inode):
        (<GoferFileSystem> self.fs).call(T_LINK, (self.walked(), (<GoferInode?> inode).walked(), name))
        inode.nlink += 1
        self.stale = (<GoferInode> inode).stale = True

    cpdef unlink(self, bytes name, Inode inode):
        (<GoferFileSystem> self.fs).call(T_UNLINKAT, (self.walked(), name, 0))
        self.stale = True
        (<GoferInode?> inode).lost_name()

    cpdef rmdir(self, bytes name, Inode inode):
        (<GoferFileSystem> self.fs).call(T_UNLINKAT, (self.walked(), name, AT_REMOVEDIR))
        self.stale = True
        self.nlink -= self.nlink > 2
        (<GoferInode?> inode).lost_name()

    cpdef rename(self, bytes name, Inode inode, Inode new_parent, bytes new_name, Inode replaced, unsigned int flags):
        cdef GoferInode parent = <GoferInode?> new_parent, moved = <GoferInode?> inode
        (<GoferFileSystem> self.fs).call(T_RENAME2, (self.walked(), name, parent.walked(), new_name, flags))
        self.stale = parent.stale = moved.stale = True
        if moved.parent is not None:
            moved.parent, moved.name = parent, new_name
        if flags & RENAME_EXCHANGE and (<GoferInode?> replaced).parent is not None:
            (<GoferInode> replaced).parent, (<GoferInode> replaced).name = self, name
        if replaced is not None and replaced is not inode and not flags & RENAME_EXCHANGE:
            (<GoferInode?> replaced).lost_name()

    cdef void lost_name(self):
        """A name was removed. Without any name left, the idle descriptors must not keep the space."""
        self.stale = self.fid != 0
        if self.mode & S_IFMT == S_IFDIR:
            self.nlink = 0
        elif self.nlink > 0:
            self.nlink -= 1
        if self.nlink == 0:
            self.parent = None
            self.drop_handles()
        if self.nlink == 0 and not self.fid:
            (<GoferFileSystem> self.fs).forget_number(self)

    cpdef bytes readlink(self, object task):
        if self.target is None:
            if self.mode & S_IFMT != S_IFLNK:
                raise Errno(EINVAL)
            self.target = (<GoferFileSystem> self.fs).call(T_READLINK, (self.walked(),))[0]
        return self.target

    cpdef File open(self, object task, unsigned int flags):
        cdef unsigned int kind = self.mode & S_IFMT
        if kind == S_IFREG:
            file = gofer_file(self, self.handle_for(flags & O_ACCMODE))
        elif kind == S_IFDIR:
            file = File()
        else:
            raise Errno(ENXIO)
        file.inode = self
        file.flags = flags
        return file

    cdef HostHandle handle_for(self, unsigned int flags):
        """A descriptor with exactly these rights (for O_WRONLY, also reading)."""
        cdef HostHandle handle = self.reading if flags == O_RDONLY else self.both
        if flags == O_WRONLY and (handle is None or handle.fd < 0):
            handle = self.writing
        if handle is None or handle.fd < 0:
            try:
                handle = self.ask_handle(O_RDONLY if flags == O_RDONLY else O_RDWR)
            except Errno as error:
                if flags != O_WRONLY or (<Errno> error).number not in (EACCES, EPERM):
                    raise
                handle = self.ask_handle(O_WRONLY)
        if handle.users == 0:
            (<GoferFileSystem> self.fs).idle.pop(handle, None)
        (<GoferFileSystem> self.fs).latest = handle
        return handle

    cdef HostHandle ask_handle(self, unsigned int access):
        cdef Connection connection = (<GoferFileSystem> self.fs).connection
        connection.call(T_DONATE, (self.walked(), access))
        handle = connection.take_donation()
        if handle is None:
            raise Errno(EIO)
        if access == O_RDONLY:
            self.reading = handle
        elif access == O_WRONLY:
            self.writing = handle
        else:
            self.both = handle
        return handle

    cdef void drop_handles(self):
        """Close the descriptors that no file uses."""
        cdef HostHandle handle
        for handle in (self.reading, self.writing, self.both):
            if handle is not None and handle.users == 0:
                (<GoferFileSystem> self.fs).idle.pop(handle, None)
                handle.close()

    cpdef list readdir(self):
        cdef Cursor cursor
        cdef unsigned long offset = 0
        cdef list entries = []
        cdef bint is_complete = False
        self.known_entries = {} if (<GoferFileSystem> self.fs).exclusive else None
        while not is_complete and len(entries) < MAX_ENTRIES:
            data, is_complete = self.list_from(offset)
            cursor.at = <const unsigned char *> PyBytes_AS_STRING(data)
            cursor.end = cursor.at + PyBytes_GET_SIZE(data)
            try:
                while cursor.at != cursor.end:
                    offset = self.take_entry(&cursor, entries)
            except WireError:
                raise Errno(EIO)
        return entries

    cdef tuple list_from(self, unsigned long offset):
        """(entries, whether these are the last); walks to the directory by the same message if nobody did before."""
        cdef GoferFileSystem fs = self.fs
        with_attributes = self.known_entries is not None
        if self.fid or self.parent is None:
            return fs.call(T_LIST, (self.walked(), NOFID, b"", offset, 0xffffffff, with_attributes))
        fid = fs.connection.new_fid()
        try:
            reply = fs.call(T_LIST, (self.parent.walked(), fid, self.name, offset, 0xffffffff, with_attributes))
        except Errno:
            fs.connection.free_fids.append(fid)
            raise
        self.fid = fs.inodes[(self.host_dev, self.ino)].fid = fid
        self.parent = None
        return reply

    cdef unsigned long take_entry(self, Cursor *cursor, list entries) except? 0:
        """One entry of a listing; returns the offset of the next."""
        cdef const DirEntry *entry = <const DirEntry *> take(cursor, sizeof(DirEntry))
        cdef const unsigned char *text = take(cursor, entry.name_length)
        cdef const Known *known = NULL
        cdef bytes name = text[:entry.name_length]
        if self.known_entries is not None:
            known = <const Known *> take(cursor, sizeof(Known))
        if name == b"." or name == b"..":
            return entry.offset
        entries.append((name, entry.qid_path, <unsigned int> entry.type << 12))
        if known != NULL and self.may_believe(known):
            self.known_entries[name] = (<const char *> known)[:sizeof(Known)]
        return entry.offset

    cdef bint may_believe(self, const Known *known):
        """Nobody can change the entry before it is looked up: it has no other name, and no inode that is in use."""
        if not known.attr.valid or (known.attr.nlink != 1 and known.attr.mode & S_IFMT != S_IFDIR):
            return False
        return len(self.known_entries) < MAX_KNOWN and (known.dev, known.attr.qid_path) not in (<GoferFileSystem> self.fs).inodes

    def fsync(self, data_only):
        """Of a directory: its names are safe."""
        (<GoferFileSystem> self.fs).call(T_FSYNC, (self.walked(), data_only))

    cpdef refresh(self):
        """From the host if a descriptor is at hand, otherwise from the gofer if it may know better. Who only reads changes nothing."""
        cdef int fd
        cdef bint shared = not (<GoferFileSystem> self.fs).exclusive
        if not shared and not self.stale and self.both is None and self.writing is None:
            return
        fd = self.host_fd()
        if fd >= 0:
            self.fill_from_host(fd)
        if shared and self.told_ctime_ns != self.ctime_ns or fd < 0 and (
                self.stale or shared and now_ns() - self.fresh_ns > SHARED_FRESH_NS):
            raw = (<GoferFileSystem> self.fs).call(T_GETATTR, (self.walked(), 0xfff))[0]
            self.fill(<const Attr *> PyBytes_AS_STRING(<bytes> raw))

    cdef int host_fd(self):
        """A donated descriptor that is open; -1."""
        if self.both is not None and self.both.fd >= 0:
            return self.both.fd
        if self.reading is not None and self.reading.fd >= 0:
            return self.reading.fd
        return self.writing.fd if self.writing is not None else -1

    cdef void fill(self, const Attr *attr):
        """Take over what the gofer told."""
        self.mode = attr.mode & ~S_IFMT | self.mode & S_IFMT
        self.nlink = attr.nlink
        self.uid = attr.uid
        self.gid = attr.gid
        self.rdev = attr.rdev
        self.size = attr.size & 0x7fffffffffffffff
        self.blocks = attr.blocks
        self.blksize = attr.blksize
        self.atime_ns = attr.atime_sec * 1000000000 + attr.atime_nsec
        self.mtime_ns = attr.mtime_sec * 1000000000 + attr.mtime_nsec
        self.ctime_ns = attr.ctime_sec * 1000000000 + attr.ctime_nsec
        self.btime_ns = attr.btime_sec * 1000000000 + attr.btime_nsec
        self.told_ctime_ns = self.ctime_ns
        self.fresh_ns = now_ns()
        self.stale = False

    cdef int fill_from_host(self, int fd) except -1:
        """Take over what fstat(2) of a donated descriptor tells. Not the owner: our user namespace does not know the users."""
        cdef libc.stat s
        if libc.fstat(fd, &s) < 0:
            raise Errno(libc.errno)
        self.mode = s.st_mode & ~S_IFMT | self.mode & S_IFMT
        self.nlink = s.st_nlink
        self.size = s.st_size
        self.blocks = s.st_blocks
        self.atime_ns = s.st_atim.tv_sec * 1000000000 + s.st_atim.tv_nsec
        self.mtime_ns = s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec
        self.ctime_ns = s.st_ctim.tv_sec * 1000000000 + s.st_ctim.tv_nsec
        self.stale = False
        return 0

    cpdef setattr(self, dict changes):
        cdef unsigned int valid = 0
        atime, mtime = changes.get("atime_ns", 0), changes.get("mtime_ns", 0)
        for key, bit in (("mode", SET_MODE), ("uid", SET_UID), ("gid", SET_GID), ("size", SET_SIZE),
                         ("atime_ns", SET_ATIME), ("mtime_ns", SET_MTIME)):
            if key in changes:
                valid |= bit
        if not valid:
            return
        if valid == SET_SIZE and self.both is not None and self.both.fd >= 0:
            if libc.ftruncate(self.both.fd, changes["size"]) < 0:
                raise Errno(libc.errno)
        else:
            seconds = 0xffffffffffffffff
            (<GoferFileSystem> self.fs).call(T_SETATTR, (
                self.walked(), valid, changes.get("mode", 0) & 0o7777, changes.get("uid", 0), changes.get("gid", 0),
                changes.get("size", 0), atime // 1000000000 & seconds, atime % 1000000000,
                mtime // 1000000000 & seconds, mtime % 1000000000))
        self.uid = changes.get("uid", self.uid)
        self.gid = changes.get("gid", self.gid)
        self.stale = True
        self.refresh()

    cpdef bytes getxattr(self, bytes name):
        if (<GoferFileSystem> self.fs).exclusive and name not in self.attribute_names() and not name.startswith(b"trusted."):
            raise Errno(ENODATA)
        return (<GoferFileSystem> self.fs).call(T_GETXATTR, (self.walked(), name))[0]

    cpdef setxattr(self, bytes name, bytes value, int flags):
        self.xattr_names = None
        self.stale = True
        (<GoferFileSystem> self.fs).call(T_SETXATTR, (self.walked(), name, value, flags & 3))

    cpdef removexattr(self, bytes name):
        self.xattr_names = None
        self.stale = True
        (<GoferFileSystem> self.fs).call(T_REMOVEXATTR, (self.walked(), name))

    cpdef list listxattr(self):
        return list(self.attribute_names())

    cdef list attribute_names(self):
        if self.xattr_names is not None:
            return self.xattr_names
        names = (<GoferFileSystem> self.fs).call(T_GETXATTR, (self.walked(), b""))[0].split(b"\0")[:-1]
        if (<GoferFileSystem> self.fs).exclusive:
            self.xattr_names = names
        return names


cdef Py_ssize_t own_descriptor_limit() noexcept:
    cdef rlimit limit
    return <Py_ssize_t> min(limit.rlim_cur, 1 << 20) if getrlimit(RLIMIT_NOFILE, &limit) == 0 else 1024


cdef long long now_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000000000 + now.tv_nsec
