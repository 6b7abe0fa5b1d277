# SPDX-License-Identifier: Apache-2.0
# An open file description ("struct file"): what descriptors point at. Subclasses are the kinds of files.

from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.waitqueue cimport WaitQueue


cdef class File:
    cdef public unsigned int flags       # O_ACCMODE | status flags (O_APPEND, O_NONBLOCK, O_DIRECT, O_PATH...)
    cdef public long long pos            # file position in bytes
    cdef public int refs                 # descriptors and kernel users (mappings, messages in flight)
    cdef public object path              # fs.vfs.path.Path it was opened by, or None
    cdef public object inode             # fs.vfs.inode.Inode; never None
    cdef public WaitQueue waiters        # woken with POLL* bits when readiness changes
    cdef public object owner             # F_SETOWN: who gets SIGIO; None
    cdef public bint counts_as_writer    # inode.writers was raised for it
    cdef public bint denies_writers      # opened to be executed: inode.writers was lowered for it
    cdef public object epolls            # epoll items that watch this description, told at release: dict item -> None, or None

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1
    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1
    cpdef unsigned int poll(self) except? 0xffffffff
    cpdef WaitQueue poll_queue(self)
    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1
    cpdef long long seek(self, long long offset, int whence) except? -1
    cpdef bint seekable(self)
    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length)
    cpdef fsync(self, bint data_only)
    cpdef fallocate(self, object task, int mode, long long offset, long long length)
    cpdef release(self)
    cpdef object get(self)
    cpdef put(self)
    cdef int let_go(self) except -1
