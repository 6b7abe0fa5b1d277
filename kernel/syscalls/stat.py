# SPDX-License-Identifier: Apache-2.0
"""stat(2) and its family, statx(2), access(2)."""

import struct

from fs.vfs.permission import may
from fs.vfs.walk import LOOKUP_EMPTY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import EACCES, EINVAL, EROFS, Errno
from kernel.abi.fs import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_NO_AUTOMOUNT,
    AT_STATX_SYNC_TYPE,
    AT_SYMLINK_NOFOLLOW,
    MS_NOEXEC,
    R_OK,
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    STATX_ATTR_MOUNT_ROOT,
    STATX_BASIC_STATS,
    STATX_BTIME,
    STATX_MNT_ID,
    STATX_RESERVED,
    W_OK,
    X_OK,
)
from kernel.abi.task import CAP_LAST_CAP
from kernel.syscalls.kinds import AnyFile, Fd, Int, Out, Path, UInt
from kernel.syscalls.table import syscall

BILLION = 1000000000
STAT = struct.Struct("<QQQIIIIQqqqQqQqQq24x")
STATX = struct.Struct("<IIQIIIHxxQQQQ" + "qI4x" * 4 + "IIIIQII96x")
ALL_CAPABILITIES = (2 << CAP_LAST_CAP) - 1


@syscall(4)
def sys_stat(task, path: Path, buf: Out):
    """stat(2)."""
    task.copy_out(buf, pack_stat(lookup(task, AT_FDCWD, path).inode()))


@syscall(5)
def sys_fstat(task, file: AnyFile, buf: Out):
    """fstat(2)."""
    task.copy_out(buf, pack_stat(file.inode))


@syscall(6)
def sys_lstat(task, path: Path, buf: Out):
    """lstat(2)."""
    task.copy_out(buf, pack_stat(lookup(task, AT_FDCWD, path, 0).inode()))


@syscall(262)
def sys_newfstatat(task, dirfd: Fd, path: Path, buf: Out, flags: Int):
    """fstatat(2)."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE):
        raise Errno(EINVAL)
    task.copy_out(buf, pack_stat(find(task, dirfd, path, flags)[0]))


@syscall(332)
def sys_statx(task, dirfd: Fd, path: Path, flags: Int, mask: UInt, buf: Out):
    """statx(2)."""
    if mask & STATX_RESERVED or flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE:
        raise Errno(EINVAL)
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE):
        raise Errno(EINVAL)
    inode, place = find(task, dirfd, path, flags)
    task.copy_out(buf, pack_statx(inode, place))


@syscall(21)
def sys_access(task, path: Path, mode: Int):
    """access(2): with the real ids."""
    check_access(task, AT_FDCWD, path, mode, 0)


@syscall(269)
def sys_faccessat(task, dirfd: Fd, path: Path, mode: Int):
    """faccessat(2) of the kernel, which has no flags."""
    check_access(task, dirfd, path, mode, 0)


@syscall(439)
def sys_faccessat2(task, dirfd: Fd, path: Path, mode: Int, flags: Int):
    """faccessat(2) of the C library."""
    if flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    check_access(task, dirfd, path, mode, flags)


def find(task, dirfd, path, flags):
    """(inode, Path or None) of the *at calls that take AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW."""
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        file = task.files.get(dirfd)
        return file.inode, file.path
    how = 0 if flags & AT_SYMLINK_NOFOLLOW else LOOKUP_FOLLOW
    place = lookup(task, dirfd, path, how | (LOOKUP_EMPTY if flags & AT_EMPTY_PATH else 0))
    return place.inode(), place


def pack_stat(inode):
    """struct stat."""
    inode.refresh()
    return STAT.pack(
        inode.fs.dev, inode.ino, inode.nlink, inode.mode, inode.uid, inode.gid, 0, inode.rdev, inode.size, inode.blksize, inode.blocks,
        inode.atime_ns // BILLION, inode.atime_ns % BILLION, inode.mtime_ns // BILLION, inode.mtime_ns % BILLION,
        inode.ctime_ns // BILLION, inode.ctime_ns % BILLION,
    )


def pack_statx(inode, place):
    """struct statx: everything is given, whatever was asked for."""
    inode.refresh()
    mask = STATX_BASIC_STATS | (STATX_BTIME if inode.btime_ns else 0) | (STATX_MNT_ID if place is not None else 0)
    mount_root = place is not None and place.dentry is place.mount.root
    times = []
    for value in (inode.atime_ns, inode.btime_ns, inode.ctime_ns, inode.mtime_ns):
        times += divmod(value, BILLION)
    return STATX.pack(
        mask, inode.blksize, STATX_ATTR_MOUNT_ROOT if mount_root else 0, inode.nlink, inode.uid, inode.gid, inode.mode, inode.ino,
        inode.size, inode.blocks, STATX_ATTR_MOUNT_ROOT, *times, *split_device(inode.rdev), *split_device(inode.fs.dev),
        place.mount.id if place is not None else 0, 0, 0,
    )


def split_device(number):
    """Major and minor number of a device number as in struct stat."""
    return number >> 8 & 0xFFF | number >> 32 & 0xFFFFF000, number & 0xFF | number >> 12 & 0xFFFFFF00


def check_access(task, dirfd, path, mode, flags):
    if mode & ~(R_OK | W_OK | X_OK):
        raise Errno(EINVAL)
    caller = task.creds
    if not flags & AT_EACCESS:
        task.creds = real_creds(caller)
    try:
        inode, place = find(task, dirfd, path, flags)
        inode.refresh()
        kind = inode.mode & S_IFMT
        if mode & X_OK and kind == S_IFREG and place is not None and place.mount.flags & MS_NOEXEC:
            raise Errno(EACCES)
        if mode:
            may(inode, task.creds, mode)
        if mode & W_OK and kind in (S_IFREG, S_IFDIR, S_IFLNK) and place is not None and place.mount.read_only():
            raise Errno(EROFS)
    finally:
        task.creds = caller


def real_creds(creds):
    """access(2) asks for the real user: root has all its permitted capabilities, others none (without SECBIT_NO_SETUID_FIXUP)."""
    if creds.fsuid == creds.uid and creds.fsgid == creds.gid and (creds.uid == 0) == (creds.cap_effective == creds.cap_permitted):
        return creds
    real = creds.copy()
    real.fsuid, real.fsgid = creds.uid, creds.gid
    real.cap_effective = creds.cap_permitted if creds.uid == 0 else 0
    return real
