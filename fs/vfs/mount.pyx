# SPDX-License-Identifier: Apache-2.0
"""Mounts: the edges of the tree of file systems.

A Mount shows `root` at `mountpoint` of `parent`. A place is covered by at most one child of its mount: mounting once more on the same
path mounts on the root of what is there. Propagation is accepted and remembered, and every mount behaves as private.
"""

from kernel.abi.fs cimport MS_RDONLY

cdef int last_id = 20


cdef class Mount:
    """A file system, or a part of it, at a place."""

    def __init__(self, FileSystem fs, Dentry root, unsigned long flags=0):
        global last_id
        last_id += 1
        self.id = last_id
        self.fs = fs
        self.root = root
        self.flags = flags
        self.children = {}
        self.propagation = "private"

    cpdef attach(self, Mount parent, Dentry mountpoint):
        """Become visible."""
        self.parent = parent
        self.mountpoint = mountpoint
        parent.children[mountpoint] = self
        mountpoint.nr_mounts += 1

    cpdef detach(self):
        """Be visible no longer; what is mounted on it stays where it is."""
        if self.parent is not None:
            del self.parent.children[self.mountpoint]
            self.mountpoint.nr_mounts -= 1
            self.parent = self.mountpoint = None

    cpdef bint read_only(self):
        """Nothing may be changed through this mount."""
        return self.flags & MS_RDONLY != 0 or self.fs.read_only

    cpdef bint below(self, Mount ancestor):
        """The ancestor itself, or mounted somewhere under it."""
        cdef Mount mount = self
        while mount is not None:
            if mount is ancestor:
                return True
            mount = mount.parent
        return False

    cpdef Mount clone(self, Dentry root):
        """The same file system once more, not attached yet."""
        cdef Mount copy = Mount(self.fs, root, self.flags)
        copy.propagation = self.propagation
        return copy
