# SPDX-License-Identifier: Apache-2.0
# Access times.

from fs.vfs.file cimport File

cdef touch_atime(File file)
