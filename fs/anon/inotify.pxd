# SPDX-License-Identifier: Apache-2.0
# inotify instances; and how many watches there are in all, so that reads and writes need not look when there are none.

from fs.vfs.file cimport File

cdef long nr_watches


cdef class Watch:
    cdef readonly Inotify inotify
    cdef readonly int wd
    cdef public unsigned int mask        # IN_* wanted, and IN_ONESHOT, IN_EXCL_UNLINK
    cdef readonly object dentry          # keeps the name, and so the inode, in the cache
    cdef readonly object inode


cdef class Inotify(File):
    cdef readonly dict watches           # wd -> Watch
    cdef dict by_inode                   # inode -> Watch
    cdef object queue                    # deque of (wd, mask, cookie, name)
    cdef int last_wd
    cdef int queue_event(self, int wd, unsigned int mask, unsigned int cookie, bytes name) except -1
    cpdef int add(self, object path, unsigned int mask) except -1
    cpdef remove(self, int wd)
    cdef int forget(self, Watch watch) except -1
