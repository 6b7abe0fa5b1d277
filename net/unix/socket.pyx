# SPDX-License-Identifier: Apache-2.0
"""AF_UNIX sockets: stream, datagram and seqpacket, with descriptors and credentials (unix(7)).

A send leaves a Record in the receiver's queue; the sender's SO_SNDBUF bounds what may wait there. Whoever takes something out wakes the
sender. Deliberately absent: out-of-band data; collection of sockets that only wait in each other's queues (they go with the sandbox).
"""

import struct
from _collections import deque

from kernel.abi.errno cimport (
    EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, EISCONN, EMSGSIZE, ENODATA, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE, Errno,
)
from kernel.abi.net cimport (
    AF_UNIX, MSG_EOR, MSG_OOB, MSG_PEEK, MSG_TRUNC, SHUT_RD, SHUT_RDWR, SHUT_WR, SIOCINQ, SIOCOUTQ, SO_PASSCRED, SO_PEERCRED,
    SO_PEERGROUPS, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
)
from kernel.abi.poll cimport POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM

from net.unix import names

cdef enum:
    READABLE = POLLIN | POLLRDNORM
    WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND
    RECEIVE_SHUT = 1
    SEND_SHUT = 2
    CHUNK = 65536
    MAX_DATAGRAMS = 512
    RECORD_CHARGE = 768                  # what a record costs besides its bytes, as Linux charges its buffers


cdef tuple creds_of(task):
    return (task.group.pid, task.creds.uid, task.creds.gid)


cdef class Record:
    """Bytes that were sent at once, and what came with them."""


cdef class UnixSocket(Socket):
    """What the three types have in common."""

    def __init__(self, task, int type):
        Socket.__init__(self, AF_UNIX, type, 0)
        self.kernel = task.kernel
        self.records = deque()
        self.creds = creds_of(task)

    cpdef bind(self, object task, bytes address):
        if self.name is not None:
            raise Errno(EINVAL)
        self.name = names.bind_name(task, self, names.parse(address))

    cpdef bytes getsockname(self):
        return names.sockaddr(self.name)

    cpdef bytes getpeername(self):
        if self.peer is None and not self.peer_gone:
            raise Errno(ENOTCONN)
        return names.sockaddr(self.peer.name if self.peer is not None else None)

    cpdef bytes getsockopt(self, object task, int level, int name, int length):
        if level == SOL_SOCKET and name == SO_PEERCRED:
            return struct.pack("<iII", *(self.peer_creds or (0, 0xffffffff, 0xffffffff)))
        if level == SOL_SOCKET and name == SO_PEERGROUPS:
            if self.peer_groups is None:
                raise Errno(ENODATA)
            return struct.pack(f"<{len(self.peer_groups)}I", *sorted(self.peer_groups))
        return Socket.getsockopt(self, task, level, name, length)

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        if command == SIOCINQ:
            task.copy_out(argument, (<int> self.waiting_bytes()).to_bytes(4, "little"))
        elif command == SIOCOUTQ:
            task.copy_out(argument, (<int> (self.peer.queued if self.peer is not None else 0)).to_bytes(4, "little"))
        else:
            return Socket.ioctl(self, task, command, argument)
        return 0

    def waiting_bytes(self):
        """FIONREAD: all bytes of a stream, the next message otherwise."""
        if self.type == SOCK_STREAM:
            return self.queued
        return len(self.records[0].data) if self.records else 0

    cdef Record make_record(self, object task, bytes data, Message message):
        cdef Record record = Record()
        record.data, record.name = data, self.name
        record.creds = message.creds or creds_of(task)
        if message.files is not None:
            record.files = [file.get() for file in message.files]
        return record

    cdef int queue_record(self, Record record) except -1:
        """Put a record into our queue, and tell who waits for it."""
        self.records.append(record)
        self.queued += len(record.data)
        self.waiters.wake(READABLE)
        return 0

    cdef long charged(self):
        """What the queue counts against buffer limits: small and empty messages take our memory, too."""
        return self.queued + RECORD_CHARGE * <long> len(self.records)

    cdef int give_ancillary(self, Record record, Message message, bint peek) except -1:
        """Hand over descriptors (a receiver that only looks gets its own references) and credentials."""
        if record.files is not None:
            if peek:
                message.files = [file.get() for file in record.files]
            else:
                message.files, record.files = record.files, None
        if self.option(SO_PASSCRED):
            message.creds = record.creds
        return 0

    cdef int consumed(self, long count) except -1:
        """Bytes left the queue: there is room for the sender."""
        self.queued -= count
        if self.peer is not None:
            self.peer.waiters.wake(WRITABLE)
        return 0

    def autobind(self, task):
        """A socket that passes credentials needs a name that its receivers can answer to."""
        if self.option(SO_PASSCRED) and self.name is None:
            self.name = names.bind_name(task, self, b"")

    cpdef release(self):
        names.unbind(self.kernel, self)
        self.disconnect()
        while self.records:
            for file in self.records.popleft().files or ():
                file.put()
        self.queued = 0

    def disconnect(self):
        """The last descriptor is closed: the peer learns of it."""
        peer, self.peer = self.peer, None
        if peer is not None and peer.peer is self:
            peer.peer = None
            peer.peer_gone = True
            if self.records and self.type != SOCK_DGRAM:
                peer.error = ECONNRESET
            peer.waiters.wake(READABLE | WRITABLE | POLLHUP | POLLRDHUP | POLLERR)

    cpdef shutdown(self, int how):
        cdef int bits
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise Errno(EINVAL)
        bits = how + 1
        self.shut |= bits
        self.waiters.wake(READABLE | WRITABLE | POLLHUP | POLLRDHUP)
        if self.peer is not None and self.type != SOCK_DGRAM:
            self.peer.shut |= (RECEIVE_SHUT if bits & SEND_SHUT else 0) | (SEND_SHUT if bits & RECEIVE_SHUT else 0)
            self.peer.waiters.wake(READABLE | WRITABLE | POLLHUP | POLLRDHUP)


cdef class UnixStream(UnixSocket):
    """SOCK_STREAM and SOCK_SEQPACKET: connections."""

    def is_listening(self):
        return self.listening

    cpdef listen(self, object task, int backlog):
        if self.name is None or self.peer is not None or self.peer_gone:
            raise Errno(EINVAL)
        self.listening = True
        self.backlog = min(backlog if backlog >= 0 else 4096, 4096)
        if self.accepting is None:
            self.accepting = deque()
        self.creds = creds_of(task)
        self.waiters.wake(WRITABLE)

    cpdef long connect(self, object task, bytes address) except? -1:
        cdef UnixStream listener
        self.connecting_to = None
        if self.listening:
            return -EINVAL
        if self.peer is not None or self.peer_gone:
            return -EISCONN
        listener = names.find(task, names.parse(address), self.type)
        if not listener.listening or listener.shut & RECEIVE_SHUT:
            return -ECONNREFUSED
        if len(listener.accepting) > listener.backlog:
            self.connecting_to = listener
            return -EAGAIN
        self.autobind(task)
        listener.take_connection(task, self)
        return 0

    def take_connection(self, task, UnixStream client):
        """Make our end of a connection; accept() gets it."""
        cdef UnixStream served = UnixStream(task, self.type)
        served.name, served.creds = self.name, self.creds
        served.options = dict(self.options)
        join(client, served, creds_of(task), self.creds, task.creds.groups)
        self.accepting.append(served)
        self.waiters.wake(READABLE)

    def connect_queue(self):
        """Where connect waits for room in the backlog."""
        return self.waiters if self.connecting_to is None else self.connecting_to.waiters

    cpdef Socket accept(self, object task):
        if not self.listening:
            raise Errno(EINVAL)
        if self.accepting:
            served = self.accepting.popleft()
            self.waiters.wake(WRITABLE)
            return served
        if self.shut & RECEIVE_SHUT:
            raise Errno(EINVAL)
        return None

    cpdef release(self):
        while self.accepting:
            waiting = self.accepting.popleft()
            if waiting.peer is not None:
                waiting.peer.error = ECONNRESET
            waiting.put()
        if self.listening:
            self.listening = False
            self.waiters.wake(WRITABLE)
        UnixSocket.release(self)

    cpdef unsigned int poll(self) except? 0xffffffff:
        cdef unsigned int events = 0
        if self.listening:
            return READABLE if self.accepting else 0
        if self.error:
            events |= POLLERR
        if self.records or self.shut & RECEIVE_SHUT or self.peer_gone:
            events |= READABLE
        if self.shut & RECEIVE_SHUT or self.peer_gone:
            events |= POLLRDHUP
        if self.peer is None:
            return events | WRITABLE | POLLHUP
        if self.shut == RECEIVE_SHUT | SEND_SHUT:
            events |= POLLHUP
        if self.peer.charged() * 4 <= self.sndbuf:
            events |= WRITABLE
        return events

    cpdef long sendmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if message.name is not None and self.type == SOCK_STREAM:
            return -EISCONN if self.peer is not None else -EOPNOTSUPP
        if self.error:
            return -self.take_error()
        if self.peer is None and not self.peer_gone:
            return -ENOTCONN
        if self.shut & SEND_SHUT or self.peer_gone or self.peer.shut & RECEIVE_SHUT:
            return -EPIPE
        self.autobind(task)
        if self.type == SOCK_STREAM:
            return self.send_bytes(task, buf, message)
        return self.send_packet(task, buf, message)

    cdef long send_bytes(self, object task, UserBuffer buf, Message message) except? -1:
        """As much as there is room for."""
        cdef long room = self.sndbuf - self.peer.charged()
        cdef bytes data
        if buf.left() == 0:
            return 0
        if room <= 0:
            return -EAGAIN
        data = buf.take(min(room, <long> CHUNK))
        self.peer.queue_record(self.make_record(task, data, message))
        return len(data)

    cdef long send_packet(self, object task, UserBuffer buf, Message message) except? -1:
        """All at once or nothing."""
        if buf.left() > self.sndbuf:
            return -EMSGSIZE
        if self.peer.records and buf.left() > self.sndbuf - self.peer.charged():
            return -EAGAIN
        data = buf.take(buf.left())
        self.peer.queue_record(self.make_record(task, data, message))
        return len(data)

    cpdef long recvmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if self.listening:
            return -EINVAL
        if not self.records:
            return self.nothing_there()
        if self.type == SOCK_STREAM:
            return self.receive_bytes(buf, message, flags)
        return self.receive_packet(buf, message, flags)

    cdef long nothing_there(self) except? -1:
        if self.error:
            return -self.take_error()
        if self.shut & RECEIVE_SHUT or self.peer_gone:
            return 0
        if self.peer is None:
            return -EINVAL if self.type == SOCK_STREAM else -ENOTCONN
        return -EAGAIN

    cdef long receive_bytes(self, UserBuffer buf, Message message, int flags) except? -1:
        """Bytes of one or more sends; a send with descriptors, or of another sender, ends what is received."""
        cdef Record record, first = None
        cdef bint peek = flags & MSG_PEEK != 0
        cdef long total = 0, put
        coming = iter(self.records) if peek else None
        while self.records and buf.left():
            record = next(coming, None) if peek else self.records[0]
            if record is None:
                break
            if first is not None and (first.files is not None or message.files is not None or record.files is not None
                                      or self.option(SO_PASSCRED) and record.creds != first.creds):
                break
            put = buf.put(memoryview(record.data)[record.offset:record.offset + buf.left()])
            total += put
            if first is None:
                first = record
            if record.files is not None or first is record:
                self.give_ancillary(record, message, peek)
            if peek:
                continue
            record.offset += put
            self.consumed(put)
            if record.offset < len(record.data):
                break
            self.records.popleft()
        return total

    cdef long receive_packet(self, UserBuffer buf, Message message, int flags) except? -1:
        cdef Record record = self.records[0]
        return take_packet(self, record, buf, message, flags)


cdef long take_packet(UnixSocket sock, Record record, UserBuffer buf, Message message, int flags) except? -1:
    """One whole message; what does not fit is lost, and MSG_TRUNC says so."""
    cdef Py_ssize_t length = len(record.data)
    cdef bint peek = flags & MSG_PEEK != 0
    put = buf.put(record.data[:buf.left()]) if length and buf.left() else 0
    if put < length:
        message.flags |= MSG_TRUNC
    if sock.type == SOCK_SEQPACKET:
        message.flags |= MSG_EOR
    sock.give_ancillary(record, message, peek)
    if not peek:
        sock.records.popleft()
        sock.consumed(length)
    return length if flags & MSG_TRUNC else put


cdef int join(UnixSocket a, UnixSocket b, tuple a_creds, tuple b_creds, frozenset a_groups) except -1:
    """Connect two ends."""
    a.peer, b.peer = b, a
    a.peer_creds, b.peer_creds = b_creds, a_creds
    a.peer_groups = b.peer_groups = a_groups
    return 0


cdef class UnixDatagram(UnixSocket):
    """SOCK_DGRAM: messages, with or without a default receiver."""

    def __init__(self, task, int type):
        UnixSocket.__init__(self, task, type)
        self.blocked_senders = {}

    cpdef long connect(self, object task, bytes address) except? -1:
        if address[:2] == b"\0\0":
            self.peer = None
            return 0
        self.autobind(task)
        found = names.find(task, names.parse(address), SOCK_DGRAM)
        if (<UnixDatagram> found).peer is not None and (<UnixDatagram> found).peer is not self:
            return -EPERM
        self.peer = found
        self.peer_gone = False
        return 0

    def disconnect(self):
        """Senders that wait for room here learn that there will be none."""
        UnixSocket.disconnect(self)
        for sender in self.blocked_senders:
            (<UnixDatagram> sender).waiters.wake(WRITABLE)

    cdef bint full(self):
        return len(self.records) >= MAX_DATAGRAMS or self.charged() >= self.rcvbuf

    cpdef unsigned int poll(self) except? 0xffffffff:
        cdef unsigned int events = 0
        if self.error:
            events |= POLLERR
        if self.records or self.shut & RECEIVE_SHUT:
            events |= READABLE
        if self.shut & RECEIVE_SHUT:
            events |= POLLRDHUP
        if self.shut == RECEIVE_SHUT | SEND_SHUT:
            events |= POLLHUP
        if self.peer is None or not (<UnixDatagram> self.peer).full():
            events |= WRITABLE
        else:
            (<UnixDatagram> self.peer).blocked_senders[self] = None
        return events

    cpdef long sendmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        cdef UnixDatagram target = self.peer
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if message.name is not None:
            target = names.find(task, names.parse(message.name), SOCK_DGRAM)
        elif target is None:
            if self.peer_gone:
                self.peer_gone = False
                return -ECONNREFUSED
            return -ENOTCONN
        elif target.refs <= 0:           # closed since
            self.peer = None
            return -ECONNREFUSED
        if self.shut & SEND_SHUT or target.shut & RECEIVE_SHUT:
            return -EPIPE
        if target.peer is not None and target.peer is not self:
            return -EPERM
        if buf.left() > self.sndbuf - 32:
            return -EMSGSIZE
        self.autobind(task)
        if target.full():
            target.blocked_senders[self] = None
            return -EAGAIN
        data = buf.take(buf.left())
        target.queue_record(self.make_record(task, data, message))
        return len(data)

    cpdef long recvmsg(self, object task, UserBuffer buf, Message message, int flags) except? -1:
        cdef Record record
        if not self.records:
            if self.error:
                return -self.take_error()
            return 0 if self.shut & RECEIVE_SHUT else -EAGAIN
        record = self.records[0]
        message.name = names.sockaddr(record.name) if record.name else None
        return take_packet(self, record, buf, message, flags)

    cdef int consumed(self, long count) except -1:
        self.queued -= count
        senders, self.blocked_senders = self.blocked_senders, {}
        for sender in senders:
            (<UnixDatagram> sender).waiters.wake(WRITABLE)
        return 0


def new_socket(task, int type):
    """socket(AF_UNIX, type)."""
    if type == SOCK_DGRAM:
        return UnixDatagram(task, type)
    return UnixStream(task, type)


def new_pair(task, int type):
    """socketpair(AF_UNIX, type)."""
    cdef UnixSocket a = new_socket(task, type), b = new_socket(task, type)
    join(a, b, creds_of(task), creds_of(task), task.creds.groups)
    return a, b
