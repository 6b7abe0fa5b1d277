# SPDX-License-Identifier: Apache-2.0
# An open directory.

from fs.vfs.file cimport File


cdef class DirectoryFile(File):
    cdef list entries                    # (name, ino, S_IF*) since the last rewind; None before
    cpdef bytes dirents(self, Py_ssize_t capacity, bint old_layout)
    cdef list snapshot(self)
