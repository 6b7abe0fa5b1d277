# SPDX-License-Identifier: Apache-2.0
# Copying an object from the lower tree to the upper one.

from fs.vfs.inode cimport Inode

cdef Inode copy_object(Inode lower, Inode directory, bytes name, long long limit)
