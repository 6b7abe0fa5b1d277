# SPDX-License-Identifier: Apache-2.0
# tmpfs: the file system and its kinds of inodes.

from fs.tmpfs.storage cimport Quota, Storage
from fs.vfs.inode cimport FileSystem, Inode


cdef class Tmpfs(FileSystem):
    cdef public Quota quota              # pages
    cdef public long long nr_inodes      # limit; 0: none
    cdef public long long used_inodes
    cdef public unsigned long last_ino
    cdef public dict options             # as given, for show_options
    cpdef configure(self, dict options, bint remount)


cdef class TmpfsInode(Inode):
    cdef dict xattrs                     # name -> value; None while there are none
    cdef bint counted                    # in used_inodes
    cdef Py_ssize_t xattr_size           # names and values
    cdef long long xattr_pages           # what they are charged with
    cdef int charge_xattr(self, Py_ssize_t more) except -1


cdef class TmpfsDirectory(TmpfsInode):
    cdef dict entries                    # name -> TmpfsInode
    cdef TmpfsInode adopt(self, bytes name, TmpfsInode inode, object creds)
    cdef TmpfsInode own(self, TmpfsInode inode, object creds)
    cdef add(self, bytes name, TmpfsInode inode)
    cdef drop(self, bytes name)


cdef class TmpfsRegular(TmpfsInode):
    cdef readonly Storage storage
    cdef public unsigned int seals       # F_SEAL_*; F_SEAL_SEAL but for memfd_create(MFD_ALLOW_SEALING)
    cdef set_size(self, long long size)


cdef class TmpfsSymlink(TmpfsInode):
    cdef bytes target
