# SPDX-License-Identifier: Apache-2.0
# Shared anonymous memory.

from fs.vfs.file cimport File


cdef class ShmemFile(File):
    cdef readonly int fd                 # host memfd; -1 after release
    cdef readonly unsigned long size     # bytes
    cdef readonly str title              # as /proc/self/maps shows it
