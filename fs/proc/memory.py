# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/mem: the memory of a process, for who might trace it."""

from fs.proc.nodes import Node
from fs.vfs.file import File
from kernel.abi.errno import EINVAL, EIO, Errno
from kernel.abi.fs import S_IFREG

CHUNK = 65536
SEEK_SET, SEEK_CUR = 0, 1


class MemFile(Node):
    """The inode; opening it is what is checked."""

    def __init__(self, fs, ino, target):
        Node.__init__(self, fs, ino, S_IFREG | 0o600)
        self.target = target

    def open(self, task, flags):
        self.target.require(task)
        return MemHandle(self, self.target.mm, self.target)


class MemHandle(File):
    """Bound to the address space it was opened on: after execve it reads nothing."""

    def __init__(self, inode, mm, target):
        self.inode = inode
        self.mm = mm
        self.target = target

    def owner_task(self):
        """A task that lives in the address space; None."""
        return next((task for task in self.target.group.tasks.values() if task.mm is self.mm and self.mm is not None), None)

    def read(self, task, buf, pos):
        owner = self.owner_task()
        if owner is None or not buf.left():
            return 0
        data = owner.copy_in_some(pos & 0xFFFFFFFFFFFFFFFF, min(buf.left(), CHUNK))
        return buf.put(data) if data else -EIO

    def write(self, task, buf, pos):
        owner = self.owner_task()
        if owner is None or not buf.left():
            return 0
        data = buf.take(min(buf.left(), CHUNK))
        return owner.copy_out_some(pos & 0xFFFFFFFFFFFFFFFF, data) or -EIO

    def seekable(self):
        return True

    def seek(self, offset, whence):
        if whence not in (SEEK_SET, SEEK_CUR):
            raise Errno(EINVAL)
        position = offset + (self.pos if whence == SEEK_CUR else 0) & 0xFFFFFFFFFFFFFFFF
        self.pos = position - ((position & 1 << 63) << 1)  # addresses of the upper half are negative positions
        return self.pos
