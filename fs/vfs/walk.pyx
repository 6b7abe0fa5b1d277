# SPDX-License-Identifier: Apache-2.0
"""Path walk: components, symbolic links, mounts, and the ways in which openat2(2) narrows them.

A Walk goes along all components but the last and stops before that one (`last`), because what happens there is the caller's: open
creates, unlink removes, stat follows or doesn't. Every directory on the way must be searchable. File systems may wait inside a
lookup, so nothing about a directory is remembered across one.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

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
from kernel.task.task cimport Task

cdef enum:
    SLASH = 0x2f
    DOT = 0x2e


cpdef Path lookup(task, int dirfd, bytes path, int flags=LOOKUP_FOLLOW, int resolve=0):
    """The place that path leads to, as seen from dirfd (or AT_FDCWD). It exists; ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG."""
    cdef Walk walk = walk_to(task, dirfd, path, flags, resolve)
    if walk.error:
        raise Errno(walk.error)
    return walk.here()


cdef Walk walk_to(task, int dirfd, bytes path, int flags, int resolve):
    """As lookup; that there is nothing is no exception but Walk.error, since programs look for what is not there all the time."""
    cdef Walk walk = new_walk(task, resolve)
    cdef Path base
    if flags & LOOKUP_EMPTY and not path:
        base = base_path(task, dirfd)
        walk.mount, walk.dentry = base.mount, base.dentry
        return walk
    walk.begin(dirfd, path)
    walk.go_on(flags & LOOKUP_FOLLOW != 0)
    if flags & LOOKUP_DIRECTORY and not walk.error and walk.dentry.inode.mode & S_IFMT != S_IFDIR:
        raise Errno(ENOTDIR)
    return walk


cpdef Walk walk_parent(task, int dirfd, bytes path, int resolve=0):
    """The walk to the directory that holds path's last component: see Walk.last."""
    cdef Walk walk = new_walk(task, resolve)
    walk.begin(dirfd, path)
    if walk.error:
        raise Errno(walk.error)
    return walk


cpdef Path base_path(task, int dirfd):
    """The place of a directory descriptor or of the working directory; EBADF, and ENOTDIR for files without a place."""
    if dirfd == AT_FDCWD:
        return context_of(task).cwd
    cdef File file = (<FdTable?> task.files).get(dirfd)
    if file.path is None:
        raise Errno(ENOTDIR)
    return file.path


cdef FsContext context_of(task):
    return <FsContext?> ((<Task> task).fs if isinstance(task, Task) else task.fs)


cdef Walk new_walk(task, int resolve):
    cdef Walk walk = Walk.__new__(Walk)
    walk.task = task
    walk.creds = (<Task> task).creds if isinstance(task, Task) else task.creds
    walk.resolve = resolve
    return walk


@cython.freelist(8)
cdef class Walk:
    """A walk under way."""

    cdef int begin(self, int dirfd, bytes path) except -1:
        """Go to where path starts, then along it."""
        cdef FsContext context = context_of(self.task)
        cdef Path base = context.root
        cdef bint confined = self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0
        if not path:
            self.error = ENOENT
            return 0
        if confined or PyBytes_AS_STRING(path)[0] != SLASH:
            base = base_path(self.task, dirfd)
        self.mount, self.dentry = base.mount, base.dentry
        if not confined:
            base = context.root
        self.root_mount, self.root_dentry = base.mount, base.dentry
        return self.run(path)

    cdef int run(self, bytes path) except -1:
        """Along a path or a link's target, up to its last component."""
        cdef const char *text = PyBytes_AS_STRING(path)
        cdef Py_ssize_t length = len(path), at = 0, start
        cdef Dentry link
        cdef bytes name
        cdef bint slash
        if text[0] == SLASH:
            self.jump_to_root()
        self.last = None
        while at < length and text[at] == SLASH:
            at += 1
        self.slash |= at > 0 and at == length
        while at < length:
            start = at
            while at < length and text[at] != SLASH:
                at += 1
            name = PyBytes_FromStringAndSize(text + start, at - start)
            slash = at < length
            while at < length and text[at] == SLASH:
                at += 1
            if at == length:
                self.last = name
                self.slash |= slash
                break
            link = self.step(name)
            if link is not None:
                slash, self.slash = self.slash, False
                self.lead(link)
                self.go_on(True)
                self.slash = slash
            if self.error:
                break
        return 0

    cdef int jump_to_root(self) except -1:
        """An absolute path."""
        if self.resolve & RESOLVE_BENEATH:
            raise Errno(EXDEV)
        return self.jump(self.root_mount, self.root_dentry)

    cdef Dentry step(self, bytes name):
        """One component further; a symbolic link is returned instead of being walked on. Nothing there: `error`."""
        cdef const char *text = PyBytes_AS_STRING(name)
        cdef Dentry child
        if text[0] == DOT and (text[1] == 0 or text[1] == DOT and text[2] == 0) and len(name) <= 2:
            self.require_search()
            if len(name) == 2:
                self.climb()
            return None
        child = self.child(name)
        if child.inode is None:
            self.error = ENOENT
            return None
        if child.inode.mode & S_IFMT == S_IFLNK:
            return child
        self.enter(child)
        return None

    cdef int require_search(self) except -1:
        cdef Inode inode = self.dentry.inode
        if inode.mode & S_IFMT != S_IFDIR:
            raise Errno(ENOTDIR)
        if not allowed(inode, self.creds, MAY_EXEC):
            raise Errno(EACCES)
        return 0

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
        self.lead(link)
        if self.error:
            raise Errno(self.error)

    cdef int lead(self, Dentry link) except -1:
        """The same; `error` where nothing is."""
        cdef Path target
        cdef bytes text
        self.nr_links += 1
        if self.nr_links > MAXSYMLINKS or self.resolve & RESOLVE_NO_SYMLINKS:
            raise Errno(ELOOP)
        target = link.inode.follow(self.task)
        if target is None:
            text = link.inode.readlink(self.task)
            if not text:
                raise Errno(ENOENT)
            return self.run(text)
        if self.resolve & RESOLVE_NO_MAGICLINKS:
            raise Errno(ELOOP)
        if self.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT):
            raise Errno(EXDEV)
        self.jump(target.mount, target.dentry)
        self.last = None
        return 0

    cpdef finish(self, bint follow_last):
        """Walk the last component too. follow_last: also where it is a symbolic link (always with a slash behind it)."""
        self.go_on(follow_last)
        if self.error:
            raise Errno(self.error)

    cdef int go_on(self, bint follow_last) except -1:
        """The same; `error` where nothing is."""
        cdef Dentry link
        cdef bytes name
        while self.last is not None and not self.error:
            name, self.last = self.last, None
            link = self.step(name)
            if link is None:
                break
            if not follow_last and not self.slash:
                self.dentry = link
                break
            self.lead(link)
        if self.slash and not self.error and self.dentry.inode.mode & S_IFMT != S_IFDIR:
            raise Errno(ENOTDIR)
        return 0

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
