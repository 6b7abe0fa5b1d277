# SPDX-License-Identifier: Apache-2.0
"""System V shared memory segments (shmget(2), shmat(2)): nameless files of a tmpfs of their own, mapped like any file.

Each attachment opens the segment anew, with rights no greater than it asked for. The number of attachments is the number of mappings that
hold such a File, so that fork, munmap and exit are counted without being told.
"""

import struct

from fs.tmpfs.file import TmpfsFile
from fs.tmpfs.inode import Tmpfs, TmpfsRegular
from fs.vfs.path import anonymous_path
from kernel.abi.fs import O_RDONLY, O_RDWR, S_IFREG
from kernel.ipc.ids import IPC_PRIVATE, IpcObject

SHM_DEST = 0o1000
SHM_LOCKED = 0o2000
SHMMNI = 4096
DS = struct.Struct("<QqqqiiQQQ")  # struct shmid64_ds behind its ipc64_perm

segments_fs = Tmpfs("")


class Segment(IpcObject):
    """One segment."""

    def __init__(self, task, key, size, mode):
        super().__init__(task.creds, key, mode)
        self.size = size
        self.name = b"/SYSV%08x (deleted)" % (key & 0xFFFFFFFF)
        self.inode = TmpfsRegular(segments_fs, S_IFREG | self.mode)
        self.inode.setattr({"size": size})
        self.inode.uid, self.inode.gid, self.inode.nlink = self.uid, self.gid, 0
        self.files = []
        self.cpid, self.lpid = task.group.pid, 0
        self.atime = self.dtime = 0
        self.ctime = now(task)

    def open(self, read_only):
        """A File for one attachment."""
        file = TmpfsFile(self.inode)
        file.flags = O_RDONLY if read_only else O_RDWR
        file.path = anonymous_path(self.inode, self.name)
        self.files.append(file)
        return file

    def nr_attached(self):
        """Mappings of the segment."""
        self.files = [file for file in self.files if file.refs > 0]
        return sum(file.refs for file in self.files)

    def pack(self):
        """struct shmid64_ds."""
        times = (self.atime, self.dtime, self.ctime)
        return self.pack_perm() + DS.pack(self.size, *times, self.cpid, self.lpid, self.nr_attached(), 0, 0)

    def figures(self):
        """The rest of its line in /proc/sysvipc/shm."""
        self.inode.refresh()
        who = f"{self.cpid:5} {self.lpid:5}  {self.nr_attached():5} {self.owners()}"
        return f"{self.size:21} {who} {self.atime:10} {self.dtime:10} {self.ctime:10} {self.inode.blocks * 512:21} {0:21}"

    def mark_removed(self, table):
        """IPC_RMID: gone when the last mapping goes."""
        table.forget_key(self)
        self.key = IPC_PRIVATE
        self.mode |= SHM_DEST


def sweep(table):
    """Forget segments that were removed and that nobody maps any more."""
    for segment in list(table.objects.values()):
        if segment.mode & SHM_DEST and not segment.nr_attached():
            table.remove(segment)


def now(task):
    """Seconds since the epoch."""
    return task.kernel.clock.realtime_ns() // 1000000000
