# SPDX-License-Identifier: Apache-2.0
# An open regular file of a tree that the gofer serves.

from fs.gofer.connection cimport HostHandle
from fs.vfs.file cimport File
from kernel.mm.userbuffer cimport UserBuffer


cdef class GoferFile(File):
    cdef HostHandle handle
    cdef int write_flags(self)
