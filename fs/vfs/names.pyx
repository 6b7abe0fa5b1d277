# SPDX-License-Identifier: Apache-2.0
"""Operations on names: mkdir, mknod, symlink, link, unlink, rmdir and rename, with all that has to be checked before.

Each takes paths as the system call gave them; the errors and their order are Linux's (fs/namei.c as documented in the man pages).
"""

from kernel.abi.errno cimport (
    EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV, Errno,
)
from kernel.abi.fs cimport (
    AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, IN_ATTRIB, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_ISDIR, IN_MOVED_FROM, IN_MOVED_TO,
    IN_MOVE_SELF, MAY_WRITE, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG,
    S_IFSOCK, S_ISVTX,
)
from kernel.abi.task cimport CAP_DAC_READ_SEARCH, CAP_MKNOD

from fs.vfs.context cimport FsContext
from fs.vfs.dentry cimport Dentry
from fs.vfs.inode cimport Inode
from fs.vfs.path cimport Path
from fs.vfs.permission cimport may, may_create, may_delete
from fs.vfs.walk cimport LOOKUP_EMPTY, LOOKUP_FOLLOW, Walk, lookup, walk_parent

from fs.vfs.notify import new_cookie, notify

cdef enum:
    PERMISSIONS = 0o7777
    DIRECTORY_PERMISSIONS = 0o777 | S_ISVTX


def do_mkdir(task, int dirfd, bytes path, unsigned int mode):
    """mkdirat(2)."""
    cdef Walk walk = walk_parent(task, dirfd, path)
    cdef Dentry child = new_entry(walk, True)
    mode = S_IFDIR | mode & DIRECTORY_PERMISSIONS & ~(<FsContext> task.fs).umask
    child.instantiate(walk.dentry.inode.mkdir(child.name, mode, task.creds))
    notify(walk.dentry.inode, IN_CREATE | IN_ISDIR, child.name)


def do_mknod(task, int dirfd, bytes path, unsigned int mode, unsigned long rdev):
    """mknodat(2): regular files, fifos and sockets for all, devices with CAP_MKNOD. Returns the Path of what was made."""
    cdef unsigned int kind = mode & S_IFMT or S_IFREG
    cdef Walk walk
    cdef Dentry child
    if kind == S_IFDIR:
        raise Errno(EPERM)
    if kind not in (S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK):
        raise Errno(EINVAL)
    walk = walk_parent(task, dirfd, path)
    child = new_entry(walk, False)
    if kind in (S_IFCHR, S_IFBLK) and not (kind == S_IFCHR and rdev == 0) and not task.creds.capable(CAP_MKNOD):
        raise Errno(EPERM)
    mode = kind | mode & PERMISSIONS & ~(<FsContext> task.fs).umask
    if kind == S_IFREG:
        child.instantiate(walk.dentry.inode.create(child.name, mode, task.creds))
    else:
        child.instantiate(walk.dentry.inode.mknod(child.name, mode, rdev, task.creds))
    notify(walk.dentry.inode, IN_CREATE, child.name)
    return Path(walk.mount, child)


def do_symlink(task, bytes target, int dirfd, bytes path):
    """symlinkat(2)."""
    if not target:
        raise Errno(ENOENT)
    cdef Walk walk = walk_parent(task, dirfd, path)
    cdef Dentry child = new_entry(walk, False)
    child.instantiate(walk.dentry.inode.symlink(child.name, target, task.creds))
    notify(walk.dentry.inode, IN_CREATE, child.name)


def do_link(task, int old_dirfd, bytes old_path, int dirfd, bytes path, int flags):
    """linkat(2)."""
    cdef int how = LOOKUP_FOLLOW if flags & AT_SYMLINK_FOLLOW else 0
    cdef Inode inode
    if flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    if flags & AT_EMPTY_PATH:
        if not task.creds.capable(CAP_DAC_READ_SEARCH):
            raise Errno(ENOENT)
        how |= LOOKUP_EMPTY
    cdef Path old = lookup(task, old_dirfd, old_path, how)
    cdef Walk walk = walk_parent(task, dirfd, path)
    cdef Dentry child = new_entry(walk, False)
    if old.mount is not walk.mount:
        raise Errno(EXDEV)
    inode = old.dentry.inode
    if inode.mode & S_IFMT == S_IFDIR:
        raise Errno(EPERM)
    if inode.fs is not walk.dentry.inode.fs:
        raise Errno(EXDEV)
    if inode.nlink == 0 and not inode.linkable:
        raise Errno(ENOENT)
    walk.dentry.inode.link(child.name, inode)
    child.instantiate(inode)
    notify(inode, IN_ATTRIB)
    notify(walk.dentry.inode, IN_CREATE, child.name)


cdef Dentry new_entry(Walk walk, bint directory):
    """The negative dentry at the end of the walk, where an entry may be made."""
    cdef Dentry child
    if plain_last(walk):
        child = walk.last_child()
        if child.inode is None:
            if walk.slash and not directory:
                raise Errno(ENOENT)
            if walk.mount.read_only():
                raise Errno(EROFS)
            may_create(walk.dentry.inode, walk.creds)
            return child
    raise Errno(EEXIST)


cdef bint plain_last(Walk walk):
    return walk.last is not None and walk.last != b"." and walk.last != b".."


def do_unlink(task, int dirfd, bytes path):
    """unlinkat(2) without AT_REMOVEDIR."""
    cdef Walk walk = walk_parent(task, dirfd, path)
    cdef Dentry victim
    cdef Inode inode
    if not plain_last(walk):
        raise Errno(EISDIR)
    victim = existing_entry(walk)
    inode = victim.inode
    if walk.slash and inode.mode & S_IFMT != S_IFDIR:
        raise Errno(ENOTDIR)
    may_delete(walk.dentry.inode, inode, walk.creds)
    if inode.mode & S_IFMT == S_IFDIR:
        raise Errno(EISDIR)
    if victim.nr_mounts:
        raise Errno(EBUSY)
    walk.dentry.inode.unlink(victim.name, inode)
    removed(walk.dentry, victim, 0)


def do_rmdir(task, int dirfd, bytes path):
    """unlinkat(2) with AT_REMOVEDIR."""
    cdef Walk walk = walk_parent(task, dirfd, path)
    cdef Dentry victim
    if walk.last is None:
        raise Errno(EBUSY)
    if not plain_last(walk):
        raise Errno(EINVAL if walk.last == b"." else ENOTEMPTY)
    victim = existing_entry(walk)
    may_delete(walk.dentry.inode, victim.inode, walk.creds)
    if victim.inode.mode & S_IFMT != S_IFDIR:
        raise Errno(ENOTDIR)
    if victim.nr_mounts:
        raise Errno(EBUSY)
    walk.dentry.inode.rmdir(victim.name, victim.inode)
    removed(walk.dentry, victim, IN_ISDIR)


cdef Dentry existing_entry(Walk walk):
    cdef Dentry child = walk.last_child()
    if child.inode is None:
        raise Errno(ENOENT)
    if walk.mount.read_only():
        raise Errno(EROFS)
    return child


cdef removed(Dentry parent, Dentry victim, unsigned int kind):
    """The file system has removed an entry: so does the cache, and watchers hear of it."""
    victim.remove()
    notify(parent.inode, IN_DELETE | kind, victim.name)
    if not kind:
        notify(victim.inode, IN_ATTRIB)
    if kind or victim.inode.nlink == 0:
        notify(victim.inode, IN_DELETE_SELF | kind)


def do_rename(task, int old_dirfd, bytes old_path, int dirfd, bytes path, unsigned int flags):
    """renameat2(2)."""
    cdef Walk old_walk, walk
    cdef Dentry old, new
    if flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT):
        raise Errno(EINVAL)
    if flags & RENAME_EXCHANGE and flags & (RENAME_NOREPLACE | RENAME_WHITEOUT):
        raise Errno(EINVAL)
    old_walk = walk_parent(task, old_dirfd, old_path)
    walk = walk_parent(task, dirfd, path)
    if old_walk.mount is not walk.mount:
        raise Errno(EXDEV)
    if not plain_last(old_walk):
        raise Errno(EBUSY)
    if not plain_last(walk):
        raise Errno(EEXIST if flags & RENAME_NOREPLACE else EBUSY)
    if walk.mount.read_only():
        raise Errno(EROFS)
    old = existing_entry(old_walk)
    new = walk.last_child()
    check_rename(old_walk, old, walk, new, flags)
    if old.inode is new.inode:
        return
    check_rename_permission(old_walk, old, walk, new, flags)
    if old.nr_mounts or new.nr_mounts:
        raise Errno(EBUSY)
    move(old_walk.dentry, old, walk.dentry, new, flags)


cdef check_rename(Walk old_walk, Dentry old, Walk walk, Dentry new, unsigned int flags):
    """What the shape of the tree forbids."""
    cdef bint exchange = flags & RENAME_EXCHANGE != 0
    if new.inode is not None and flags & RENAME_NOREPLACE:
        raise Errno(EEXIST)
    if exchange and new.inode is None:
        raise Errno(ENOENT)
    if exchange and new.inode.mode & S_IFMT != S_IFDIR and walk.slash:
        raise Errno(ENOTDIR)
    if old.inode.mode & S_IFMT != S_IFDIR and (old_walk.slash or walk.slash and not exchange):
        raise Errno(ENOTDIR)
    if walk.dentry.below(old):
        raise Errno(EINVAL)
    if old_walk.dentry.below(new):
        raise Errno(EINVAL if exchange else ENOTEMPTY)


cdef check_rename_permission(Walk old_walk, Dentry old, Walk walk, Dentry new, unsigned int flags):
    cdef bint is_directory = old.inode.mode & S_IFMT == S_IFDIR, replaces_directory
    cdef bint other_parent = old_walk.dentry is not walk.dentry
    may_delete(old_walk.dentry.inode, old.inode, walk.creds)
    if new.inode is None:
        may_create(walk.dentry.inode, walk.creds)
    else:
        may_delete(walk.dentry.inode, new.inode, walk.creds)
        replaces_directory = new.inode.mode & S_IFMT == S_IFDIR
        if not flags & RENAME_EXCHANGE and replaces_directory != is_directory:
            raise Errno(ENOTDIR if is_directory else EISDIR)
        if other_parent and flags & RENAME_EXCHANGE and replaces_directory:
            may(new.inode, walk.creds, MAY_WRITE)
    if other_parent and is_directory:
        may(old.inode, walk.creds, MAY_WRITE)


cdef move(Dentry old_parent, Dentry old, Dentry new_parent, Dentry new, unsigned int flags):
    """Let the file system do it, then the cache; then tell."""
    cdef Inode inode = old.inode, replaced = new.inode
    cdef bytes old_name = old.name, new_name = new.name
    cdef unsigned int kind = IN_ISDIR if inode.mode & S_IFMT == S_IFDIR else 0
    old_parent.inode.rename(old_name, inode, new_parent.inode, new_name, replaced, flags)
    if flags & RENAME_EXCHANGE:
        old.exchange(new)
    else:
        new.remove()
        old.move(new_parent, new_name)
    cookie = new_cookie()
    notify(old_parent.inode, IN_MOVED_FROM | kind, old_name, cookie)
    notify(new_parent.inode, IN_MOVED_TO | kind, new_name, cookie)
    notify(inode, IN_MOVE_SELF | kind)
    if replaced is not None and not flags & RENAME_EXCHANGE:
        notify(replaced, IN_DELETE_SELF if replaced.nlink == 0 else IN_ATTRIB)
