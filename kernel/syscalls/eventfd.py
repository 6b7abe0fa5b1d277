# SPDX-License-Identifier: Apache-2.0
"""eventfd(2)."""

from fs.anon.eventfd import EventFd
from kernel.abi.errno import EINVAL, Errno
from kernel.abi.fs import O_CLOEXEC, O_NONBLOCK
from kernel.syscalls.kinds import Int, UInt
from kernel.syscalls.table import syscall

EFD_SEMAPHORE = 1


@syscall(284)
def sys_eventfd(task, count: UInt):
    """eventfd without flags."""
    return task.files.install(EventFd(count, False))


@syscall(290)
def sys_eventfd2(task, count: UInt, flags: Int):
    """eventfd(2)."""
    if flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    return task.files.install(EventFd(count, bool(flags & EFD_SEMAPHORE), flags & O_NONBLOCK), bool(flags & O_CLOEXEC))
