# SPDX-License-Identifier: Apache-2.0
# An open regular file of tmpfs.

from fs.vfs.file cimport File


cdef class TmpfsFile(File):
    pass
