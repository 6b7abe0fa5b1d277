# SPDX-License-Identifier: Apache-2.0
# AF_UNIX sockets.

from kernel.mm.userbuffer cimport UserBuffer
from net.socket.socket cimport Message, Socket


cdef class Record:                       # what one send left in a queue
    cdef public bytes data
    cdef public Py_ssize_t offset        # bytes of data that were received already
    cdef public list files               # each with a reference; None
    cdef public tuple creds              # (pid, uid, gid) of the sender
    cdef public bytes name               # sender's name; None


cdef class UnixSocket(Socket):
    cdef public object kernel
    cdef public object records           # deque of Record
    cdef public long queued              # bytes in them
    cdef public UnixSocket peer          # connected to; None
    cdef public bint peer_gone           # was connected, and the other end is closed
    cdef public bytes name               # None: unnamed
    cdef public object bound_inode
    cdef public tuple creds              # of who made, or listens on, the socket
    cdef public tuple peer_creds         # None: not connected
    cdef public frozenset peer_groups
    cdef Record make_record(self, object task, bytes data, Message message)
    cdef int queue_record(self, Record record) except -1
    cdef long charged(self)
    cdef int give_ancillary(self, Record record, Message message, bint peek) except -1
    cdef int consumed(self, long count) except -1


cdef class UnixStream(UnixSocket):
    cdef public bint listening
    cdef public int backlog
    cdef public object accepting         # deque of UnixStream: connections not accepted yet
    cdef public UnixStream connecting_to # listener whose backlog is full
    cdef long send_bytes(self, object task, UserBuffer buf, Message message) except? -1
    cdef long send_packet(self, object task, UserBuffer buf, Message message) except? -1
    cdef long receive_bytes(self, UserBuffer buf, Message message, int flags) except? -1
    cdef long receive_packet(self, UserBuffer buf, Message message, int flags) except? -1
    cdef long nothing_there(self) except? -1


cdef class UnixDatagram(UnixSocket):
    cdef dict blocked_senders            # UnixDatagram -> None: wait for room here
    cdef bint full(self)
