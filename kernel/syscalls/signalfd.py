# SPDX-License-Identifier: Apache-2.0
"""signalfd(2) and signalfd4(2)."""

from fs.anon.signalfd import SignalFd
from kernel.abi.errno import EINVAL, Errno
from kernel.abi.fs import O_CLOEXEC, O_NONBLOCK
from kernel.abi.signal import SIGKILL, SIGSTOP
from kernel.syscalls.kinds import Fd, Int, Ptr, Size
from kernel.syscalls.table import syscall

SIGSET_SIZE = 8
NEVER_TAKEN = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)


@syscall(282)
def sys_signalfd(task, fd: Fd, mask: Ptr, size: Size):
    """signalfd without flags."""
    return signalfd(task, fd, mask, size, 0)


@syscall(289)
def sys_signalfd4(task, fd: Fd, mask: Ptr, size: Size, flags: Int):
    """signalfd(2): fd -1 makes a file, another one gets a new mask."""
    return signalfd(task, fd, mask, size, flags)


def signalfd(task, fd, address, size, flags):
    if flags & ~(O_CLOEXEC | O_NONBLOCK) or size != SIGSET_SIZE:
        raise Errno(EINVAL)
    mask = int.from_bytes(task.copy_in(address, SIGSET_SIZE), "little") & ~NEVER_TAKEN
    if fd == -1:
        return task.files.install(SignalFd(task, mask, flags & O_NONBLOCK), bool(flags & O_CLOEXEC))
    file = task.files.get(fd)
    if not isinstance(file, SignalFd):
        raise Errno(EINVAL)
    file.set_mask(mask)
    return fd
