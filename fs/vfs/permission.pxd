# SPDX-License-Identifier: Apache-2.0
# Who may do what to an inode.

from fs.vfs.inode cimport Inode
from kernel.task.creds cimport Creds

cdef bint allowed(Inode inode, Creds creds, int mask) noexcept
cpdef may(Inode inode, Creds creds, int mask)
cpdef may_create(Inode directory, Creds creds)
cpdef may_delete(Inode directory, Inode victim, Creds creds)
cpdef bint owns(Inode inode, Creds creds)
cpdef tuple new_owner(Inode directory, unsigned int mode, Creds creds)
cpdef unsigned int without_privileges(Inode inode, Creds creds, bint ownership_changes)
cpdef remove_privileges(Inode inode, Creds creds)
