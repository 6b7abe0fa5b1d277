# SPDX-License-Identifier: Apache-2.0
# Telling watchers what happens to files.

from fs.vfs.dentry cimport Dentry
from fs.vfs.inode cimport Inode
from fs.vfs.path cimport Path

cpdef int notify(Inode inode, unsigned int mask, bytes name=*, unsigned int cookie=*) except -1
cpdef int notify_path(Path path, unsigned int mask) except -1
cpdef int notify_dentry(Dentry dentry, unsigned int mask) except -1
