# SPDX-License-Identifier: Apache-2.0
"""System V message queues (msgop(2))."""

import struct

from kernel.ipc.ids import IpcObject
from kernel.sync.waitqueue import WaitQueue

MSGMAX, MSGMNB, MSGMNI = 8192, 16384, 32000
MSG_EXCEPT = 0o20000
DS = struct.Struct("<qqqQQQiiQQ")  # struct msqid64_ds behind its ipc64_perm


class MessageQueue(IpcObject):
    """Messages in the order of their arrival: (type, bytes)."""

    def __init__(self, creds, key, mode, now):
        super().__init__(creds, key, mode)
        self.messages = []
        self.nr_bytes = 0
        self.max_bytes = MSGMNB
        self.senders, self.receivers = WaitQueue(), WaitQueue()
        self.stime = self.rtime = 0
        self.ctime = now
        self.lspid = self.lrpid = 0
        self.removed = False

    def has_room(self, size):
        """A message of that size may be sent now; empty ones count as well."""
        return self.nr_bytes + size <= self.max_bytes and len(self.messages) < self.max_bytes

    def put(self, kind, text, pid, now):
        """Append."""
        self.messages.append((kind, text))
        self.nr_bytes += len(text)
        self.lspid, self.stime = pid, now
        self.receivers.wake()

    def find(self, kind, flags):
        """Index of the message that msgrcv(2) would take; None."""
        candidates = enumerate(self.messages)
        if kind == 0:
            return next((index for index, _ in candidates), None)
        if kind > 0:
            other = bool(flags & MSG_EXCEPT)
            return next((index for index, (found, _) in candidates if (found != kind) == other), None)
        low = [(found, index) for index, (found, _) in candidates if found <= -kind]
        return min(low)[1] if low else None

    def take(self, index, pid, now):
        """Remove."""
        _, text = self.messages.pop(index)
        self.nr_bytes -= len(text)
        self.lrpid, self.rtime = pid, now
        self.senders.wake()

    def mark_removed(self, table):
        """IPC_RMID: whoever waits hears EIDRM."""
        table.remove(self)
        self.removed = True
        self.senders.wake()
        self.receivers.wake()

    def pack(self):
        """struct msqid64_ds."""
        times = (self.stime, self.rtime, self.ctime)
        return self.pack_perm() + DS.pack(*times, self.nr_bytes, len(self.messages), self.max_bytes, self.lspid, self.lrpid, 0, 0)

    def figures(self):
        """The rest of its line in /proc/sysvipc/msg."""
        counts = f"{self.nr_bytes:11} {len(self.messages):10} {self.lspid:5} {self.lrpid:5}"
        return f"{counts} {self.owners()} {self.stime:10} {self.rtime:10} {self.ctime:10}"
