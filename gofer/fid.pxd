# SPDX-License-Identifier: Apache-2.0
# What a client's fid stands for.

cdef class PathFd:                       # an O_PATH descriptor, shared by fids; closed with the last
    cdef int fd


cdef class Tree:                         # one attach point
    cdef PathFd root
    cdef readonly bint read_only


cdef class Fid:
    cdef PathFd path
    cdef Tree tree
    cdef unsigned int mode               # S_IFMT part; it can't change while the descriptor lives
    cdef unsigned int owner              # uid of files created through it (n_uname of the attach)
    cdef int handle                      # opened descriptor; -1
    cdef long position                   # of a directory's handle
    cdef PathFd parent                   # where a plain walk found it, and as what; for Tremove and Trename
    cdef bytes name
    cdef bytes xattr                     # value being read (Txattrwalk); None
    cdef object pending_xattr            # (name, size, flags, bytearray) being written (Txattrcreate); None

    cdef Fid clone(self)
    cdef Fid child(self, PathFd path, bytes name)
    cdef int open(self, int flags) except -1
    cdef int may_change(self) except -1
