# SPDX-License-Identifier: Apache-2.0
"""Path walk: components, symbolic links, mounts, and the ways in which openat2(2) narrows them.

A Walk goes along all components but the last and stops before that one (`last`), because what happens there is the caller's: open
creates, unlink removes, stat follows or doesn't. Every directory on the way must be searchable. File systems may wait inside a
lookup, so nothing about a directory is remembered across one.
"""

from kernel.abi.errno cimport EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV, Errno
from kernel.abi.fs cimport (
    AT_FDCWD, MAXSYMLINKS, MAY_EXEC, NAME_MAX, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV, S_IFDIR, S_IFLNK, S_IFMT,
)

from fs.vfs.context cimport FsContext
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode
from fs.vfs.path cimport make_path
from fs.vfs.permission cimport allowed


cpdef Path lookup(task, int dirfd, bytes path, int flags=LOOKUP_FOLLOW, int resolve=0):
    """The place that path leads to, as seen from dirfd (or AT_FDCWD). It exists; ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG."""
    if not path and flags & LOOKUP_EMPTY:
        return base_path(task, dirfd)
    cdef Walk walk = Walk(task, resolve)
    walk.begin(dirfd, path)
    walk.finish(flags & LOOKUP_FOLLOW != 0)
    if flags & LOOKUP_DIRECTORY and walk.dentry.inode.mode & S_IFMT != S_IFDIR:
        raise Errno(ENOTDIR)
    return walk.here()


cpdef Walk walk_parent(task, int dirfd, bytes path, int resolve=0):
    """The walk to the directory that holds path's last component: see Walk.last."""
    cdef Walk walk = Walk(task, resolve)
    walk.begin(dirfd, path)
    return walk


cpdef Path base_path(task, int dirfd):
    """The place of a directory descriptor or of the working directory; EBADF, and ENOTDIR for files without a place."""
    if dirfd == AT_FDCWD:
        return (<FsContext?> task.fs).cwd
    cdef File file = (<FdTable?> task.files).get(dirfd)
    if file.path is None:
        raise Errno(ENOTDIR)
    return file.path


cdef class Walk:
    """A walk under way."""

    def __init__(self, task, int resolve=0):
        self.task = task
        self.creds = task.creds
        self.resolve = resolve

    cdef int begin(self, int dirfd, bytes path) except -1:
        """Go to where path starts, then along it."""
        cdef FsContext context = self.task.fs
        cdef Path base = context.root
        if not path:
            raise Errno(ENOENT)
        if not path.startswith(b"/") or self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT):
            base = base_path(self.task, dirfd)
        self.mount, self.dentry = base.mount, base.dentry
        if self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT):
            self.root_mount, self.root_dentry = base.mount, base.dentry
        else:
            self.root_mount, self.root_dentry = context.root.mount, context.root.dentry
        return self.run(path)

    cdef int run(self, bytes path) except -1:
        """Along a path or a link's target, up to its last component."""
        cdef list names = path.split(b"/")
        cdef Py_ssize_t count = len(names), i
        cdef Dentry link
        cdef bytes name
        cdef bint slash
        if path.startswith(b"/"):
            self.jump_to_root()
        while count and not names[count - 1]:
            count -= 1
        for i in range(count - 1):
            name = <bytes> names[i]
            if not name:
                continue
            link = self.step(name)
            if link is not None:
                slash, self.slash = self.slash, False
                self.follow(link)
                self.finish(True)
                self.slash = slash
        self.last = <bytes> names[count - 1] if count else None
        self.slash |= count < len(names)
        return 0

    def jump_to_root(self):
        """An absolute path."""
        if self.resolve & RESOLVE_BENEATH:
            raise Errno(EXDEV)
        self.jump(self.root_mount, self.root_dentry)

    cdef Dentry step(self, bytes name):
        """One component further; a symbolic link is returned instead of being walked on."""
        cdef Dentry child
        if name == b"." or name == b"..":
            self.require_search()
            if len(name) == 2:
                self.climb()
            return None
        child = self.child(name)
        if child.inode is None:
            raise Errno(ENOENT)
        if child.inode.mode & S_IFMT == S_IFLNK:
            return child
        self.enter(child)
        return None

    cdef require_search(self):
        cdef Inode inode = self.dentry.inode
        if inode.mode & S_IFMT != S_IFDIR:
            raise Errno(ENOTDIR)
        if not allowed(inode, self.creds, MAY_EXEC):
            raise Errno(EACCES)

    cdef Dentry child(self, bytes name):
        self.require_search()
        if len(name) > NAME_MAX:
            raise Errno(ENAMETOOLONG)
        return self.dentry.lookup(name)

    cdef int enter(self, Dentry child) except -1:
        """Down to child, or to the root of what is mounted there."""
        cdef Mount above, mount = self.mount
        while child.nr_mounts:
            above = <Mount> mount.children.get(child)
            if above is None:
                break
            mount, child = above, above.root
        return self.jump(mount, child)

    cdef int climb(self) except -1:
        """To the parent directory, out of mounts and under what is mounted there; at the root, nowhere."""
        cdef Mount mount = self.mount
        cdef Dentry dentry = self.dentry
        while True:
            if dentry is self.root_dentry and mount is self.root_mount:
                if self.resolve & RESOLVE_BENEATH:
                    raise Errno(EXDEV)
                return 0
            if dentry is not mount.root or mount.parent is None:
                break
            dentry, mount = mount.mountpoint, mount.parent
        if dentry is not mount.root and dentry.parent is not None:
            dentry = dentry.parent
        if self.resolve & RESOLVE_NO_XDEV and mount is not self.mount:
            raise Errno(EXDEV)
        self.mount = mount
        return self.enter(dentry)

    cdef int jump(self, Mount mount, Dentry dentry) except -1:
        if self.resolve & RESOLVE_NO_XDEV and mount is not self.mount:
            raise Errno(EXDEV)
        self.mount, self.dentry = mount, dentry
        return 0

    cpdef follow(self, Dentry link):
        """Go where a symbolic link in the present directory leads, up to its last component."""
        cdef Path target
        self.nr_links += 1
        if self.nr_links > MAXSYMLINKS or self.resolve & RESOLVE_NO_SYMLINKS:
            raise Errno(ELOOP)
        target = link.inode.follow(self.task)
        if target is None:
            text = link.inode.readlink(self.task)
            if not text:
                raise Errno(ENOENT)
            self.run(text)
            return
        if self.resolve & RESOLVE_NO_MAGICLINKS:
            raise Errno(ELOOP)
        if self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT):
            raise Errno(EXDEV)
        self.jump(target.mount, target.dentry)
        self.last = None

    cpdef finish(self, bint follow_last):
        """Walk the last component too. follow_last: also where it is a symbolic link (always with a slash behind it)."""
        cdef Dentry link
        cdef bytes name
        while self.last is not None:
            name, self.last = self.last, None
            link = self.step(name)
            if link is None:
                break
            if not follow_last and not self.slash:
                self.dentry = link
                break
            self.follow(link)
        if self.slash and self.dentry.inode.mode & S_IFMT != S_IFDIR:
            raise Errno(ENOTDIR)

    cpdef Dentry last_child(self):
        """The dentry of the last component, which is neither . nor .. : maybe negative, not entered."""
        return self.child(self.last)

    cpdef enter_child(self, Dentry child):
        """Go on to what last_child gave."""
        self.enter(child)
        self.last = None

    cpdef Path here(self):
        """Where the walk has come to."""
        return make_path(self.mount, self.dentry)
