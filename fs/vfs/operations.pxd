# SPDX-License-Identifier: Apache-2.0
# Opening files.

from fs.vfs.file cimport File
from fs.vfs.path cimport Path

cpdef File do_open(task, int dirfd, bytes path, unsigned int flags, unsigned int mode=*, int resolve=*)
cdef File try_open(task, int dirfd, bytes path, unsigned int flags, unsigned int mode, int resolve, int *error)
cpdef unsigned int check_flags(unsigned int flags) except? 0xffffffff
cpdef File open_path(task, Path path, unsigned int flags, bint created=*)
cpdef File open_exec(task, int dirfd, bytes path, int at_flags=*)
