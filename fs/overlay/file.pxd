# SPDX-License-Identifier: Apache-2.0
# An open regular file of an overlay.

from fs.overlay.inode cimport OverlayInode
from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode


cdef class OverlayFile(File):
    cdef File real
    cdef bint is_above                   # real is the upper object's
    cdef File current(self)
