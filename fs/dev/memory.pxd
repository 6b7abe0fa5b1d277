# SPDX-License-Identifier: Apache-2.0
# Devices that are memory, or nothing.

from fs.vfs.file cimport File


cdef class MemoryDevice(File):
    pass
