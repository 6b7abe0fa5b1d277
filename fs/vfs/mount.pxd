# SPDX-License-Identifier: Apache-2.0
# A file system's tree, or a part of it, made visible at a place.

from fs.vfs.dentry cimport Dentry
from fs.vfs.inode cimport FileSystem


cdef class Mount:
    cdef readonly int id
    cdef public Mount parent             # None: root of its namespace, or detached
    cdef public Dentry mountpoint        # in the parent; None without one
    cdef readonly Dentry root            # what is visible: the file system's root, or where a bind mount begins
    cdef readonly FileSystem fs
    cdef public unsigned long flags      # MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_NODIRATIME, MS_RELATIME
    cdef public dict children            # mountpoint Dentry -> Mount
    cdef public str propagation          # what mount(2) asked for: private, shared, slave, unbindable; all behave as private
    cdef public object namespace         # fs.vfs.namespace.MountNamespace; None: detached
    cdef public int users                # Paths that lead into it
    cdef public bint expiring            # MNT_EXPIRE was asked for and nobody came since
    cpdef attach(self, Mount parent, Dentry mountpoint)
    cpdef detach(self)
    cpdef bint read_only(self)
    cpdef bint below(self, Mount ancestor)
    cpdef Mount clone(self, Dentry root)
