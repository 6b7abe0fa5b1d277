# SPDX-License-Identifier: Apache-2.0
"""close(2), dup(2), close_range(2), ioctl(2), and what fcntl(2) does to descriptors and open files."""

import struct

from kernel.abi.errno import EAGAIN, EBADF, EINVAL, ENOTTY, EPERM, ESRCH, Errno
from kernel.abi.fs import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    F_ADD_SEALS,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GET_SEALS,
    F_GETFD,
    F_GETFL,
    F_GETLEASE,
    F_GETLK,
    F_GETOWN,
    F_GETOWN_EX,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_OWNER_PGRP,
    F_OWNER_PID,
    F_SETFD,
    F_SETFL,
    F_SETLEASE,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETOWN_EX,
    F_SETPIPE_SZ,
    F_SETSIG,
    F_UNLCK,
    FD_CLOEXEC,
    FIBMAP,
    FIGETBSZ,
    FIOASYNC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    FIONREAD,
    FIOQSIZE,
    O_APPEND,
    O_ASYNC,
    O_CLOEXEC,
    O_DIRECT,
    O_NOATIME,
    O_NONBLOCK,
    O_PATH,
    S_IFDIR,
    S_IFMT,
    S_IFREG,
)
from kernel.abi.task import RLIMIT_NOFILE
from kernel.syscalls.kinds import AnyFile, Fd, Int, OpenFile, UInt, ULong
from kernel.syscalls.table import syscall

SETTABLE_FLAGS = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME
ALLOWED_BY_O_PATH = (F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL)
HIGHEST = 0x7FFFFFFF


@syscall(3)
def sys_close(task, fd: Fd):
    """close(2)."""
    task.files.close(fd)


@syscall(32)
def sys_dup(task, file: AnyFile):
    """dup(2)."""
    return install(task, file)


@syscall(33)
def sys_dup2(task, old: Fd, new: Fd):
    """dup2(2): the same descriptor twice is no error."""
    file = task.files.get(old)
    if old != new:
        install_at(task, new, file, False)
    return new


@syscall(292)
def sys_dup3(task, old: Fd, new: Fd, flags: Int):
    """dup3(2)."""
    if flags & ~O_CLOEXEC or old == new:
        raise Errno(EINVAL)
    install_at(task, new, task.files.get(old), bool(flags & O_CLOEXEC))
    return new


@syscall(436)
def sys_close_range(task, first: UInt, last: UInt, flags: UInt):
    """close_range(2)."""
    if flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) or first > last:
        raise Errno(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE and task.files.shared():
        table = task.files.clone()
        task.files.release_user()
        task.files = table
    for fd in task.files.descriptors():
        if first <= fd <= last:
            if flags & CLOSE_RANGE_CLOEXEC:
                task.files.set_cloexec(fd, True)
            else:
                close_quietly(task, fd)


@syscall(72)
def sys_fcntl(task, fd: Fd, command: UInt, argument: ULong):
    """fcntl(2)."""
    file = task.files.get(fd)
    if file.flags & O_PATH and command not in ALLOWED_BY_O_PATH:
        raise Errno(EBADF)
    if command in DESCRIPTOR_COMMANDS:
        return DESCRIPTOR_COMMANDS[command](task, fd, file, argument)
    if command in FILE_COMMANDS:
        return FILE_COMMANDS[command](task, file, argument)
    raise Errno(EINVAL)


@syscall(16)
def sys_ioctl(task, fd: Fd, command: UInt, argument: ULong):
    """ioctl(2): what every file understands; the rest is the file's."""
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if command in (FIOCLEX, FIONCLEX):
        task.files.set_cloexec(fd, command == FIOCLEX)
        return 0
    if command in (FIONBIO, FIOASYNC):
        bit = O_NONBLOCK if command == FIONBIO else O_ASYNC
        on = struct.unpack("<i", task.copy_in(argument, 4))[0]
        file.flags = file.flags | bit if on else file.flags & ~bit
        return 0
    if file.inode.mode & S_IFMT in (S_IFREG, S_IFDIR):
        return regular_ioctl(task, file, command, argument)
    return file.ioctl(task, command, argument)


def regular_ioctl(task, file, command, argument):
    """ioctl of files and directories."""
    regular = file.inode.mode & S_IFMT == S_IFREG
    if command == FIGETBSZ:
        task.copy_out(argument, struct.pack("<i", file.inode.blksize))
        return 0
    if command == FIONREAD and regular:
        task.copy_out(argument, struct.pack("<i", max(min(file.inode.size - file.pos, HIGHEST), -HIGHEST)))
        return 0
    if command == FIOQSIZE:
        task.copy_out(argument, struct.pack("<q", file.inode.size))
        return 0
    if command == FIBMAP:
        raise Errno(EPERM if not task.creds.capable(17) else EINVAL)
    return file.ioctl(task, command, argument)


def install(task, file, cloexec=False, at_least=0):
    """One more descriptor of an open file, within RLIMIT_NOFILE."""
    task.files.limit = descriptor_limit(task)
    return task.files.install(file.get(), cloexec, at_least)


def install_at(task, fd, file, cloexec):
    task.files.limit = descriptor_limit(task)
    task.files.install_at(fd, file.get(), cloexec)


def descriptor_limit(task):
    return min(task.group.limits.soft(RLIMIT_NOFILE), HIGHEST)


def close_quietly(task, fd):
    try:
        task.files.close(fd)
    except Errno:
        pass


# fcntl: commands on descriptors


def dup_at_least(task, fd, file, argument):
    if argument >= descriptor_limit(task):
        raise Errno(EINVAL)
    return install(task, file, False, argument)


def dup_cloexec(task, fd, file, argument):
    if argument >= descriptor_limit(task):
        raise Errno(EINVAL)
    return install(task, file, True, argument)


def get_descriptor_flags(task, fd, file, argument):
    return FD_CLOEXEC if task.files.cloexec(fd) else 0


def set_descriptor_flags(task, fd, file, argument):
    task.files.set_cloexec(fd, bool(argument & FD_CLOEXEC))
    return 0


DESCRIPTOR_COMMANDS = {
    F_DUPFD: dup_at_least,
    F_DUPFD_CLOEXEC: dup_cloexec,
    F_GETFD: get_descriptor_flags,
    F_SETFD: set_descriptor_flags,
}

# fcntl: commands on open files


def get_status_flags(task, file, argument):
    return file.flags


def set_status_flags(task, file, argument):
    from fs.vfs.permission import owns

    if argument & O_NOATIME and not file.flags & O_NOATIME and not owns(file.inode, task.creds):
        raise Errno(EPERM)
    file.flags = file.flags & ~SETTABLE_FLAGS | argument & SETTABLE_FLAGS
    return 0


FILE_COMMANDS = {
    F_GETFL: get_status_flags,
    F_SETFL: set_status_flags,
}
