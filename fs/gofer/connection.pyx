# SPDX-License-Identifier: Apache-2.0
"""The socket to the gofer: one request at a time, each waits for its reply.

Rule: when the gofer is gone or talks nonsense, the connection is dead for good and every call answers EIO; nothing
else in the kernel notices. Fids that are no longer needed are clunked in front of the next request.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from gofer cimport libc
from gofer.wire cimport HEADER, Layout, emit_values, layout_of, parse_body
from kernel.abi.errno cimport EINTR, EIO, Errno

from gofer.messages import NOTAG, VERSION_EXTENDED
from gofer.wire import WireError, number_of

cdef enum:
    MSIZE = 131072 + 24
    RLERROR = 7
    TAG = 1
    MAX_CLUNKS = 4096                    # in one message

cdef Layout T_CLUNKS = layout_of(number_of("Tclunks"))
cdef Layout T_REOPEN = layout_of(number_of("Treopen"))
cdef Layout T_VERSION = layout_of(number_of("Tversion"))


cdef class HostHandle:
    """Owns a descriptor that the gofer donated."""

    def __cinit__(self, int fd):
        self.fd = fd

    def __dealloc__(self):
        self.close()

    cdef void close(self):
        if self.fd >= 0:
            libc.close(self.fd)
            self.fd = -1


cdef class Connection:
    """A client of the file server; the socket becomes ours."""

    def __cinit__(self, int sock):
        self.sock = sock
        self.msize = MSIZE
        self.free_fids = []
        self.forgotten = []
        self.buffer = <unsigned char *> malloc(MSIZE)
        if self.buffer == NULL:
            raise MemoryError()

    def __init__(self, int sock):
        msize, version = self.call(T_VERSION, (MSIZE, VERSION_EXTENDED))
        if version != VERSION_EXTENDED or msize > MSIZE or msize < 4096:
            self.lost()
        self.msize = msize

    def __dealloc__(self):
        free(self.buffer)
        if self.sock >= 0:
            libc.close(self.sock)

    cdef unsigned int new_fid(self):
        """A number for a new fid."""
        if self.free_fids:
            return self.free_fids.pop()
        self.next_fid += 1
        return self.next_fid

    cdef void forget(self, unsigned int fid):
        """Clunk a fid, with the next request."""
        self.forgotten.append(fid)

    cdef tuple call(self, Layout request, tuple values):
        """Send a request, wait for its reply: the reply's values. The gofer's errors are raised; EIO if it is gone."""
        if self.dead:
            raise Errno(EIO)
        self.donated = None
        message = emit_values(request, NOTAG if request is T_VERSION else TAG, values)
        if self.forgotten:
            message = self.with_clunks(message)
        self.send(message)
        return self.receive(layout_of(request.number + 1))

    def reopen_read_only(self, int fd):
        """A read-only descriptor of the memfd behind fd. Nobody here can open anything, so the gofer does."""
        cdef libc.msghdr header
        cdef libc.iovec piece
        cdef char control[64]
        cdef libc.cmsghdr *rights
        if self.dead:
            raise Errno(EIO)
        message = emit_values(T_REOPEN, TAG, ())
        memset(&header, 0, sizeof(header))
        piece.iov_base, piece.iov_len = PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message)
        header.msg_iov, header.msg_iovlen = &piece, 1
        header.msg_control, header.msg_controllen = control, libc.CMSG_SPACE(sizeof(int))
        rights = libc.CMSG_FIRSTHDR(&header)
        rights.cmsg_level, rights.cmsg_type, rights.cmsg_len = libc.SOL_SOCKET, libc.SCM_RIGHTS, libc.CMSG_LEN(sizeof(int))
        memcpy(libc.CMSG_DATA(rights), &fd, sizeof(int))
        self.donated = None
        if libc.sendmsg(self.sock, &header, libc.MSG_NOSIGNAL) != PyBytes_GET_SIZE(message):
            self.lost()
        self.receive(layout_of(T_REOPEN.number + 1))
        handle = self.take_donation()
        if handle is None:
            self.lost()
        taken, handle.fd = handle.fd, -1
        return taken

    cdef HostHandle take_donation(self):
        """The descriptor that came with the last reply; None."""
        handle = self.donated
        self.donated = None
        return handle

    cdef bytes with_clunks(self, bytes message):
        fids = self.forgotten[:MAX_CLUNKS]
        del self.forgotten[:MAX_CLUNKS]
        self.free_fids += fids
        return emit_values(T_CLUNKS, TAG, (b"".join([fid.to_bytes(4, "little") for fid in fids]),)) + message

    cdef int send(self, bytes message) except -1:
        cdef const char *at = PyBytes_AS_STRING(message)
        cdef Py_ssize_t left = PyBytes_GET_SIZE(message), sent
        while left:
            with nogil:
                sent = libc.send(self.sock, at, left, libc.MSG_NOSIGNAL)
            if sent < 0 and libc.errno == EINTR:
                continue
            if sent <= 0:
                self.lost()
            at += sent
            left -= sent
        return 0

    cdef tuple receive(self, Layout expected):
        """The reply: of the expected type, or the gofer's error."""
        cdef Py_ssize_t have = 0, want = HEADER
        cdef unsigned int size = 0
        while have < want:
            have += self.receive_some(have, self.msize)
            if have >= HEADER:
                memcpy(&size, self.buffer, 4)
                want = size
            if want < HEADER or want > self.msize:
                self.lost()
        if have != want or (self.buffer[4] != expected.number and self.buffer[4] != RLERROR):
            self.lost()
        values = None
        try:
            values = parse_body(layout_of(self.buffer[4]), self.buffer + HEADER, want - HEADER)
        except WireError:
            self.lost()
        if self.buffer[4] == RLERROR:
            raise Errno(values[0] if 0 < values[0] < 4096 else EIO)
        return values

    cdef Py_ssize_t receive_some(self, Py_ssize_t have, Py_ssize_t want) except -1:
        """Some more bytes, and a descriptor if one comes with them.

        Sleeps at once: looking a few times first costs more than it saves as soon as another program wants the processor.
        """
        cdef libc.msghdr header
        cdef libc.iovec piece
        cdef char control[128]
        cdef libc.cmsghdr *rights
        cdef Py_ssize_t got
        cdef int fd = -1
        memset(&header, 0, sizeof(header))
        piece.iov_base = self.buffer + have
        piece.iov_len = want - have
        header.msg_iov = &piece
        header.msg_iovlen = 1
        header.msg_control = control
        header.msg_controllen = libc.CMSG_LEN(sizeof(int))      # not CMSG_SPACE: its padding has room for a second one
        with nogil:
            got = libc.recvmsg(self.sock, &header, libc.MSG_CMSG_CLOEXEC)
            while got < 0 and libc.errno == libc.EINTR:
                got = libc.recvmsg(self.sock, &header, libc.MSG_CMSG_CLOEXEC)
        if got <= 0:
            self.lost()
        rights = libc.CMSG_FIRSTHDR(&header)
        if rights != NULL and rights.cmsg_level == libc.SOL_SOCKET and rights.cmsg_type == libc.SCM_RIGHTS:
            memcpy(&fd, libc.CMSG_DATA(rights), sizeof(int))
            self.donated = HostHandle(fd)
        return got

    cdef int lost(self) except -1:
        self.dead = True
        if self.sock >= 0:
            libc.close(self.sock)
            self.sock = -1
        raise Errno(EIO)
