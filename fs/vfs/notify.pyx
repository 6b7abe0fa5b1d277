# SPDX-License-Identifier: Apache-2.0
"""Telling watchers what happens to files: the side of inotify(7) that the VFS calls.

`inode.watches` is None while nobody watches, which is the only case that has to be fast; otherwise a list of objects with
event(mask, cookie, name). An event of a file goes to its own watchers and, with its name, to those of its directory.
"""

from kernel.abi.fs cimport IN_ISDIR, S_IFDIR, S_IFMT

cdef unsigned int last_cookie = 0


cpdef int notify(Inode inode, unsigned int mask, bytes name=None, unsigned int cookie=0) except -1:
    """IN_* events of this inode; name is of the entry concerned if it is a directory."""
    if inode.watches is not None:
        for watch in list(inode.watches):
            watch.event(mask, cookie, name)
    return 0


cpdef int notify_path(Path path, unsigned int mask) except -1:
    """IN_* events of what was reached by path: to its own watchers and to its directory's."""
    return notify_dentry(path.dentry, mask)


cpdef int notify_dentry(Dentry dentry, unsigned int mask) except -1:
    """IN_* events of a dentry: to its own watchers and to its directory's."""
    cdef Inode inode = dentry.inode
    cdef Dentry parent = dentry.parent
    cdef bint watched_parent = parent is not None and parent.inode is not None and parent.inode.watches is not None
    if inode is None or inode.watches is None and not watched_parent:
        return 0
    if inode.mode & S_IFMT == S_IFDIR:
        mask |= IN_ISDIR
    if watched_parent and not dentry.unlinked:
        notify(parent.inode, mask, dentry.name)
    return notify(inode, mask)


def new_cookie():
    """A number that ties IN_MOVED_FROM to IN_MOVED_TO."""
    global last_cookie
    last_cookie += 1
    return last_cookie
