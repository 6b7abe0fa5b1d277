# SPDX-License-Identifier: Apache-2.0
"""A task that is none, and files of the host, for tests of kernel.mm and kernel.loader without a sandbox."""

import os
from types import SimpleNamespace

from fs.vfs.file import File
from kernel.abi.errno import ENODEV, ENOENT, Errno
from kernel.mm.mm import MM
from kernel.task.creds import Creds
from kernel.task.limits import Limits

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
        self.inode = SimpleNamespace(mode=mode, uid=uid, gid=gid, writers=0, locks=None, getxattr=no_xattr)

    def read(self, task, buf, pos):
        return buf.put(os.pread(self.fd, buf.left(), pos))

    def mmap_descriptor(self, prot, flags, offset, length):
        return self.fd, offset


class NoFile(File):
    """One that can't be mapped."""

    def mmap_descriptor(self, prot, flags, offset, length):
        raise Errno(ENODEV)


def no_xattr(name):
    raise Errno(ENOENT)


class World:
    """What handlers need of a task; host_calls are collected in `calls` and fail with `refusal` if that is set."""

    def __init__(self, mm=None, capabilities=0, uid=1000):
        self.mm = mm or MM(LOW, HIGH)
        if mm is None:
            self.mm.mmap_base = 0x7FF000000000
            self.mm.brk = self.mm.start_brk = 0x10000000
        self.creds = Creds(uid, uid, (), capabilities)
        self.group = SimpleNamespace(limits=Limits(), pid=7)
        self.personality = 0
        self.no_new_privs = False
        self.tracer = None
        self.state = 1
        self.tid = 7
        self.files = {}
        self.calls = []
        self.refusal = 0

    def host_calls(self, calls, result, then=None, failed=None):
        self.calls += calls
        if self.refusal:
            refusal, self.refusal = self.refusal, 0
            results = [(calls[0][0], refusal)]
            return (then or failed)(self, results) if then or failed else refusal
        return result if then is None else then(self, [(call[0], 0) for call in calls])
