# SPDX-License-Identifier: Apache-2.0
"""Signals as a file (signalfd(2)): reading takes pending signals of the reader.

Readiness is that of the process which made the file, or was the last to read it: a file is asked for it without knowing who asks.
"""

import struct

from fs.anon.inode import anon_inode
from fs.vfs.file import File
from kernel.abi.errno import EAGAIN, EINVAL
from kernel.abi.fs import O_RDWR
from kernel.abi.poll import POLLIN, POLLRDNORM
from kernel.abi.signal import SI_TIMER, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGIO, SIGSEGV, SIGTRAP
from kernel.sync.waitqueue import Waiter

INFO_SIZE = 128
HEAD = struct.Struct("<IiiIIiIIIIiiQQQQ")  # struct signalfd_siginfo up to ssi_addr
FAULTS = (SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP)


class Forwarder(Waiter):
    """Stands in the queue of a Pending, and wakes the file's."""

    def __init__(self, file, pending):
        self.file = file
        self.entry = pending.waiters.add(self)

    def wake(self, events):
        self.file.waiters.wake(POLLIN | POLLRDNORM)
        return True


class SignalFd(File):
    """A set of signals to take."""

    def __init__(self, task, mask, flags=0):
        self.inode = anon_inode(b"[signalfd]")
        self.path = self.inode.path
        self.flags = O_RDWR | flags
        self.mask = mask
        self.forwarders = []
        self.task = None
        self.follow(task)

    def follow(self, task):
        """Be woken by signals of this task and of its process."""
        if self.task is task:
            return
        self.stop()
        self.task = task
        self.forwarders = [Forwarder(self, task.pending), Forwarder(self, task.group.pending)]

    def stop(self):
        """Out of the queues."""
        for forwarder in self.forwarders:
            forwarder.entry.queue.remove(forwarder.entry)
        self.forwarders = []

    def set_mask(self, mask):
        """Other signals from now on."""
        self.mask = mask
        self.waiters.wake(POLLIN | POLLRDNORM)

    def read(self, task, buf, pos):
        """As many struct signalfd_siginfo as there are signals, and fit; EINVAL if none fits, -EAGAIN without a signal."""
        if buf.left() < INFO_SIZE:
            return -EINVAL
        self.follow(task)
        total = 0
        while buf.left() >= INFO_SIZE:
            info = task.pending.take(self.mask) or task.group.pending.take(self.mask)
            if info is None:
                break
            if info.timer is not None:
                info = info.timer.delivered(info)
            total += buf.put(pack(info))
        return total or -EAGAIN

    def poll(self):
        waiting = self.task.pending.mask | self.task.group.pending.mask
        return POLLIN | POLLRDNORM if waiting & self.mask else 0

    def release(self):
        self.stop()

    def fdinfo(self):
        """Lines of /proc/[pid]/fdinfo."""
        return [f"sigmask:\t{self.mask:016x}"]


def pack(info):
    """struct signalfd_siginfo of a SigInfo."""
    fields = (info.fields or b"").ljust(32, b"\0")
    pid, uid, value = struct.unpack("<IIQ", fields[:16])
    tid = overrun = band = status = utime = stime = address = 0
    fd = 0
    if info.signo in FAULTS and info.code > 0:
        pid = uid = value = 0
        address = struct.unpack("<Q", fields[:8])[0]
    elif info.signo == SIGCHLD and info.code > 0:
        status, _, utime, stime = struct.unpack("<iIQQ", fields[8:32])
        value = 0
    elif info.signo == SIGIO and info.code > 0:
        band, fd = struct.unpack("<Qi", fields[:12])
        pid = uid = value = 0
    elif info.code == SI_TIMER:
        tid, overrun, pid, uid = pid, uid, 0, 0
    number = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    head = (info.signo, info.error, info.code, pid, uid, fd, tid, band & 0xFFFFFFFF, overrun, 0)
    return HEAD.pack(*head, status, number, value, utime, stime, address).ljust(INFO_SIZE, b"\0")
