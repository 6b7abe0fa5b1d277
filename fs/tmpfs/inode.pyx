# SPDX-License-Identifier: Apache-2.0
"""tmpfs (tmpfs(5)): a file system in memory, for /tmp, /dev, /dev/shm, throw-away upper layers, and tests.

Everything is Python and C objects that go when nobody refers to them: an unlinked file that is open lives on by its File.
Rule: an operation that fails has changed nothing. POSIX ACLs are not kept: setting one is EOPNOTSUPP.
"""

from kernel.abi.errno cimport EEXIST, EINVAL, EMLINK, ENODATA, ENOENT, ENOSPC, ENOTEMPTY, EOPNOTSUPP, EPERM, Errno
from kernel.abi.fs cimport (
    F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, RENAME_EXCHANGE, RENAME_WHITEOUT, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, TMPFS_MAGIC,
    XATTR_CREATE, XATTR_REPLACE,
)

from fs.tmpfs.file cimport TmpfsFile
from fs.vfs.file cimport File
from fs.vfs.inode cimport now_ns
from fs.vfs.permission cimport new_owner

from fs.tmpfs.options import default_pages, parse_options, shown_options

cdef enum:
    PAGE = 4096
    ENTRY_SIZE = 20                      # what Linux adds to a directory's size for each entry
    LINK_MAX = 0x7fffffff
    XATTR_SPACE = 131072                 # names and values of one inode
    SIZE_MAX = 0x7fffffffffffffff
    PERMISSIONS = 0o7777


cdef class Tmpfs(FileSystem):
    """One instance. Options are mount(2)'s data string: size, nr_blocks, nr_inodes, mode, uid, gid."""

    def __init__(self, str options="", str source="tmpfs", str type_name="tmpfs"):
        FileSystem.__init__(self, type_name, source)
        parsed = parse_options(options)
        self.quota = Quota(default_pages())
        self.nr_inodes = self.quota.limit
        self.options = {}
        self.root = TmpfsDirectory(self, S_IFDIR | parsed.get("mode", 0o1777))
        self.root.nlink = 2
        self.root.uid, self.root.gid = parsed.get("uid", 0), parsed.get("gid", 0)
        self.configure(parsed, False)

    cpdef configure(self, dict options, bint remount):
        """Apply limits. A remount can't set them below what is used: EINVAL."""
        pages = options.get("pages", self.quota.limit)
        inodes = options.get("nr_inodes", self.nr_inodes)
        if remount and (pages and pages < self.quota.used or inodes and inodes < self.used_inodes):
            raise Errno(EINVAL)
        self.quota.limit = pages
        self.nr_inodes = inodes
        self.options.update(options)

    cpdef dict statfs(self):
        values = {"type": TMPFS_MAGIC, "bsize": PAGE, "frsize": PAGE, "namelen": 255}
        if self.quota.limit:
            free = max(self.quota.limit - self.quota.used, 0)
            values.update(blocks=self.quota.limit, bfree=free, bavail=free)
        if self.nr_inodes:
            values.update(files=self.nr_inodes, ffree=max(self.nr_inodes - self.used_inodes, 0))
        return values

    cpdef unmounted(self):
        """Give the memory back now: inodes and file system refer to each other and would wait for the garbage collector."""
        self.root_dentry = None
        (<TmpfsDirectory> self.root).entries = {}

    cpdef str show_options(self):
        return shown_options(self.options)


cdef class TmpfsInode(Inode):
    """What all kinds have in common; fifos, sockets and device nodes are nothing more."""

    def __init__(self, Tmpfs fs, unsigned int mode):
        if fs.nr_inodes and fs.used_inodes >= fs.nr_inodes:
            raise Errno(ENOSPC)
        fs.last_ino += 1
        Inode.__init__(self, fs, fs.last_ino, mode)
        fs.used_inodes += 1
        self.counted = True
        self.atime_ns = self.mtime_ns = self.ctime_ns = self.btime_ns = now_ns()

    def __dealloc__(self):
        if self.counted and self.fs is not None:
            (<Tmpfs> self.fs).used_inodes -= 1
            if (<Tmpfs> self.fs).quota is not None:    # the garbage collector may have come there first
                (<Tmpfs> self.fs).quota.used -= self.xattr_pages

    cdef int charge_xattr(self, Py_ssize_t more) except -1:
        """ENOSPC for more than XATTR_SPACE, and when the file system has no page for them."""
        cdef Quota quota = (<Tmpfs> self.fs).quota
        cdef Py_ssize_t size = self.xattr_size + more
        cdef long long pages = (size + PAGE - 1) // PAGE
        if more > 0 and (size > XATTR_SPACE or pages - self.xattr_pages > quota.room()):
            raise Errno(ENOSPC)
        quota.used += pages - self.xattr_pages
        self.xattr_size, self.xattr_pages = size, pages
        return 0

    cpdef setattr(self, dict changes):
        cdef long long now = now_ns()
        if "size" in changes:
            self.change_size(changes["size"])
            self.mtime_ns = now
        if "mode" in changes:
            self.mode = self.mode & S_IFMT | changes["mode"] & PERMISSIONS
        self.uid = changes.get("uid", self.uid)
        self.gid = changes.get("gid", self.gid)
        self.atime_ns = changes.get("atime_ns", self.atime_ns)
        self.mtime_ns = changes.get("mtime_ns", self.mtime_ns)
        self.ctime_ns = changes.get("ctime_ns", now)

    def change_size(self, size):
        """Only regular files have one that can be set."""
        raise Errno(EINVAL)

    cpdef bytes getxattr(self, bytes name):
        if self.xattrs is None or name not in self.xattrs:
            raise Errno(EOPNOTSUPP if name.startswith(b"system.") else ENODATA)
        return self.xattrs[name]

    cpdef setxattr(self, bytes name, bytes value, int flags):
        present = self.xattrs is not None and name in self.xattrs
        if name.startswith(b"system."):
            raise Errno(EOPNOTSUPP)
        if flags & XATTR_CREATE and present:
            raise Errno(EEXIST)
        if flags & XATTR_REPLACE and not present:
            raise Errno(ENODATA)
        if self.xattrs is None:
            self.xattrs = {}
        self.charge_xattr((len(name) + len(value) if not present else len(value) - len(self.xattrs[name])))
        self.xattrs[name] = value
        self.ctime_ns = now_ns()

    cpdef removexattr(self, bytes name):
        if self.xattrs is None or name not in self.xattrs:
            raise Errno(EOPNOTSUPP if name.startswith(b"system.") else ENODATA)
        self.charge_xattr(-len(name) - len(self.xattrs[name]))
        del self.xattrs[name]
        self.ctime_ns = now_ns()

    cpdef list listxattr(self):
        return list(self.xattrs or ())


cdef class TmpfsDirectory(TmpfsInode):
    """A directory: a dict."""

    def __init__(self, Tmpfs fs, unsigned int mode):
        TmpfsInode.__init__(self, fs, mode)
        self.entries = {}
        self.size = 2 * ENTRY_SIZE

    cpdef Inode lookup(self, bytes name):
        inode = self.entries.get(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    cpdef list readdir(self):
        cdef TmpfsInode inode
        return [(name, (<TmpfsInode> inode).ino, (<TmpfsInode> inode).mode & S_IFMT) for name, inode in self.entries.items()]

    cpdef Inode create(self, bytes name, unsigned int mode, object creds):
        return self.adopt(name, TmpfsRegular(self.fs, S_IFREG | mode & PERMISSIONS), creds)

    cpdef Inode mkdir(self, bytes name, unsigned int mode, object creds):
        inode = self.adopt(name, TmpfsDirectory(self.fs, S_IFDIR | mode & PERMISSIONS), creds)
        inode.nlink = 2
        self.nlink += 1
        return inode

    cpdef Inode mknod(self, bytes name, unsigned int mode, unsigned long rdev, object creds):
        inode = self.adopt(name, TmpfsInode(self.fs, mode), creds)
        inode.rdev = rdev
        return inode

    cpdef Inode symlink(self, bytes name, bytes target, object creds):
        return self.adopt(name, TmpfsSymlink(self.fs, target), creds)

    cpdef Inode tmpfile(self, unsigned int mode, object creds):
        inode = self.own(TmpfsRegular(self.fs, mode), creds)
        inode.nlink = 0
        return inode

    cpdef link(self, bytes name, Inode inode):
        if inode.nlink >= LINK_MAX:
            raise Errno(EMLINK)
        self.add(name, inode)
        inode.nlink += 1
        inode.ctime_ns = self.ctime_ns

    cpdef unlink(self, bytes name, Inode inode):
        self.drop(name)
        inode.nlink -= 1
        inode.ctime_ns = self.ctime_ns

    cpdef rmdir(self, bytes name, Inode inode):
        if (<TmpfsDirectory> inode).entries:
            raise Errno(ENOTEMPTY)
        self.drop(name)
        inode.nlink = 0
        self.nlink -= 1
        inode.ctime_ns = self.ctime_ns

    cpdef rename(self, bytes name, Inode inode, Inode new_parent, bytes new_name, Inode replaced, unsigned int flags):
        cdef TmpfsDirectory target = new_parent
        if flags & RENAME_EXCHANGE:
            exchange(self, name, inode, target, new_name, replaced)
        else:
            if replaced is not None:
                remove(target, new_name, replaced)
            whiteout = TmpfsInode(self.fs, S_IFCHR) if flags & RENAME_WHITEOUT else None
            self.drop(name)
            target.add(new_name, inode)
            move_link_count(inode, self, target)
            if whiteout is not None:
                self.add(name, whiteout)
        inode.ctime_ns = now_ns()

    cdef TmpfsInode adopt(self, bytes name, TmpfsInode inode, object creds):
        """Give a new inode its owner and its name."""
        self.own(inode, creds)
        self.add(name, inode)
        return inode

    cdef TmpfsInode own(self, TmpfsInode inode, object creds):
        inode.uid, inode.gid, inode.mode = new_owner(self, inode.mode, creds)
        return inode

    cdef add(self, bytes name, TmpfsInode inode):
        if name in self.entries:
            raise Errno(EEXIST)
        self.entries[name] = inode
        self.size += ENTRY_SIZE
        self.mtime_ns = self.ctime_ns = now_ns()

    cdef drop(self, bytes name):
        del self.entries[name]
        self.size -= ENTRY_SIZE
        self.mtime_ns = self.ctime_ns = now_ns()


cdef remove(TmpfsDirectory parent, bytes name, Inode inode):
    if inode.mode & S_IFMT == S_IFDIR:
        parent.rmdir(name, inode)
    else:
        parent.unlink(name, inode)


cdef exchange(TmpfsDirectory parent, bytes name, Inode inode, TmpfsDirectory other_parent, bytes other_name, Inode other):
    parent.entries[name] = other
    other_parent.entries[other_name] = inode
    move_link_count(inode, parent, other_parent)
    move_link_count(other, other_parent, parent)
    now = now_ns()
    parent.mtime_ns = parent.ctime_ns = other_parent.mtime_ns = other_parent.ctime_ns = other.ctime_ns = now


cdef move_link_count(Inode inode, TmpfsDirectory parent, TmpfsDirectory new_parent):
    """A directory's .. is a link to its parent."""
    if inode.mode & S_IFMT == S_IFDIR:
        parent.nlink -= 1
        new_parent.nlink += 1


cdef class TmpfsRegular(TmpfsInode):
    """A regular file."""

    def __init__(self, Tmpfs fs, unsigned int mode):
        TmpfsInode.__init__(self, fs, mode)
        self.storage = Storage(fs.quota)
        self.seals = F_SEAL_SEAL

    cpdef File open(self, object task, unsigned int flags):
        cdef TmpfsFile file = TmpfsFile.__new__(TmpfsFile)
        file.inode = self
        return file

    cpdef refresh(self):
        self.blocks = self.storage.pages * (PAGE // 512)

    def change_size(self, size):
        """truncate(2)."""
        if size < self.size and self.seals & F_SEAL_SHRINK or size > self.size and self.seals & F_SEAL_GROW:
            raise Errno(EPERM)
        self.storage.truncate(size)
        self.set_size(size)

    cdef set_size(self, long long size):
        self.size = size
        self.blocks = self.storage.pages * (PAGE // 512)


cdef class TmpfsSymlink(TmpfsInode):
    """A symbolic link."""

    def __init__(self, Tmpfs fs, bytes target):
        TmpfsInode.__init__(self, fs, S_IFLNK | 0o777)
        self.target = target
        self.size = len(target)

    cpdef bytes readlink(self, object task):
        return self.target
