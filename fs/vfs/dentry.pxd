# SPDX-License-Identifier: Apache-2.0
# A name in a directory, as far as it is known: the tree that all mounts of a file system share.

from fs.vfs.inode cimport FileSystem, Inode


cpdef Dentry root_dentry(FileSystem fs)
cpdef forget_tree(Dentry root)
cpdef bound_cache(Py_ssize_t limit)


cdef class Dentry:
    cdef public Dentry parent            # None for the root of a file system
    cdef public bytes name               # b"" for the root
    cdef public Inode inode              # None: it is known that there is nothing (a negative dentry)
    cdef public dict children            # name -> Dentry; None until the first
    cdef public int nr_mounts            # mounted on it, in all namespaces
    cdef public bint unlinked            # its name was removed; parent and name are what they were
    cdef public bint referenced          # looked up since the pruner came by
    cpdef Dentry lookup(self, bytes name)
    cdef Dentry lookup_in_inode(self, bytes name)
    cpdef Dentry attach(self, bytes name, Inode inode)
    cpdef instantiate(self, Inode inode)
    cpdef remove(self)
    cpdef move(self, Dentry new_parent, bytes new_name)
    cpdef exchange(self, Dentry other)
    cpdef bint below(self, Dentry ancestor)
