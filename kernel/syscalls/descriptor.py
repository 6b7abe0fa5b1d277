# SPDX-License-Identifier: Apache-2.0
"""close_range(2), ioctl(2), and what fcntl(2) does to open files."""

import struct

from fs.pipe.pipe import PipeFile
from fs.tmpfs.memfd import add_seals, get_seals
from fs.vfs.owner import Owner
from fs.vfs.permission import owns
from kernel.abi.errno import EAGAIN, EBADF, EINVAL, ENOTTY, EPERM, ESRCH, Errno
from kernel.abi.fs import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    F_ADD_SEALS,
    F_GET_SEALS,
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
    F_OWNER_TID,
    F_SETFL,
    F_SETLEASE,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETOWN_EX,
    F_SETPIPE_SZ,
    F_SETSIG,
    F_UNLCK,
    FIBMAP,
    FIGETBSZ,
    FIOASYNC,
    FIONBIO,
    FIONREAD,
    FIOQSIZE,
    O_APPEND,
    O_ASYNC,
    O_DIRECT,
    O_NOATIME,
    O_NONBLOCK,
    O_PATH,
    S_IFDIR,
    S_IFMT,
    S_IFREG,
)
from kernel.abi.task import CAP_SYS_RAWIO, CAP_SYS_RESOURCE
from kernel.signal.sigio import follow_flag
from kernel.syscalls.kinds import UInt
from kernel.syscalls.locks import get_lock, set_lock
from kernel.syscalls.table import syscall

SETTABLE_FLAGS = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME
HIGHEST = 0x7FFFFFFF
NSIG = 64


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


def fcntl(task, fd, command, argument):
    """fcntl(2) but for what dup.pyx has answered; fd is open."""
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if command == F_SETFL:
        return set_status_flags(task, fd, file, argument)
    if command in FILE_COMMANDS:
        return FILE_COMMANDS[command](task, file, argument)
    if command in LOCK_COMMANDS:
        return LOCK_COMMANDS[command](task, file, command, argument)
    raise Errno(EINVAL)


def ioctl(task, fd, command, argument):
    """ioctl(2): what every file understands; the rest is the file's."""
    file = task.files.get(fd)
    if command in (FIONBIO, FIOASYNC):
        bit = O_NONBLOCK if command == FIONBIO else O_ASYNC
        on = struct.unpack("<i", task.copy_in(argument, 4))[0]
        file.flags = file.flags | bit if on else file.flags & ~bit
        if not follow_flag(task, fd, file) and on and bit == O_ASYNC:
            raise Errno(ENOTTY)
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
        raise Errno(EPERM if not task.creds.capable(CAP_SYS_RAWIO) else EINVAL)
    return file.ioctl(task, command, argument)


def close_quietly(task, fd):
    try:
        task.files.close(fd)
    except Errno:
        pass


# fcntl: commands on open files


def set_status_flags(task, fd, file, argument):
    if argument & O_NOATIME and not file.flags & O_NOATIME and not owns(file.inode, task.creds):
        raise Errno(EPERM)
    file.flags = file.flags & ~SETTABLE_FLAGS | argument & SETTABLE_FLAGS
    follow_flag(task, fd, file)
    return 0


def get_owner(task, file, argument):
    """F_GETOWN: a process, or a process group as a negative number."""
    if file.owner is None or file.owner.find(task.kernel) is None:
        return 0
    return -file.owner.number if file.owner.kind == F_OWNER_PGRP else file.owner.number


def set_owner(task, file, argument):
    """F_SETOWN."""
    number = struct.unpack("<i", struct.pack("<I", argument & 0xFFFFFFFF))[0]
    if number == -0x80000000:
        raise Errno(EINVAL)
    change_owner(task, file, F_OWNER_PGRP if number < 0 else F_OWNER_PID, abs(number))
    return 0


def get_owner_ex(task, file, argument):
    """F_GETOWN_EX: struct f_owner_ex."""
    owner = file.owner
    kind, number = (F_OWNER_PID, 0) if owner is None else (owner.kind, owner.number if owner.find(task.kernel) is not None else 0)
    task.copy_out(argument, struct.pack("<ii", kind, number))
    return 0


def set_owner_ex(task, file, argument):
    """F_SETOWN_EX."""
    kind, number = struct.unpack("<ii", task.copy_in(argument, 8))
    if kind not in (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP):
        raise Errno(EINVAL)
    change_owner(task, file, kind, number)
    return 0


def change_owner(task, file, kind, number):
    owner = Owner(kind, number, 0 if file.owner is None else file.owner.signo, task.creds)
    if number and owner.find(task.kernel) is None:
        raise Errno(ESRCH)
    file.owner = owner


def get_signal(task, file, argument):
    return 0 if file.owner is None else file.owner.signo


def set_signal(task, file, argument):
    """F_SETSIG: 0 is SIGIO."""
    if argument > NSIG:
        raise Errno(EINVAL)
    if file.owner is None:
        file.owner = Owner(F_OWNER_PID, 0, 0, task.creds)
    file.owner.signo = argument
    return 0


def get_pipe_size(task, file, argument):
    return pipe_of(file).capacity


def set_pipe_size(task, file, argument):
    return pipe_of(file).set_capacity(argument & 0xFFFFFFFF, task.creds.capable(CAP_SYS_RESOURCE))


def pipe_of(file):
    if not isinstance(file, PipeFile):
        raise Errno(EBADF)
    return file.pipe


def seals(task, file, argument):
    return get_seals(file)


def seal(task, file, argument):
    add_seals(file, argument & 0xFFFFFFFF)
    return 0


def get_lease(task, file, argument):
    return F_UNLCK


def set_lease(task, file, argument):
    """Leases are not given out; removing one that isn't there is EAGAIN."""
    if file.inode.mode & S_IFMT != S_IFREG:
        raise Errno(EINVAL)
    raise Errno(EAGAIN)


FILE_COMMANDS = {
    F_GETOWN: get_owner,
    F_SETOWN: set_owner,
    F_GETOWN_EX: get_owner_ex,
    F_SETOWN_EX: set_owner_ex,
    F_GETSIG: get_signal,
    F_SETSIG: set_signal,
    F_GETPIPE_SZ: get_pipe_size,
    F_SETPIPE_SZ: set_pipe_size,
    F_GET_SEALS: seals,
    F_ADD_SEALS: seal,
    F_GETLEASE: get_lease,
    F_SETLEASE: set_lease,
}
LOCK_COMMANDS = {
    F_GETLK: get_lock,
    F_SETLK: set_lock,
    F_SETLKW: set_lock,
    F_OFD_GETLK: get_lock,
    F_OFD_SETLK: set_lock,
    F_OFD_SETLKW: set_lock,
}
