# SPDX-License-Identifier: Apache-2.0
# A place in the tree of files: which mount, and where in its file system.

from fs.vfs.dentry cimport Dentry
from fs.vfs.inode cimport Inode
from fs.vfs.mount cimport Mount


cdef class Path:
    cdef readonly Mount mount
    cdef readonly Dentry dentry
    cpdef Inode inode(self)
    cpdef bint same(self, Path other)
    cpdef bytes text(self, Path root)


cpdef Path make_path(Mount mount, Dentry dentry)
cpdef Path anonymous_path(Inode inode, bytes name)
