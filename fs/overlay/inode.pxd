# SPDX-License-Identifier: Apache-2.0
# An upper tree laid over a lower one that never changes.

from fs.vfs.inode cimport FileSystem, Inode


cdef class UpperRecord:                  # what an upper inode can't say itself
    cdef unsigned long ino               # st_ino that is shown: the lower object's
    cdef Inode lower                     # directory merged with this one; None: opaque, or no directory
    cdef set whiteouts                   # names of the lower directory that are gone
    cdef int lower_names                 # names that a copied-up file still has in the lower tree only


cdef class OverlayFileSystem(FileSystem):
    cdef readonly FileSystem upper
    cdef dict records                    # upper inode -> UpperRecord, while it has a name
    cdef dict linked                     # (lower fs, lower st_ino) of a file with several names -> its upper inode
    cdef dict known                      # upper inode, or (lower fs, lower st_ino) -> OverlayRef, while the inode lives
    cdef OverlayInode inode_for(self, Inode upper, Inode lower, OverlayInode parent, bytes name)
    cdef OverlayInode remember(self, object key, OverlayInode inode)
    cdef unsigned long shown_ino(self, Inode upper)


cdef class OverlayInode(Inode):
    cdef unsigned int counted            # subdirectories and 2, of a merged directory; 0: not counted yet
    cdef long long counted_at            # mtime then
    cdef bint is_merged(self)
    cdef object __weakref__
    cdef readonly Inode upper            # None until copied up
    cdef readonly Inode lower            # None if made above
    cdef OverlayInode parent             # where it is copied up to; None if that name is gone
    cdef bytes name
    cdef unsigned int lost_names         # of an object that is below only
    cdef Inode real(self)
    cdef int mirror(self) except -1
    cdef UpperRecord record(self)
    cdef object lower_entry(self, bytes name)
    cdef object upper_entry(self, bytes name)
    cdef Inode copy_up(self, long long limit=*)
    cdef OverlayInode made(self, Inode upper, bytes name)
    cdef int remove_name(self, bytes name, OverlayInode inode, bint is_directory) except -1
    cdef int bring_up(self, bytes name, OverlayInode inode) except -1
    cdef int replaced(self, bytes name, OverlayInode inode, bint was_above) except -1
    cdef int hide_lower(self, bytes name) except -1
    cdef bint empty(self) except -1
