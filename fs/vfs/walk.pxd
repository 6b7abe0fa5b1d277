# SPDX-License-Identifier: Apache-2.0
# From a path's text to a place (path_resolution(7)).

from fs.vfs.dentry cimport Dentry
from fs.vfs.mount cimport Mount
from fs.vfs.path cimport Path
from kernel.task.creds cimport Creds

cpdef enum:
    LOOKUP_FOLLOW = 1                    # a symbolic link at the end is followed
    LOOKUP_DIRECTORY = 2                 # the end must be a directory
    LOOKUP_EMPTY = 4                     # AT_EMPTY_PATH: an empty path is the directory descriptor's file itself


cdef class Walk:
    cdef object task
    cdef Creds creds
    cdef readonly Mount mount            # where the walk has come to
    cdef readonly Dentry dentry
    cdef readonly bytes last             # the component not walked yet; None when there is none
    cdef readonly bint slash             # it had a slash behind it: must be a directory
    cdef Mount root_mount                # ".." goes no higher, and absolute paths begin here
    cdef Dentry root_dentry
    cdef int resolve                     # RESOLVE_*
    cdef int nr_links                    # symbolic links followed
    cdef int error                       # ENOENT: the walk ended where nothing is; 0
    cdef int begin(self, int dirfd, bytes path) except -1
    cdef int run(self, bytes path) except -1
    cdef Dentry step(self, bytes name)
    cdef int jump_to_root(self) except -1
    cdef int require_search(self) except -1
    cdef Dentry child(self, bytes name)
    cdef int enter(self, Dentry child) except -1
    cdef int climb(self) except -1
    cdef int jump(self, Mount mount, Dentry dentry) except -1
    cpdef follow(self, Dentry link)
    cdef int lead(self, Dentry link) except -1
    cpdef finish(self, bint follow_last)
    cdef int go_on(self, bint follow_last) except -1
    cpdef Dentry last_child(self)
    cpdef enter_child(self, Dentry child)
    cpdef Path here(self)


cpdef Path lookup(task, int dirfd, bytes path, int flags=*, int resolve=*)
cdef Walk walk_to(task, int dirfd, bytes path, int flags, int resolve)
cpdef Walk walk_parent(task, int dirfd, bytes path, int resolve=*)
cpdef Path base_path(task, int dirfd)
