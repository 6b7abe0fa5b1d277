# SPDX-License-Identifier: Apache-2.0
# Descriptors of a process, as Linux's files_struct. Shared by CLONE_FILES.

from fs.vfs.file cimport File


cdef class FdTable:
    cdef list files                      # by descriptor: File or None
    cdef bytearray close_on_exec_flags   # by descriptor: 1 or 0; as long as files
    cdef int lowest                      # no descriptor below it is free
    cdef public int limit                # RLIMIT_NOFILE: one more than the highest that may be given
    cdef public int users                # tasks that share the table
    cdef File find(self, int fd)         # None if there is none
    cpdef File get(self, int fd)
    cpdef int install(self, File file, bint cloexec=*, int at_least=*) except -1
    cpdef install_at(self, int fd, File file, bint cloexec=*)
    cdef put_in(self, int fd, File file, bint cloexec)
    cdef let_go(self, File file)
    cpdef File take_out(self, int fd)
    cpdef close(self, int fd)
    cpdef bint cloexec(self, int fd) except? -1
    cpdef set_cloexec(self, int fd, bint value)
    cpdef FdTable clone(self)
    cpdef FdTable add_user(self)
    cpdef release_user(self)
    cpdef bint shared(self)
    cpdef require_room(self)
    cpdef close_on_exec(self)
    cpdef drop(self)
    cpdef list descriptors(self)
