# SPDX-License-Identifier: Apache-2.0
"""Descriptors on their way into traced processes: SCM_RIGHTS over one socket pair, whose far end every process inherits at SOCKET.

Only the thread that an order was given to reads it, at once, so there is never more than one message under way; what a thread that
died left behind is taken out before the next.
"""

import posix
import socket
import struct

from kernel.platform.ptrace.code import DATA

SOCKET = 3
MSG_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
# struct msghdr, its iovec and its control buffer, on the data page
CONTROL = DATA + 0x300
CONTROL_BYTES = 24
RECEIVED = CONTROL + 16
MESSAGE = struct.pack("<QQQQQQQ", 0, 0, DATA + 0x100, 1, CONTROL, CONTROL_BYTES, 0)
HEADER = MESSAGE.ljust(0x100, b"\0") + struct.pack("<QQ", DATA + 0x200, 16)


class Courier:
    """The sentry's ends."""

    def __init__(self):
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(self, fd):
        """OSError when it can't."""
        self.take_back()
        self.near.sendmsg([b"d"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))], socket.MSG_DONTWAIT)

    def take_back(self):
        """What was not fetched."""
        while True:
            try:
                _, ancillary, _, _ = self.far.recvmsg(16, socket.CMSG_SPACE(4), MSG_FLAGS)
            except BlockingIOError:
                return
            for _, _, data in ancillary:
                posix.close(struct.unpack("i", data[:4])[0])
