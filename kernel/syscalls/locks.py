# SPDX-License-Identifier: Apache-2.0
"""flock(2), and the record locks of fcntl(2)."""

import struct

from fs.vfs.locks import begin_wait, break_off, end_wait, locks_of, would_deadlock
from kernel.abi.errno import EAGAIN, EBADF, EDEADLOCK, EINVAL, EOVERFLOW, Errno
from kernel.abi.fs import (
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_RDLCK,
    F_SETLKW,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_SH,
    LOCK_UN,
    O_ACCMODE,
    O_RDONLY,
    O_WRONLY,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from kernel.syscalls.kinds import OpenFile, UInt
from kernel.syscalls.table import syscall

FLOCK = struct.Struct("<hh4xqqi4x")
OFFSET_MAX = 0x7FFFFFFFFFFFFFFF
OFD_PID = -1


@syscall(73)
def sys_flock(task, file: OpenFile, operation: UInt):
    """flock(2)."""
    kind = operation & ~LOCK_NB
    if kind not in (LOCK_SH, LOCK_EX, LOCK_UN):
        raise Errno(EINVAL)
    locks = locks_of(file.inode)
    if locks.flock(file, kind):
        return 0
    if operation & LOCK_NB:
        raise Errno(EAGAIN)
    task.wait_on(locks.waiters)
    return task.block()


def get_lock(task, file, command, address):
    """F_GETLK, F_OFD_GETLK: the first lock in the way, or F_UNLCK."""
    kind, start, end, raw = copy_in_lock(task, file, command, address)
    if kind == F_UNLCK:
        raise Errno(EINVAL)
    conflict = locks_of(file.inode).conflict(owner_of(task, file, command), kind, start, end)
    if conflict is None:
        task.copy_out(address, struct.pack("<h", F_UNLCK) + raw[2:])
        return 0
    length = 0 if conflict.end == OFFSET_MAX else conflict.end - conflict.start + 1
    task.copy_out(address, FLOCK.pack(conflict.kind, SEEK_SET, conflict.start, length, conflict.pid))
    return 0


def set_lock(task, file, command, address):
    """F_SETLK, F_SETLKW, and the same for locks of open file descriptions."""
    kind, start, end, _raw = copy_in_lock(task, file, command, address)
    if (kind == F_RDLCK and file.flags & O_ACCMODE == O_WRONLY) or (kind == F_WRLCK and file.flags & O_ACCMODE == O_RDONLY):
        raise Errno(EBADF)
    owner = owner_of(task, file, command)
    locks = locks_of(file.inode)
    end_wait(task)
    conflict = None if kind == F_UNLCK else locks.conflict(owner, kind, start, end)
    if conflict is None:
        locks.set_range(owner, OFD_PID if owner is file else task.group.pid, kind, start, end)
        return 0
    if command not in (F_SETLKW, F_OFD_SETLKW):
        raise Errno(EAGAIN)
    if owner is not file:
        if would_deadlock(owner, conflict):
            raise Errno(EDEADLOCK)
        begin_wait(task, owner, conflict)
    task.wait_on(locks.waiters)
    return task.block(interrupted=break_off)


def owner_of(task, file, command):
    return file if command in (F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW) else task.files


def copy_in_lock(task, file, command, address):
    """struct flock as (kind, first byte, last byte, raw bytes)."""
    raw = task.copy_in(address, FLOCK.size)
    kind, whence, start, length, pid = FLOCK.unpack(raw)
    if kind not in (F_RDLCK, F_WRLCK, F_UNLCK):
        raise Errno(EINVAL)
    if command in (F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW) and pid != 0:
        raise Errno(EINVAL)
    if whence == SEEK_CUR:
        start += file.pos
    elif whence == SEEK_END:
        start += file.inode.size
    elif whence != SEEK_SET:
        raise Errno(EINVAL)
    if start > OFFSET_MAX:
        raise Errno(EOVERFLOW)
    if length < 0:
        start, end = start + length, start - 1
    else:
        end = start + length - 1 if length else OFFSET_MAX
    if start < 0:
        raise Errno(EINVAL)
    if end > OFFSET_MAX:
        raise Errno(EOVERFLOW)
    return kind, start, end, raw
