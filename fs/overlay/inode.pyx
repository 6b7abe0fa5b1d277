# SPDX-License-Identifier: Apache-2.0
"""An overlay: changes go to an upper file system in memory, and the lower tree stays as it is.

Rules: an object is shown from above if it is there. Writing, changing attributes, linking and renaming copy it up first;
the inode stays the same object with the same number. What Linux keeps as whiteouts and extended attributes is an UpperRecord
here: the upper file system is ours alone and ends with us. A directory is copied up without its contents, so renaming one
is cheap. Deliberately absent: several lower layers, an upper layer that survives.
"""

from _weakref import ref as weak_reference

from fs.overlay.copy cimport copy_object
from fs.overlay.file cimport OverlayFile
from fs.vfs.file cimport File
from fs.vfs.inode cimport FileSystem, Inode, now_ns
from kernel.abi.errno cimport ENOENT, ENOTDIR, ENOTEMPTY, Errno
from kernel.abi.fs cimport O_ACCMODE, O_RDONLY, RENAME_EXCHANGE, RENAME_WHITEOUT, S_IFDIR, S_IFMT

cdef unsigned long MADE_ABOVE = 1UL << 40   # added to upper inode numbers, so that they meet no lower one


class OverlayRef(weak_reference):
    """Knows under which key its inode is known."""

    __slots__ = ("known", "key")


def forget(ref):
    """An inode died."""
    if ref.known.get(ref.key) is ref:
        del ref.known[ref.key]


cdef class UpperRecord:
    """Lives as long as the upper object has a name."""

    def __init__(self, unsigned long ino, Inode lower, int lower_names):
        self.ino = ino
        self.lower = lower
        self.lower_names = lower_names
        self.whiteouts = set()


cdef class OverlayFileSystem(FileSystem):
    """`upper` is a fresh file system that nobody else uses."""

    def __init__(self, FileSystem below, FileSystem upper, str source="overlay"):
        cdef Inode lower = below.root
        FileSystem.__init__(self, "overlay", source)
        self.upper = upper
        self.records = {}
        self.linked = {}
        self.known = {}
        lower.refresh()
        upper.root.setattr({"mode": lower.mode & 0o7777, "uid": lower.uid, "gid": lower.gid})
        self.records[upper.root] = UpperRecord(lower.ino, lower, 0)
        self.root = self.inode_for(upper.root, lower, None, None)

    cpdef dict statfs(self):
        return self.upper.statfs()

    cpdef sync(self):
        self.upper.sync()

    def sync_job(self):
        return self.upper.sync_job()

    cdef OverlayInode inode_for(self, Inode upper, Inode lower, OverlayInode parent, bytes name):
        """The inode that shows these two; one of them may be None."""
        cdef OverlayInode inode
        key = upper if upper is not None else (lower.fs, lower.ino)
        ref = self.known.get(key)
        inode = ref() if ref is not None else None
        if inode is None:
            inode = OverlayInode(self, 0, upper.mode if upper is not None else lower.mode)
            inode.upper = upper
            inode.lower = lower
            inode.ino = lower.ino if upper is None else self.shown_ino(upper)
            self.remember(key, inode)
        if inode.parent is None:
            inode.parent = parent
            inode.name = name
        inode.mirror()
        return inode

    cdef OverlayInode remember(self, object key, OverlayInode inode):
        ref = OverlayRef(inode, forget)
        ref.known = self.known
        ref.key = key
        self.known[key] = ref
        return inode

    cdef unsigned long shown_ino(self, Inode upper):
        record = self.records.get(upper)
        return (<UpperRecord> record).ino if record is not None else upper.ino + MADE_ABOVE


cdef class OverlayInode(Inode):
    """An object of the merged tree."""

    cdef Inode real(self):
        return self.upper if self.upper is not None else self.lower

    def mirrored(self):
        """The pool has changed the upper object."""
        self.mirror()

    def fsync(self, data_only):
        return None if self.upper is None else self.upper.fsync(data_only)

    cdef int mirror(self) except -1:
        """Take over the attributes of what is shown."""
        cdef Inode real = self.real()
        cdef UpperRecord record = self.record()
        self.mode = real.mode
        self.uid = real.uid
        self.gid = real.gid
        self.rdev = real.rdev
        self.size = real.size
        self.blocks = real.blocks
        self.blksize = real.blksize
        self.atime_ns = real.atime_ns
        self.mtime_ns = real.mtime_ns
        self.ctime_ns = real.ctime_ns
        self.btime_ns = real.btime_ns
        if self.upper is None:
            self.nlink = real.nlink - min(self.lost_names, real.nlink)
        else:
            self.nlink = real.nlink + (record.lower_names if record is not None else 0)
        if self.is_merged() and real.nlink:
            self.nlink = self.counted or 1
        return 0

    cdef UpperRecord record(self):
        return None if self.upper is None else (<OverlayFileSystem> self.fs).records.get(self.upper)

    cdef bint is_merged(self):
        """A directory with contents from above and from below."""
        return self.upper is not None and self.lower is not None and self.mode & S_IFMT == S_IFDIR

    cpdef refresh(self):
        self.real().refresh()
        self.mirror()
        if self.is_merged() and self.counted_at != self.mtime_ns:
            self.counted = 2
            for entry in self.readdir():
                self.counted += entry[2] & S_IFMT == S_IFDIR
            self.counted_at = self.mtime_ns
            self.nlink = self.counted

    cpdef Inode lookup(self, bytes name):
        upper = self.upper_entry(name)
        if upper is not None:
            return (<OverlayFileSystem> self.fs).inode_for(upper, None, self, name)
        lower = self.lower_entry(name)
        if lower is None:
            raise Errno(ENOENT)
        upper = (<OverlayFileSystem> self.fs).linked.get((lower.fs, lower.ino))
        return (<OverlayFileSystem> self.fs).inode_for(upper, None if upper is not None else lower, self, name)

    cdef object upper_entry(self, bytes name):
        """What the upper directory has by that name; None."""
        if self.upper is None:
            return None
        try:
            return self.upper.lookup(name)
        except Errno as error:
            if (<Errno> error).number != ENOENT:
                raise
        return None

    cdef object lower_entry(self, bytes name):
        """What the lower directory shows by that name; None."""
        cdef UpperRecord record = self.record()
        cdef Inode lower = self.lower
        if self.upper is not None:
            lower = record.lower if record is not None else None
            if lower is None or name in record.whiteouts:
                return None
        if lower.mode & S_IFMT != S_IFDIR:
            raise Errno(ENOTDIR)
        try:
            return lower.lookup(name)
        except Errno as error:
            if (<Errno> error).number != ENOENT:
                raise
        return None

    cpdef list readdir(self):
        cdef UpperRecord record = self.record()
        cdef Inode lower = self.lower
        cdef dict entries = {}
        if self.upper is not None:
            lower = record.lower if record is not None else None
            for name, _, kind in self.upper.readdir():
                entries[name] = (name, (<OverlayFileSystem> self.fs).shown_ino(self.upper.lookup(name)), kind)
        if lower is not None:
            for entry in lower.readdir():
                if entry[0] not in entries and (record is None or entry[0] not in record.whiteouts):
                    entries[entry[0]] = entry
        return list(entries.values())

    cdef Inode copy_up(self, long long limit=-1):
        """The upper object, copied if there was none; of a regular file's contents at most limit bytes."""
        cdef OverlayFileSystem fs = self.fs
        cdef Inode lower = self.lower
        cdef bint is_directory
        if self.upper is not None:
            return self.upper
        if self.parent is not None:
            self.upper = copy_object(lower, self.parent.copy_up(), self.name, limit)
        else:
            self.upper = copy_object(lower, fs.upper.root, None, limit)
        is_directory = lower.mode & S_IFMT == S_IFDIR
        fs.records[self.upper] = UpperRecord(lower.ino, lower if is_directory else None,
                                             0 if is_directory else <int> self.nlink - (self.parent is not None))
        if lower.nlink > 1 and not is_directory:
            fs.linked[(lower.fs, lower.ino)] = self.upper
        fs.remember(self.upper, self)
        self.mirror()
        return self.upper

    cdef OverlayInode made(self, Inode upper, bytes name):
        self.mirror()
        return (<OverlayFileSystem> self.fs).inode_for(upper, None, self, name)

    cpdef Inode create(self, bytes name, unsigned int mode, object creds):
        return self.made(self.copy_up().create(name, mode, creds), name)

    cpdef Inode mkdir(self, bytes name, unsigned int mode, object creds):
        return self.made(self.copy_up().mkdir(name, mode, creds), name)

    cpdef Inode mknod(self, bytes name, unsigned int mode, unsigned long rdev, object creds):
        return self.made(self.copy_up().mknod(name, mode, rdev, creds), name)

    cpdef Inode symlink(self, bytes name, bytes target, object creds):
        return self.made(self.copy_up().symlink(name, target, creds), name)

    cpdef Inode tmpfile(self, unsigned int mode, object creds):
        return self.made(self.copy_up().tmpfile(mode, creds), None)

    cpdef link(self, bytes name, Inode inode):
        self.copy_up().link(name, (<OverlayInode?> inode).copy_up())
        (<OverlayInode> inode).mirror()
        self.mirror()

    cpdef unlink(self, bytes name, Inode inode):
        self.remove_name(name, inode, False)

    cpdef rmdir(self, bytes name, Inode inode):
        if not (<OverlayInode?> inode).empty():
            raise Errno(ENOTEMPTY)
        self.remove_name(name, inode, True)

    cdef int remove_name(self, bytes name, OverlayInode inode, bint is_directory) except -1:
        """Take the name away above, and hide the one below."""
        cdef UpperRecord record
        self.copy_up()
        upper = self.upper_entry(name)
        if upper is not None and is_directory:
            self.upper.rmdir(name, upper)
        elif upper is not None:
            self.upper.unlink(name, upper)
        else:
            self.upper.setattr({"mtime_ns": now_ns()})
            record = inode.record()
            if record is not None and record.lower_names:
                record.lower_names -= 1
        self.hide_lower(name)
        if inode.upper is not None:
            inode.mirror()
            if inode.nlink == 0:
                (<OverlayFileSystem> self.fs).records.pop(inode.upper, None)
        else:
            inode.lost_names += inode.lower.nlink if is_directory else 1
            inode.mirror()
        if inode.parent is self and inode.name == name:
            inode.parent = None
        self.mirror()
        return 0

    cdef int hide_lower(self, bytes name) except -1:
        """A whiteout, if the lower directory has the name."""
        if self.lower_entry(name) is not None:
            self.record().whiteouts.add(name)
        return 0

    cdef bint empty(self) except -1:
        return not self.readdir()

    cpdef rename(self, bytes name, Inode inode, Inode new_parent, bytes new_name, Inode replaced, unsigned int flags):
        cdef OverlayInode target = <OverlayInode?> new_parent, moved = <OverlayInode?> inode
        cdef bint exchanged = flags & RENAME_EXCHANGE != 0
        if replaced is not None and not exchanged and replaced.mode & S_IFMT == S_IFDIR and not (<OverlayInode?> replaced).empty():
            raise Errno(ENOTEMPTY)
        self.bring_up(name, moved)
        target.copy_up()
        if exchanged:
            target.bring_up(new_name, <OverlayInode?> replaced)
        above = target.upper_entry(new_name)
        self.upper.rename(name, moved.upper, target.upper, new_name, above, flags)
        if not exchanged and not flags & RENAME_WHITEOUT:
            self.hide_lower(name)
        if replaced is not None and not exchanged:
            target.replaced(new_name, <OverlayInode?> replaced, above is not None)
        if exchanged:
            (<OverlayInode> replaced).parent, (<OverlayInode> replaced).name = self, name
            (<OverlayInode> replaced).mirror()
        moved.parent, moved.name = target, new_name
        moved.mirror()
        target.mirror()
        self.mirror()

    cdef int bring_up(self, bytes name, OverlayInode inode) except -1:
        """Copy up inode and this name of it, which may so far exist below only (a hard link)."""
        cdef UpperRecord record
        inode.copy_up()
        self.copy_up()
        if self.upper_entry(name) is None:
            self.upper.link(name, inode.upper)
            record = inode.record()
            if record is not None and record.lower_names:
                record.lower_names -= 1
        return 0

    cdef int replaced(self, bytes name, OverlayInode inode, bint was_above) except -1:
        """A rename put something in the place of inode."""
        cdef UpperRecord record = inode.record()
        if not was_above and record is not None and record.lower_names:
            record.lower_names -= 1
        if inode.upper is None:
            inode.lost_names += inode.lower.nlink if inode.mode & S_IFMT == S_IFDIR else 1
        inode.mirror()
        if inode.nlink == 0 and inode.upper is not None:
            (<OverlayFileSystem> self.fs).records.pop(inode.upper, None)
        if inode.parent is self and inode.name == name:
            inode.parent = None
        return 0

    cpdef bytes readlink(self, object task):
        return self.real().readlink(task)

    cpdef File open(self, object task, unsigned int flags):
        if flags & O_ACCMODE != O_RDONLY:
            self.copy_up()
        return OverlayFile(self, self.real().open(task, flags), flags)

    cpdef setattr(self, dict changes):
        if self.upper is None and changes.keys() <= {"atime_ns"}:
            self.atime_ns = changes.get("atime_ns", self.atime_ns)
            return
        self.copy_up(changes.get("size", -1)).setattr(changes)
        self.mirror()

    cpdef bytes getxattr(self, bytes name):
        return self.real().getxattr(name)

    cpdef setxattr(self, bytes name, bytes value, int flags):
        self.copy_up().setxattr(name, value, flags)

    cpdef removexattr(self, bytes name):
        if self.upper is None:
            self.lower.getxattr(name)
        self.copy_up().removexattr(name)

    cpdef list listxattr(self):
        return self.real().listxattr()
