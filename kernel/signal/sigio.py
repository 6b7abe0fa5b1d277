# SPDX-License-Identifier: Apache-2.0
"""SIGIO: an open file with O_ASYNC tells its owner when something becomes possible (fcntl(2), F_SETOWN and F_SETSIG).

Rule: a Subscription stands in the file's wait queue while O_ASYNC is set, and is told at the file's release like the items of an epoll.
Pipes, sockets and terminals send; on other files the flag can't be set. Absent: SIGURG.
"""

import struct

from kernel.abi.fs import F_OWNER_PGRP, F_OWNER_TID, O_ACCMODE, O_ASYNC, O_RDONLY, O_WRONLY, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK
from kernel.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM
from kernel.abi.signal import SIGIO
from kernel.signal.pending import SigInfo, kernel_info
from kernel.signal.send import send_to_group, send_to_task
from kernel.sync.waitqueue import Waiter

SENDING_KINDS = (S_IFIFO, S_IFSOCK, S_IFCHR)
# si_code and si_band by what happened, the most important first
REASONS = (
    (POLLIN, 1, POLLIN | POLLRDNORM),
    (POLLPRI, 5, POLLPRI | POLLRDBAND),
    (POLLHUP, 6, POLLHUP | POLLERR),
    (POLLERR, 4, POLLERR),
    (POLLOUT, 2, POLLOUT | POLLWRNORM | POLLWRBAND),
)


class Subscription(Waiter):
    """One open file's; `fd` is what si_fd shows: the descriptor that O_ASYNC was set by."""

    def __init__(self, kernel, file, fd):
        self.kernel, self.file, self.fd = kernel, file, fd
        mode = file.flags & O_ACCMODE
        events = POLLERR | POLLHUP
        events |= 0 if mode == O_WRONLY else POLLIN | POLLPRI
        events |= 0 if mode == O_RDONLY else POLLOUT
        self.entry = file.poll_queue().add(self, events)
        if file.epolls is None:
            file.epolls = {}
        file.epolls[self] = None

    def wake(self, events):
        """Something became possible."""
        owner = self.file.owner
        if owner is not None and owner.number:
            for event, code, band in REASONS:
                if events & event:
                    send(self.kernel, owner, code, band, self.fd)
                    break
        return False

    def file_released(self):
        """O_ASYNC was cleared, or the open file is gone."""
        self.entry.queue.remove(self.entry)
        self.file.epolls.pop(self, None)
        self.file = None


def follow_flag(task, fd, file):
    """O_ASYNC may have been set or cleared; False if this kind of file has no signals."""
    if file.inode.mode & S_IFMT not in SENDING_KINDS:
        file.flags &= ~O_ASYNC
        return False
    present = next((item for item in file.epolls or () if isinstance(item, Subscription)), None)
    if present is None and file.flags & O_ASYNC:
        Subscription(task.kernel, file, fd)
    elif present is not None and not file.flags & O_ASYNC:
        present.file_released()
    return True


def send(kernel, owner, code, band, fd):
    """To the thread, the process or every process of the group that the owner names, as far as who set it may."""
    target = owner.find(kernel)
    if target is None:
        return
    if owner.kind == F_OWNER_TID:
        send_one(owner, send_to_task, target, target.creds, code, band, fd)
        return
    for group in list(target.members) if owner.kind == F_OWNER_PGRP else [target]:
        if not group.zombie:
            send_one(owner, send_to_group, group, group.leader.creds, code, band, fd)


def send_one(owner, deliver, target, creds, code, band, fd):
    """The chosen signal with its reason; SIGIO without, if none was chosen or no more can be queued."""
    if owner.euid not in (0, creds.uid, creds.suid) and owner.uid not in (creds.uid, creds.suid):
        return
    if owner.signo:
        info = SigInfo()
        info.signo, info.code, info.fields = owner.signo, code, struct.pack("<qi", band, fd)
        if deliver(target, info) == 0:
            return
    deliver(target, kernel_info(SIGIO))
