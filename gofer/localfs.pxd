# SPDX-License-Identifier: Apache-2.0
# What the server does to the host's files. Every object is named by an O_PATH descriptor; a name is one component.

from gofer.wire cimport Attr


cdef enum:
    SET_MODE = 0x1
    SET_UID = 0x2
    SET_GID = 0x4
    SET_SIZE = 0x8
    SET_ATIME = 0x10
    SET_MTIME = 0x20
    SET_CTIME = 0x40
    SET_ATIME_TO = 0x80                  # to the time given; without it to now
    SET_MTIME_TO = 0x100


cdef int fail() except -1
cdef int check_name(bytes name) except -1
cdef int open_child(int dirfd, bytes name) except -1
cdef int open_parent(int dirfd, int root) except -1
cdef int reopen(int fd, int flags) except -1
cdef unsigned int mode_of(int fd) except 0
cdef unsigned long get_attr(int fd, Attr *attr) except? 0
cdef int get_attr_at(int dirfd, const char *name, Attr *attr, unsigned long *dev) noexcept nogil
cdef int set_attr(int fd, unsigned int valid, tuple values) except -1
cdef int create_file(int dirfd, bytes name, unsigned int mode, int flags) except -1
cdef int create_special(int dirfd, bytes name, unsigned int mode, unsigned long rdev, bytes target) except -1
cdef int own(int fd, unsigned int uid, unsigned int gid, unsigned int mode) except -1
cdef int link(int fd, int dirfd, bytes name) except -1
cdef int unlink(int dirfd, bytes name, int flags) except -1
cdef int rename(int old_dirfd, bytes old_name, int new_dirfd, bytes new_name, unsigned int flags) except -1
cdef bytes read_link(int fd)
cdef tuple stat_fs(int fd)
cdef bytes list_directory(int handle, Py_ssize_t count, bint with_attributes, long *position)
cdef bytes get_xattr(int fd, bytes name)
cdef bytes list_xattr(int fd)
cdef int set_xattr(int fd, bytes name, bytes value, int flags) except -1
cdef int remove_xattr(int fd, bytes name) except -1
