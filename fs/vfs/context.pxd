# SPDX-License-Identifier: Apache-2.0
# Where a task is in the tree of files, as Linux's fs_struct. Shared by CLONE_FS.

from fs.vfs.path cimport Path


cdef class FsContext:
    cdef public Path root
    cdef public Path cwd
    cdef public unsigned int umask
    cdef public object mounts            # fs.vfs.namespace.MountNamespace
    cpdef FsContext copy(self)
    cpdef new_namespace(self)
