# SPDX-License-Identifier: Apache-2.0
# Advisory locks on an inode.

from kernel.sync.waitqueue cimport WaitQueue


cdef class RangeLock:
    cdef readonly long long start        # bytes
    cdef readonly long long end          # the last byte, inclusive
    cdef readonly int kind               # F_RDLCK, F_WRLCK
    cdef readonly object owner           # FdTable, or the File for locks of open file descriptions
    cdef readonly int pid                # for F_GETLK; -1 for locks of open file descriptions
    cdef bint overlaps(self, long long start, long long end)


cdef class FileLocks:
    cdef readonly dict flocks            # File -> LOCK_SH or LOCK_EX
    cdef readonly list ranges            # RangeLock, in no order
    cdef readonly WaitQueue waiters      # woken when a lock goes or becomes weaker
    cpdef bint flock(self, file, int kind)
    cpdef RangeLock conflict(self, owner, int kind, long long start, long long end)
    cpdef set_range(self, owner, int pid, int kind, long long start, long long end)
    cpdef drop_file(self, file)
    cpdef drop_owner(self, owner)


cpdef FileLocks locks_of(inode)
