# SPDX-License-Identifier: Apache-2.0
# Inodes of files that no path leads to.

from fs.vfs.inode cimport FileSystem, Inode


cdef class AnonFileSystem(FileSystem):
    cdef unsigned long next_ino


cdef class AnonInode(Inode):
    cdef public object path              # what /proc/[pid]/fd shows: pipe:[17], anon_inode:[eventfd]


cpdef AnonInode anon_inode(bytes kind)
cpdef AnonInode pipe_inode(object creds, long long now_ns)
