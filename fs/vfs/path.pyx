# SPDX-License-Identifier: Apache-2.0
"""Paths: a mount and a dentry in it. Paths that exist keep their mount busy (umount2: EBUSY)."""

cimport cython

from fs.vfs.inode cimport FileSystem

cdef Mount anonymous_mount = Mount(FileSystem("anon"), None)


@cython.no_gc_clear                      # __dealloc__ needs the mount
cdef class Path:
    """Where something is. Immutable."""

    def __cinit__(self, Mount mount, Dentry dentry):
        self.mount = mount
        self.dentry = dentry
        mount.users += 1

    def __dealloc__(self):
        if self.mount is not None:
            self.mount.users -= 1

    def __repr__(self):
        return f"Path({self.text(None)!r})"

    cpdef Inode inode(self):
        """What is there."""
        return self.dentry.inode

    cpdef bint same(self, Path other):
        """The same place."""
        return self.mount is other.mount and self.dentry is other.dentry

    cpdef bytes text(self, Path root):
        """The path as seen from root (None: from the root of its mount namespace), for getcwd and /proc.

        " (deleted)" is appended if the name was removed; "(unreachable)" is put in front if it isn't below root.
        """
        cdef list names = []
        cdef Mount mount = self.mount
        cdef Dentry dentry = self.dentry
        cdef bint reached = False
        if mount is anonymous_mount:
            return dentry.name
        while True:
            reached = root is not None and dentry is root.dentry and mount is root.mount
            if reached or dentry is mount.root and mount.parent is None:
                break
            if dentry is mount.root:
                dentry, mount = mount.mountpoint, mount.parent
                continue
            names.append(dentry.name)
            if dentry.parent is None:
                break
            dentry = dentry.parent
        names.reverse()
        text = b"/" + b"/".join(names)
        if self.dentry.unlinked:
            text += b" (deleted)"
        return text if reached or root is None else b"(unreachable)" + text


cpdef Path make_path(Mount mount, Dentry dentry):
    """A Path, from C."""
    return Path.__new__(Path, mount, dentry)


cpdef Path anonymous_path(Inode inode, bytes name):
    """The path of something that has no place: /proc/self/fd shows its name (pipe:[12])."""
    return Path.__new__(Path, anonymous_mount, Dentry(None, name, inode))
