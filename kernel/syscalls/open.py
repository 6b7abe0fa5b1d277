# SPDX-License-Identifier: Apache-2.0
"""open(2), openat(2), openat2(2), creat(2), mknod(2)."""

import struct

from fs.pipe.fifo import give_up
from fs.vfs.names import do_mknod
from fs.vfs.operations import FifoWait, check_flags, do_open
from kernel.abi.errno import E2BIG, EAGAIN, EINVAL, Errno
from kernel.abi.fs import (
    AT_FDCWD,
    O_ACCMODE,
    O_APPEND,
    O_ASYNC,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECT,
    O_DIRECTORY,
    O_EXCL,
    O_LARGEFILE,
    O_NOATIME,
    O_NOCTTY,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_PATH,
    O_SYNC,
    O_TMPFILE_BIT,
    O_TRUNC,
    O_WRONLY,
    RESOLVE_BENEATH,
    RESOLVE_CACHED,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
)
from kernel.abi.task import RLIMIT_NOFILE
from kernel.syscalls.kinds import Fd, Path, Ptr, Size, UInt
from kernel.syscalls.table import syscall

KNOWN_FLAGS = (
    O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE
    | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE_BIT
)
ALLOWED_BY_O_PATH = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC
PERMISSIONS = 0o7777
OPEN_HOW = "<QQQ"
KNOWN_RESOLVE = (
    RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED
)


@syscall(2)
def sys_open(task, path: Path, flags: UInt, mode: UInt):
    """open(2)."""
    return open_descriptor(task, AT_FDCWD, path, flags & KNOWN_FLAGS, mode & PERMISSIONS)


@syscall(257)
def sys_openat(task, dirfd: Fd, path: Path, flags: UInt, mode: UInt):
    """openat(2)."""
    return open_descriptor(task, dirfd, path, flags & KNOWN_FLAGS, mode & PERMISSIONS)


@syscall(85)
def sys_creat(task, path: Path, mode: UInt):
    """creat(2)."""
    return open_descriptor(task, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode & PERMISSIONS)


@syscall(437)
def sys_openat2(task, dirfd: Fd, path: Path, how: Ptr, size: Size):
    """openat2(2): unlike open, it refuses what it doesn't know."""
    flags, mode, resolve = copy_in_how(task, how, size)
    if flags & ~KNOWN_FLAGS or resolve & ~KNOWN_RESOLVE or mode & ~PERMISSIONS:
        raise Errno(EINVAL)
    if mode and not flags & (O_CREAT | O_TMPFILE_BIT):
        raise Errno(EINVAL)
    if resolve & RESOLVE_BENEATH and resolve & RESOLVE_IN_ROOT:
        raise Errno(EINVAL)
    if flags & O_PATH and flags & ~ALLOWED_BY_O_PATH:
        raise Errno(EINVAL)
    if resolve & RESOLVE_CACHED and flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT):
        raise Errno(EAGAIN)
    return open_descriptor(task, dirfd, path, flags, mode, resolve)


@syscall(133)
def sys_mknod(task, path: Path, mode: UInt, dev: UInt):
    """mknod(2)."""
    do_mknod(task, AT_FDCWD, path, mode, device_number(dev))


@syscall(259)
def sys_mknodat(task, dirfd: Fd, path: Path, mode: UInt, dev: UInt):
    """mknodat(2)."""
    do_mknod(task, dirfd, path, mode, device_number(dev))


def open_descriptor(task, dirfd, path, flags, mode, resolve=0):
    """A descriptor for what do_open opens, or BLOCKED while a fifo has no other end."""
    flags = check_flags(flags, mode)
    task.files.limit = min(task.group.limits.soft(RLIMIT_NOFILE), 1 << 30)
    task.files.require_room()
    try:
        file = do_open(task, dirfd, path, flags, mode, resolve)
    except FifoWait as wait:
        return task.block(interrupted=give_up(wait.inode))
    return task.files.install(file, bool(flags & O_CLOEXEC))


def copy_in_how(task, address, size):
    """struct open_how, now or in a longer form of the future whose new fields are zero."""
    known = struct.calcsize(OPEN_HOW)
    if size < known:
        raise Errno(EINVAL)
    if size > 4096:
        raise Errno(E2BIG)
    raw = task.copy_in(address, size)
    if any(raw[known:]):
        raise Errno(E2BIG)
    return struct.unpack(OPEN_HOW, raw[:known])


def device_number(dev):
    """mknod's 32-bit device number as stat shows it: the same bits (new_encode_dev)."""
    return dev
