# SPDX-License-Identifier: Apache-2.0
# An epoll instance, and one file in it.

from fs.vfs.file cimport File
from kernel.sync.waitqueue cimport WaitEntry, Waiter


cdef class EpollItem(Waiter):
    cdef Epoll epoll
    cdef readonly File file
    cdef readonly int fd                 # under which it was added
    cdef readonly unsigned int events    # POLL* wanted, and EPOLL* flags
    cdef readonly bytes data             # the 8 bytes that the program gets back
    cdef WaitEntry entry
    cdef unsigned int now(self) except? 0xffffffff
    cdef int listen(self) except -1
    cdef int leave(self) except -1


cdef class Epoll(File):
    cdef readonly dict items             # (fd, File) -> EpollItem
    cdef dict ready                      # EpollItem -> None, in the order in which they became ready
    cpdef add(self, int fd, File file, unsigned int events, bytes data)
    cpdef modify(self, int fd, File file, unsigned int events, bytes data)
    cpdef remove(self, int fd, File file)
    cdef int check_file(self, File file) except -1
    cdef EpollItem find(self, int fd, File file)
    cpdef drop(self, EpollItem item)
    cpdef list collect(self, int most)
    cdef bint reaches(self, Epoll target, set seen) except -1
    cdef int depth(self, dict known) except -1
    cdef int height(self, dict known) except -1
