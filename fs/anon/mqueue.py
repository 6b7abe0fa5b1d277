# SPDX-License-Identifier: Apache-2.0
"""POSIX message queues (mq_overview(7)): the queue, and the open file of it.

Messages go by priority, and by age among equals. Deliberately absent: the mqueue file system, in which queues have names as files; names
are a table of the IPC namespace.
"""

from fs.anon.inode import anon_inode
from fs.vfs.file import File
from kernel.abi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.sync.waitqueue import WaitQueue

READABLE, WRITABLE = POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM


class MessageQueue:
    """One queue; it lives as long as its name or an open file of it."""

    def __init__(self, name, mode, creds, max_messages, message_size):
        self.name = name
        self.mode = mode
        self.uid, self.gid = creds.fsuid, creds.fsgid
        self.max_messages = max_messages
        self.message_size = message_size
        self.messages = []  # (priority, bytes), the next one first
        self.waiters = WaitQueue()
        self.notification = None  # (ThreadGroup, function of the sender) to be told of the first message

    def permits(self, creds, wanted):
        """The permission bits `wanted` (of 7) are granted by mode; capabilities are the caller's business."""
        shift = 6 if creds.fsuid == self.uid else 3 if creds.in_group(self.gid) else 0
        return not wanted & ~(self.mode >> shift)

    def put(self, priority, text, sender):
        """Add a message; whoever registered hears of the first one that nobody waits for."""
        place = next((i for i, (other, _) in enumerate(self.messages) if other < priority), len(self.messages))
        was_empty = not self.messages
        self.messages.insert(place, (priority, text))
        if was_empty and self.notification is not None and self.waiters.wake(READABLE) == 0:
            _, tell = self.notification
            self.notification = None
            tell(sender)
            return
        self.waiters.wake(READABLE)

    def take(self):
        """(priority, bytes) of the next message."""
        message = self.messages.pop(0)
        self.waiters.wake(WRITABLE)
        return message

    def is_full(self):
        """As many messages as may wait."""
        return len(self.messages) >= self.max_messages


class MqueueFile(File):
    """A message queue descriptor."""

    def __init__(self, queue, flags):
        self.inode = anon_inode(b"[mqueue]")
        self.path = self.inode.path
        self.flags = flags
        self.queue = queue
        self.waiters = queue.waiters

    def poll(self):
        """POLLIN with a message, POLLOUT with room for one."""
        return (READABLE if self.queue.messages else 0) | (0 if self.queue.is_full() else WRITABLE)
