# SPDX-License-Identifier: Apache-2.0
# A tree that the gofer serves.

from fs.gofer.connection cimport Connection, HostHandle
from fs.vfs.inode cimport FileSystem, Inode
from gofer.wire cimport Attr, Cursor, Known, Layout


cdef class GoferFileSystem(FileSystem):
    cdef Connection connection
    cdef readonly bint exclusive         # nobody else changes the tree: attributes are believed
    cdef dict inodes                     # (host st_dev, st_ino) -> InodeRef, while the inode lives
    cdef dict idle                       # HostHandle -> None: opened, not in use, oldest first
    cdef HostHandle latest               # the one that was given out last; None
    cdef GoferInode adopt(self, unsigned int fid, tuple reply)
    cdef GoferInode inode_for(self, unsigned int fid, const Attr *attr, unsigned long dev)
    cdef tuple call(self, Layout request, tuple values)
    cdef GoferInode call_for_inode(self, Layout request, unsigned int fid, tuple values)
    cdef void forget_number(self, GoferInode gone)
    cdef void keep_idle(self, HostHandle handle)


cdef class GoferInode(Inode):
    cdef object __weakref__
    cdef unsigned int fid                # 0: not walked to yet, but known by parent and name
    cdef unsigned long host_dev          # st_dev
    cdef GoferInode parent               # of an exclusive tree's inode
    cdef bytes name
    cdef dict known_entries              # name -> Known, of entries listed and not looked up since; None
    cdef HostHandle reading              # O_RDONLY; None
    cdef HostHandle writing              # O_WRONLY; only where O_RDWR is refused
    cdef HostHandle both                 # O_RDWR
    cdef bint stale                      # attributes changed behind our copy
    cdef long long told_ctime_ns         # ctime when the gofer told the attributes last: the owner is known as of then
    cdef long long fresh_ns              # when the gofer told the attributes last (shared trees)
    cdef bytes target                    # of a symbolic link, once read
    cdef list xattr_names                # of an exclusive tree, once listed
    cdef unsigned int walked(self) except? 0
    cdef GoferInode known_entry(self, bytes name)
    cdef tuple list_from(self, unsigned long offset)
    cdef unsigned long take_entry(self, Cursor *cursor, list entries) except? 0
    cdef bint may_believe(self, const Known *known)
    cdef void fill(self, const Attr *attr)
    cdef int host_fd(self)
    cdef int fill_from_host(self, int fd) except -1
    cdef HostHandle handle_for(self, unsigned int flags)
    cdef HostHandle ask_handle(self, unsigned int access)
    cdef void drop_handles(self)
    cdef GoferInode make(self, bytes name, unsigned int mode, unsigned long rdev, object creds, bytes target)
    cdef void lost_name(self)
    cdef list attribute_names(self)
