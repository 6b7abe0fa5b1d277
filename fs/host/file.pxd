# SPDX-License-Identifier: Apache-2.0
# A file of the host: standard input, output and error.

from fs.host.descriptor cimport HostDescriptor
from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode


cdef class HostInode(Inode):
    cdef HostDescriptor descriptor
    cdef int users                       # open files; the descriptor is closed with the last
    cdef readonly bytes label            # what /proc/self/fd shows


cdef class HostFile(File):
    cdef HostDescriptor descriptor
    cdef long result(self, long count, unsigned int events) except? -1
