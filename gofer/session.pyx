# SPDX-License-Identifier: Apache-2.0
"""One client's connection to the file server.

Requests are answered in order, one at a time, so a flush has nothing to do. A client that breaks the framing or
does not read its replies is hung up on; a message that makes no sense gets an error. A reply and the descriptor that
goes with it travel in one sendmsg.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset

from gofer cimport libc
from gofer.wire cimport HEADER, Layout, emit_values, layout_of, parse_body
from kernel.abi.errno cimport EBADF, EINVAL, EIO, EMFILE, ENOMEM, ENOSYS, EPROTO, Errno

from gofer.messages import FIRST_EXTENDED, MESSAGES, VERSION_EXTENDED, VERSION_PLAIN
from gofer.wire import WireError

cdef enum:
    MSIZE_MAX = 131072 + 24
    MSIZE_MIN = 4096
    MAX_FIDS = 1 << 20
    RLERROR = 7
    TVERSION = 100


cdef class Session:
    """A connection; subclasses bring the handlers: methods named like the T messages, taking their fields."""

    def __init__(self, int sock, list trees):
        self.sock = sock
        self.trees = trees
        self.fids = {}
        self.msize = MSIZE_MIN
        self.donation = self.given = -1
        self.handlers = [None] * 256
        self.handlers[TVERSION] = self.Tversion

    def serve(self):
        """Answer until the client hangs up or breaks the framing."""
        cdef unsigned char *buffer = <unsigned char *> malloc(2 * MSIZE_MAX)
        cdef Py_ssize_t have = 0, used, got
        if buffer == NULL:
            raise MemoryError()
        try:
            while True:
                got = self.receive_some(buffer + have, 2 * MSIZE_MAX - have)
                if got <= 0:
                    return
                have += got
                used = self.take_messages(buffer, have)
                if used < 0:
                    return
                have -= used
                memmove(buffer, buffer + used, have)
        finally:
            free(buffer)
            self.fids.clear()

    cdef Py_ssize_t receive_some(self, unsigned char *into, Py_ssize_t room) noexcept:
        """Bytes, and a descriptor if one comes with them; one that nobody took is closed."""
        cdef libc.msghdr header
        cdef libc.iovec piece
        cdef char control[64]
        cdef libc.cmsghdr *rights
        cdef Py_ssize_t got
        memset(&header, 0, sizeof(header))
        piece.iov_base, piece.iov_len = into, room
        header.msg_iov, header.msg_iovlen = &piece, 1
        header.msg_control, header.msg_controllen = control, libc.CMSG_LEN(sizeof(int))     # its padding would take a second one
        with nogil:
            got = libc.recvmsg(self.sock, &header, libc.MSG_CMSG_CLOEXEC)
            while got < 0 and libc.errno == libc.EINTR:
                got = libc.recvmsg(self.sock, &header, libc.MSG_CMSG_CLOEXEC)
        rights = libc.CMSG_FIRSTHDR(&header) if got > 0 else NULL
        if rights != NULL and rights.cmsg_level == libc.SOL_SOCKET and rights.cmsg_type == libc.SCM_RIGHTS:
            if self.given >= 0:
                libc.close(self.given)
            memcpy(&self.given, libc.CMSG_DATA(rights), sizeof(int))
        return got

    def Tversion(self, unsigned int msize, bytes version):
        """Start afresh, in the dialect that both speak."""
        if msize < MSIZE_MIN:
            raise Errno(EINVAL)
        self.fids.clear()
        self.msize = min(msize, <unsigned int> MSIZE_MAX)
        self.extended = version == VERSION_EXTENDED
        spoken = VERSION_EXTENDED if self.extended else VERSION_PLAIN if version.startswith(VERSION_PLAIN) else None
        for number, name, _ in MESSAGES:
            if number != TVERSION:
                usable = spoken and (self.extended or number < FIRST_EXTENDED)
                self.handlers[number] = getattr(self, name, None) if usable else None
        return self.msize, spoken or b"unknown"

    cdef Fid fid(self, unsigned int number):
        """The fid; EBADF."""
        fid = self.fids.get(number)
        if fid is None:
            raise Errno(EBADF)
        return fid

    cdef int set_fid(self, unsigned int number, Fid fid) except -1:
        """Put a new fid into the table; its number must be free."""
        if number in self.fids:
            raise Errno(EBADF)
        if len(self.fids) >= MAX_FIDS:
            raise Errno(EMFILE)
        self.fids[number] = fid
        return 0

    cdef Py_ssize_t take_messages(self, const unsigned char *data, Py_ssize_t size) except -2:
        """Answer the whole messages in data; how many bytes they were, -1 to hang up."""
        cdef Py_ssize_t at = 0
        cdef unsigned int length = 0
        while size - at >= HEADER:
            memcpy(&length, data + at, 4)
            if length < HEADER or length > self.msize:
                return -1
            if length > size - at:
                break
            if not self.answer(data + at, length):
                return -1
            at += length
        return at

    cdef bint answer(self, const unsigned char *message, Py_ssize_t size) except -1:
        """Handle one message; False if the client is gone."""
        cdef unsigned short tag = 0
        memcpy(&tag, message + 5, 2)
        cdef int number = 0
        cdef bytes reply = None
        try:
            reply = self.reply_to(message, size)
        except Errno as error:
            number = (<Errno> error).number
        except WireError:
            number = EPROTO
        except OverflowError:
            number = EINVAL
        except MemoryError:
            number = ENOMEM
        if number:
            self.drop_donation()
            reply = emit_values(layout_of(RLERROR), tag, (number,))
        return reply is None or self.send(reply)

    cdef bytes reply_to(self, const unsigned char *message, Py_ssize_t size):
        cdef Layout layout = layout_of(message[4])
        cdef unsigned short tag = 0
        memcpy(&tag, message + 5, 2)
        handler = self.handlers[message[4]]
        if handler is None:
            raise Errno(ENOSYS)
        values = handler(*parse_body(layout, message + HEADER, size - HEADER))
        if values is None:
            return None
        reply = emit_values(layout_of(layout.number + 1), tag, values)
        if PyBytes_GET_SIZE(reply) > self.msize:
            raise Errno(EIO)
        return reply

    cdef bint send(self, bytes reply):
        """Send the reply, with the donated descriptor if there is one; False if the client is gone."""
        cdef libc.msghdr header
        cdef libc.iovec piece
        cdef char control[64]
        cdef libc.cmsghdr *rights
        cdef Py_ssize_t sent
        memset(&header, 0, sizeof(header))
        piece.iov_base = PyBytes_AS_STRING(reply)
        piece.iov_len = PyBytes_GET_SIZE(reply)
        header.msg_iov = &piece
        header.msg_iovlen = 1
        if self.donation >= 0:
            header.msg_control = control
            header.msg_controllen = libc.CMSG_SPACE(sizeof(int))
            rights = libc.CMSG_FIRSTHDR(&header)
            rights.cmsg_level = libc.SOL_SOCKET
            rights.cmsg_type = libc.SCM_RIGHTS
            rights.cmsg_len = libc.CMSG_LEN(sizeof(int))
            memcpy(libc.CMSG_DATA(rights), &self.donation, sizeof(int))
        while piece.iov_len:
            with nogil:
                sent = libc.sendmsg(self.sock, &header, libc.MSG_NOSIGNAL)
                while sent < 0 and libc.errno == libc.EINTR:
                    sent = libc.sendmsg(self.sock, &header, libc.MSG_NOSIGNAL)
            if sent <= 0:
                break
            header.msg_control = NULL
            header.msg_controllen = 0
            piece.iov_base = <char *> piece.iov_base + sent
            piece.iov_len -= sent
        self.drop_donation()
        return piece.iov_len == 0

    cdef void drop_donation(self):
        if self.donation >= 0:
            libc.close(self.donation)
            self.donation = -1
