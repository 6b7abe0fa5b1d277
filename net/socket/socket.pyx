# SPDX-License-Identifier: Apache-2.0
"""Sockets: the interface that the socket calls use, and what is the same for every family (socket(7)).

As with all files a socket never waits: what would block answers -EAGAIN, and the system call decides. Addresses are sockaddr bytes, family
first.
"""

import struct

from fs.anon.inode cimport AnonFileSystem, AnonInode
from fs.vfs.path cimport anonymous_path
from kernel.abi.errno cimport EDOM, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM, Errno
from kernel.abi.fs cimport O_RDWR, S_IFSOCK
from kernel.abi.net cimport (
    SO_ACCEPTCONN, SO_BROADCAST, SO_DEBUG, SO_DOMAIN, SO_DONTROUTE, SO_ERROR, SO_KEEPALIVE, SO_LINGER, SO_MARK, SO_NO_CHECK, SO_OOBINLINE,
    SO_PASSCRED, SO_PASSSEC, SO_PRIORITY, SO_PROTOCOL, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT,
    SO_SNDBUF, SO_SNDBUFFORCE, SO_SNDLOWAT, SO_SNDTIMEO, SO_TIMESTAMP, SO_TYPE, SOL_SOCKET,
)
from kernel.abi.task cimport CAP_NET_ADMIN

cdef enum:
    SOCKFS_MAGIC = 0x534f434b
    DEFAULT_BUFFER = 212992
    MAX_BUFFER = 212992
    MIN_SNDBUF = 4608
    MIN_RCVBUF = 2304

FLAG_OPTIONS = {SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_REUSEPORT, SO_PASSCRED, SO_PASSSEC,
                SO_TIMESTAMP, SO_NO_CHECK}
INT_OPTIONS = {SO_PRIORITY, SO_MARK, SO_RCVLOWAT}


cdef class SocketFileSystem(AnonFileSystem):
    """sockfs: gives each socket its inode."""

    cpdef dict statfs(self):
        return {"type": SOCKFS_MAGIC, "bsize": 4096, "namelen": 255, "frsize": 4096}


cdef SocketFileSystem sockets = SocketFileSystem("sockfs")
cdef unsigned long last_ino = 0


cdef class Message:
    """The parts of a message that are not its bytes."""


cdef class Socket(File):
    """A socket of any family."""

    def __init__(self, int domain, int type, int protocol):
        global last_ino
        last_ino += 1
        self.domain, self.type, self.protocol = domain, type, protocol
        self.sndbuf = self.rcvbuf = DEFAULT_BUFFER
        self.rcvlowat = 1
        self.options = {}
        self.inode = AnonInode(sockets, last_ino, S_IFSOCK | 0o777)
        self.path = anonymous_path(self.inode, b"socket:[%d]" % last_ino)
        self.flags = O_RDWR

    cpdef bind(self, object task, bytes address):
        """bind(2)."""
        raise Errno(EOPNOTSUPP)

    cpdef long connect(self, object task, bytes address) except? -1:
        """connect(2): 0, -errno, or -EAGAIN if it has to wait for poll_queue()."""
        return -EOPNOTSUPP

    cpdef listen(self, object task, int backlog):
        """listen(2)."""
        raise Errno(EOPNOTSUPP)

    cpdef Socket accept(self, object task):
        """A connection, or None if there is none yet."""
        raise Errno(EOPNOTSUPP)

    cpdef bytes getsockname(self):
        """Our address."""
        raise Errno(EOPNOTSUPP)

    cpdef bytes getpeername(self):
        """The peer's address; ENOTCONN."""
        raise Errno(ENOTCONN)

    cpdef shutdown(self, int how):
        """shutdown(2): how is SHUT_RD, SHUT_WR or SHUT_RDWR."""
        raise Errno(EOPNOTSUPP)

    cpdef long sendmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        """Send from buf: the count or -errno. -EAGAIN: no room."""
        return -EOPNOTSUPP

    cpdef long recvmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        """Receive into buf and message: the count (with MSG_TRUNC in flags, the real length), 0 at the end, or -errno."""
        return -EOPNOTSUPP

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Message message = Message()
        return self.recvmsg(task, buf, message, 0)

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        return self.sendmsg(task, buf, Message(), 0)

    cpdef int take_error(self):
        """SO_ERROR: the pending error, which is gone afterwards."""
        error, self.error = self.error, 0
        return error

    cpdef bytes getsockopt(self, object task, int level, int name, int length):
        """The value of an option."""
        if level != SOL_SOCKET:
            raise Errno(EOPNOTSUPP)
        if name == SO_RCVTIMEO or name == SO_SNDTIMEO:
            value = self.rcvtimeo_ns if name == SO_RCVTIMEO else self.sndtimeo_ns
            return struct.pack("<2q", value // 1000000000, value % 1000000000 // 1000)
        if name == SO_LINGER:
            return self.options.get((level, name), bytes(8))
        if name in FLAG_OPTIONS or name in INT_OPTIONS:
            return self.options.get((level, name), (1 if name == SO_RCVLOWAT else 0).to_bytes(4, "little"))
        fixed = {SO_TYPE: self.type, SO_DOMAIN: self.domain, SO_PROTOCOL: self.protocol, SO_SNDBUF: self.sndbuf, SO_RCVBUF: self.rcvbuf,
                 SO_SNDLOWAT: 1, SO_ACCEPTCONN: int(self.is_listening())}
        if name == SO_ERROR:
            return self.take_error().to_bytes(4, "little")
        if name not in fixed:
            raise Errno(ENOPROTOOPT)
        return fixed[name].to_bytes(4, "little")

    def is_listening(self):
        """SO_ACCEPTCONN."""
        return False

    cpdef setsockopt(self, object task, int level, int name, bytes value):
        """Set an option of SOL_SOCKET."""
        if level != SOL_SOCKET:
            raise Errno(ENOPROTOOPT)
        if name == SO_RCVTIMEO or name == SO_SNDTIMEO:
            self.set_timeout(name, value)
            return
        if name == SO_LINGER:
            if len(value) < 8:
                raise Errno(EINVAL)
            self.options[level, name] = value[:8]
            return
        if len(value) < 4:
            raise Errno(EINVAL)
        number = int.from_bytes(value[:4], "little", signed=True)
        if name in (SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            self.set_buffer(task, name, number)
        elif name in FLAG_OPTIONS:
            self.options[level, name] = int(number != 0).to_bytes(4, "little")
        elif name in INT_OPTIONS:
            if name == SO_MARK and not task.creds.capable(CAP_NET_ADMIN):
                raise Errno(EPERM)
            self.options[level, name] = value[:4]
            if name == SO_RCVLOWAT:
                self.rcvlowat = max(number, 1)
        else:
            raise Errno(ENOPROTOOPT)

    def set_timeout(self, int name, bytes value):
        """A struct timeval; 0 waits for ever."""
        if len(value) < 16:
            raise Errno(EINVAL)
        seconds, microseconds = struct.unpack("<2q", value[:16])
        if not 0 <= microseconds < 1000000:
            raise Errno(EDOM)
        timeout = min(max(seconds, 0) * 1000000000 + microseconds * 1000, 1 << 62)
        if name == SO_RCVTIMEO:
            self.rcvtimeo_ns = timeout
        else:
            self.sndtimeo_ns = timeout

    def set_buffer(self, task, int name, long number):
        """SO_SNDBUF and SO_RCVBUF: doubled, within limits, as Linux does."""
        forced = name in (SO_SNDBUFFORCE, SO_RCVBUFFORCE)
        if forced and not task.creds.capable(CAP_NET_ADMIN):
            raise Errno(EPERM)
        if not forced:
            number = min(max(number, 0), MAX_BUFFER)
        doubled = min(2 * max(number, 0), 0x7fffffff)
        if name in (SO_SNDBUF, SO_SNDBUFFORCE):
            self.sndbuf = max(doubled, MIN_SNDBUF)
        else:
            self.rcvbuf = max(doubled, MIN_RCVBUF)

    cdef bint option(self, int name):
        return self.options.get((SOL_SOCKET, name), b"\0")[0] != 0
