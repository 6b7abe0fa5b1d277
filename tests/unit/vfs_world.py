# SPDX-License-Identifier: Apache-2.0
"""A task without a guest, with a tmpfs as its root: what unit tests of files need."""

import errno

import pytest

from fs.tmpfs.inode import Tmpfs
from fs.vfs.context import FsContext
from fs.vfs.fdtable import FdTable
from fs.vfs.inode import set_clock
from fs.vfs.namespace import make_namespace
from kernel.abi.errno import Errno
from kernel.mm.userbuffer import KernelBuffer
from kernel.task.creds import Creds
from kernel.time.clock import MockClock

ALL_CAPABILITIES = (1 << 41) - 1
AT_FDCWD = -100
BLOCKED = -0x100000


class NoLimits:
    """Resource limits of nobody."""

    def soft(self, resource):
        return 1024 if resource == 7 else 1 << 62


class FakeGroup:
    """A process."""

    def __init__(self, pid):
        self.pid = pid
        self.limits = NoLimits()


class FakeKernel:
    """The kernel, as far as file calls see it."""

    def __init__(self):
        self.clock = MockClock()
        self.clock.time_ns = 1_000_000_000
        self.tasks = {}
        self.groups = {}
        self.pgrps = {}


class FakeTask:
    """What a Task is to the calls that work on files; its memory is `memory`, from address 0."""

    def __init__(self, kernel=None, pid=1, namespace=None, creds=None):
        self.kernel = kernel or FakeKernel()
        set_clock(self.kernel.clock)
        self.group = FakeGroup(pid)
        self.creds = creds or Creds(0, 0, (), ALL_CAPABILITIES)
        namespace = namespace or make_namespace(Tmpfs("mode=755"))
        self.fs = FsContext(namespace.root_path(), namespace.root_path(), 0o022, namespace)
        self.files = FdTable()
        self.memory = bytearray(1 << 20)
        self.progress = None
        self.killed = False
        self.queues = []
        self.interrupted = None
        self.kernel.tasks[pid] = self

    def copy_out(self, address, data):
        self.memory[address : address + len(data)] = data

    def copy_in(self, address, length):
        return bytes(self.memory[address : address + length])

    def copy_in_string(self, address, limit):
        return bytes(self.memory[address : self.memory.index(0, address)])

    def put_string(self, address, text):
        self.copy_out(address, text + b"\0")
        return address

    def wait_on(self, queue, events=0xFFFFFFFF):
        self.queues.append(queue)

    def block(self, deadline_ns=-1, restart=512, interrupted=None):
        self.interrupted = interrupted
        return BLOCKED


def write(file, data, pos=0):
    """File.write from kernel memory."""
    return file.write(None, KernelBuffer(data=data), pos) if data else 0


def read(file, count, pos=0):
    """File.read into kernel memory."""
    buffer = KernelBuffer(count)
    file.read(None, buffer, pos)
    return bytes(buffer.data)


class fails:
    """with fails(errno.ENOENT): the block raises this Errno."""

    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            pytest.fail(f"no error instead of {errno.errorcode[self.number]}")
        if kind is not Errno:
            return False
        assert error.number == self.number, f"{errno.errorcode[error.number]} instead of {errno.errorcode[self.number]}"
        return True
