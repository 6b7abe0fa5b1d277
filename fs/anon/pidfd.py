# SPDX-License-Identifier: Apache-2.0
"""A process as a file (pidfd_open(2)): readable once it has ended; `group` is what pidfd_send_signal and waitid(P_PIDFD) look at."""

from fs.anon.inode import anon_inode
from fs.vfs.file import File
from kernel.abi.fs import O_RDWR
from kernel.abi.poll import POLLHUP, POLLIN, POLLRDNORM


class PidFile(File):
    """Refers to one process for good: its number may be given to another one later."""

    def __init__(self, group, flags=0):
        self.inode = anon_inode(b"[pidfd]")
        self.path = self.inode.path
        self.flags = O_RDWR | flags
        self.group = group
        self.waiters = group.exit_event

    def poll(self):
        if not self.group.zombie:
            return 0
        reaped = self.group.kernel.groups.get(self.group.pid) is not self.group
        return POLLIN | POLLRDNORM | (POLLHUP if reaped else 0)

    def fdinfo(self):
        """Lines of /proc/[pid]/fdinfo."""
        reaped = self.group.kernel.groups.get(self.group.pid) is not self.group
        pid = -1 if reaped else self.group.pid
        return [f"Pid:\t{pid}", f"NSpid:\t{pid}"]
