# SPDX-License-Identifier: Apache-2.0
# What all families of sockets have in common.

from fs.vfs.file cimport File
from kernel.mm.userbuffer cimport UserBuffer


cdef class Message:                      # what sendmsg carries and recvmsg brings, beside the bytes
    cdef public bytes name               # address: to whom (send), from whom (receive); None
    cdef public list files               # SCM_RIGHTS: File objects, each with a reference; None
    cdef public tuple creds              # SCM_CREDENTIALS: (pid, uid, gid); None
    cdef public int flags                # receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR
    cdef public list extra               # other control messages: (level, type, bytes); None


cdef class Socket(File):
    cdef public int domain
    cdef public int type
    cdef public int protocol
    cdef public int error                # pending, positive; SO_ERROR takes it
    cdef public int shut                 # 1: receiving is over, 2: sending is over
    cdef public int sndbuf               # bytes, as getsockopt shows it
    cdef public int rcvbuf
    cdef public long long rcvtimeo_ns    # 0: none
    cdef public long long sndtimeo_ns
    cdef public int rcvlowat
    cdef public dict options             # (level, name) -> bytes, for those that are only kept

    cpdef bind(self, object task, bytes address)
    cpdef long connect(self, object task, bytes address) except? -1
    cpdef listen(self, object task, int backlog)
    cpdef Socket accept(self, object task)
    cpdef bytes getsockname(self)
    cpdef bytes getpeername(self)
    cpdef shutdown(self, int how)
    cpdef long sendmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1
    cpdef long recvmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1
    cpdef bytes getsockopt(self, object task, int level, int name, int length)
    cpdef setsockopt(self, object task, int level, int name, bytes value)
    cpdef int take_error(self)
    cdef bint option(self, int name)
