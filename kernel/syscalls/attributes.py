# SPDX-License-Identifier: Apache-2.0
"""Attributes of files: chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2)."""

import struct

from fs.vfs.attributes import check_truncate_path, do_chmod, do_chown, do_truncate, do_utimes
from fs.vfs.notify import notify_path
from fs.vfs.permission import remove_privileges
from fs.vfs.walk import lookup
from kernel.abi.errno import EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, ESPIPE, Errno
from kernel.abi.fs import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    IN_MODIFY,
    O_ACCMODE,
    O_RDONLY,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
)
from kernel.abi.signal import SI_USER, SIGXFSZ
from kernel.abi.task import RLIMIT_FSIZE
from kernel.signal.pending import kill_info
from kernel.signal.send import send_to_task
from kernel.sync.pool import result_of
from kernel.syscalls.kinds import Fd, Int, Long, OpenFile, OptPath, Path, Ptr, UInt
from kernel.syscalls.stat import find
from kernel.syscalls.table import syscall

SIZE_MAX = 0x7FFFFFFFFFFFFFFF
ALL_FALLOCATE = (
    FALLOC_FL_KEEP_SIZE
    | FALLOC_FL_PUNCH_HOLE
    | FALLOC_FL_COLLAPSE_RANGE
    | FALLOC_FL_ZERO_RANGE
    | FALLOC_FL_INSERT_RANGE
    | FALLOC_FL_UNSHARE_RANGE
)
FALLOCATE_MODES = (
    0,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_ZERO_RANGE,
    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE,
)


@syscall(90)
def sys_chmod(task, path: Path, mode: UInt):
    """chmod(2)."""
    place = lookup(task, AT_FDCWD, path)
    do_chmod(task, place.inode(), place, mode)


@syscall(91)
def sys_fchmod(task, file: OpenFile, mode: UInt):
    """fchmod(2)."""
    do_chmod(task, file.inode, file.path, mode)


@syscall(268)
def sys_fchmodat(task, dirfd: Fd, path: Path, mode: UInt):
    """fchmodat(2) of the kernel, which has no flags."""
    place = lookup(task, dirfd, path)
    do_chmod(task, place.inode(), place, mode)


@syscall(452)
def sys_fchmodat2(task, dirfd: Fd, path: Path, mode: UInt, flags: Int):
    """fchmodat2(2): symbolic links have no mode that could be changed."""
    inode, place = find_to_change(task, dirfd, path, flags)
    if inode.mode & S_IFMT == S_IFLNK:
        raise Errno(EOPNOTSUPP)
    do_chmod(task, inode, place, mode)


@syscall(92)
def sys_chown(task, path: Path, uid: UInt, gid: UInt):
    """chown(2)."""
    place = lookup(task, AT_FDCWD, path)
    do_chown(task, place.inode(), place, uid, gid)


@syscall(93)
def sys_fchown(task, file: OpenFile, uid: UInt, gid: UInt):
    """fchown(2)."""
    do_chown(task, file.inode, file.path, uid, gid)


@syscall(94)
def sys_lchown(task, path: Path, uid: UInt, gid: UInt):
    """lchown(2)."""
    place = lookup(task, AT_FDCWD, path, 0)
    do_chown(task, place.inode(), place, uid, gid)


@syscall(260)
def sys_fchownat(task, dirfd: Fd, path: Path, uid: UInt, gid: UInt, flags: Int):
    """fchownat(2)."""
    inode, place = find_to_change(task, dirfd, path, flags)
    do_chown(task, inode, place, uid, gid)


@syscall(280)
def sys_utimensat(task, dirfd: Fd, path: OptPath, times: Ptr, flags: Int):
    """utimensat(2): with no path, futimens(3)."""
    values = copy_in_times(task, times, 1)
    if path is None and dirfd != AT_FDCWD:
        if flags:
            raise Errno(EINVAL)
        file = task.files.get(dirfd)
        do_utimes(task, file.inode, file.path, values)
        return
    inode, place = find_to_change(task, dirfd, path if path is not None else b"", flags)
    do_utimes(task, inode, place, values)


@syscall(235)
def sys_utimes(task, path: Path, times: Ptr):
    """utimes(2)."""
    place = lookup(task, AT_FDCWD, path)
    do_utimes(task, place.inode(), place, copy_in_times(task, times, 1000))


@syscall(261)
def sys_futimesat(task, dirfd: Fd, path: OptPath, times: Ptr):
    """futimesat(2)."""
    values = copy_in_times(task, times, 1000)
    if path is None:
        file = task.files.get(dirfd)
        do_utimes(task, file.inode, file.path, values)
        return
    place = lookup(task, dirfd, path)
    do_utimes(task, place.inode(), place, values)


@syscall(132)
def sys_utime(task, path: Path, times: Ptr):
    """utime(2): whole seconds."""
    values = None
    if times:
        access, modification = struct.unpack("<qq", task.copy_in(times, 16))
        values = ((access, 0), (modification, 0))
    place = lookup(task, AT_FDCWD, path)
    do_utimes(task, place.inode(), place, values)


def copy_in_times(task, address, unit_ns):
    """Two pairs of seconds and units (1: struct timespec, 1000: struct timeval); None for NULL."""
    if not address:
        return None
    raw = struct.unpack("<qqqq", task.copy_in(address, 32))
    if unit_ns > 1 and not (0 <= raw[1] < 1000000 and 0 <= raw[3] < 1000000):
        raise Errno(EINVAL)
    return (raw[0], raw[1] * unit_ns), (raw[2], raw[3] * unit_ns)


def find_to_change(task, dirfd, path, flags):
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    return find(task, dirfd, path, flags)


@syscall(76)
def sys_truncate(task, path: Path, length: Long):
    """truncate(2)."""
    if length < 0:
        raise Errno(EINVAL)
    place = lookup(task, AT_FDCWD, path)
    check_truncate_path(task, place.inode(), place)
    check_size_limit(task, length)
    do_truncate(task, place.inode(), place, length)


@syscall(77)
def sys_ftruncate(task, file: OpenFile, length: Long):
    """ftruncate(2)."""
    if length < 0 or file.inode.mode & S_IFMT != S_IFREG or file.flags & O_ACCMODE == O_RDONLY:
        raise Errno(EINVAL)
    check_size_limit(task, length)
    do_truncate(task, file.inode, file.path, length)


@syscall(285)
def sys_fallocate(task, file: OpenFile, mode: Int, offset: Long, length: Long):
    """fallocate(2)."""
    if offset < 0 or length <= 0:
        raise Errno(EINVAL)
    if mode & ~ALL_FALLOCATE or mode not in FALLOCATE_MODES:
        raise Errno(EOPNOTSUPP)
    if file.flags & O_ACCMODE == O_RDONLY:
        raise Errno(EBADF)
    kind = file.inode.mode & S_IFMT
    if kind != S_IFREG:
        raise Errno({S_IFIFO: ESPIPE, S_IFDIR: EISDIR}.get(kind, ENODEV))
    if offset + length > SIZE_MAX:
        raise Errno(EFBIG)
    if not mode & FALLOC_FL_KEEP_SIZE:
        check_size_limit(task, offset + length)
    if task.progress is None:
        remove_privileges(file.inode, task.creds)
    job = task.progress or file.fallocate(task, mode, offset, length)
    result = 0 if job is None else result_of(task, job)
    if result == 0 and file.path is not None:
        notify_path(file.path, IN_MODIFY)
    return result


def check_size_limit(task, size):
    """RLIMIT_FSIZE: SIGXFSZ and EFBIG."""
    if size > task.group.limits.soft(RLIMIT_FSIZE):
        send_to_task(task, kill_info(SIGXFSZ, SI_USER, task.group.pid, task.creds.uid))
        raise Errno(EFBIG)
