# SPDX-License-Identifier: Apache-2.0
"""A task that is none, and files of the host, for tests of kernel.mm and kernel.loader without a sandbox."""

import os
from functools import partial

from fs.vfs.fdtable import FdTable
from fs.vfs.file import File
from fs.vfs.inode import FileSystem, Inode
from kernel.abi.errno import ENODEV, ENOENT, Errno
from kernel.mm.mm import MM
from kernel.sync.runqueue import RunQueue
from kernel.syscalls.table import rows
from kernel.task.creds import Creds
from kernel.task.group import ThreadGroup
from kernel.task.limits import Limits
from kernel.task.task import Task
from kernel.time.clock import MockClock

LOW, HIGH = 0x10000, 0x7FFE00000000
LIMITS = {"min_address": LOW, "guest_end": HIGH, "minsigstksz": 2048, "hwcap": 0x178BFBFF, "hwcap2": 2, "vdso": 0}
O_RDWR = 2


class HostFile(File):
    """A file of the host, for mapping and reading."""

    def __init__(self, path, flags=os.O_RDONLY, mode=0o100755, uid=0, gid=0):
        try:
            self.fd = os.open(path, flags)
        except OSError as error:
            raise Errno(error.errno) from None
        self.flags = flags
        self.inode = HostInode(FileSystem("host"), 1, mode)
        self.inode.uid, self.inode.gid = uid, gid

    def read(self, task, buf, pos):
        return buf.put(os.pread(self.fd, buf.left(), pos))

    def mmap_descriptor(self, prot, flags, offset, length):
        return self.fd, offset


class NoFile(File):
    """One that can't be mapped."""

    def mmap_descriptor(self, prot, flags, offset, length):
        raise Errno(ENODEV)


class HostInode(Inode):
    """Of a HostFile; it has no attributes."""

    def getxattr(self, name):
        raise Errno(ENOENT)


class FakeKernel:
    """As much of the kernel as a task is made of."""

    def __init__(self):
        self.clock = MockClock()
        self.groups = {}

    def run_queue(self):
        return RunQueue()


class World(Task):
    """A task without a thread; host_calls are collected in `calls` and fail with `refusal` if that is set."""

    def __init__(self, mm=None, capabilities=0, uid=1000):
        kernel = FakeKernel()
        super().__init__(kernel, 7, ThreadGroup(kernel, 7, None))
        self.mm = mm or MM(LOW, HIGH)
        if mm is None:
            self.mm.mmap_base = 0x7FF000000000
            self.mm.brk = self.mm.start_brk = 0x10000000
        self.creds = Creds(uid, uid, (), capabilities)
        self.group.limits = Limits()
        self.state = 1
        self.files = FdTable()
        self.calls = []
        self.refusal = 0

    def host_calls(self, calls, result, then=None, failed=None):
        self.calls += calls
        if self.refusal:
            refusal, self.refusal = self.refusal, 0
            results = [(calls[0][0], refusal)]
            return (then or failed)(self, results) if then or failed else refusal
        return result if then is None else then(self, [(call[0], 0) for call in calls])


def attempt(number, task, *registers):
    """A system call as the kernel makes it: count, -errno, or Errno raised."""
    row = next(row for row in rows() if row.number == number)
    return row.attempt(task, registers)


sys_mmap = partial(attempt, 9)
sys_mprotect = partial(attempt, 10)
sys_munmap = partial(attempt, 11)
sys_brk = partial(attempt, 12)
