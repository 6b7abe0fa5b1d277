# SPDX-License-Identifier: Apache-2.0
"""mount(2), umount2(2), pivot_root(2), statfs(2), sync(2) and fsync(2) with their kin."""

import struct

from fs.tmpfs.inode import Tmpfs
from fs.tmpfs.options import parse_options
from fs.vfs.path import Path as Place
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import EBADF, EINVAL, ENOENT, ENOTBLK, EPERM, ESPIPE, Errno
from kernel.abi.fs import (
    AT_FDCWD,
    MNT_DETACH,
    MNT_EXPIRE,
    MNT_FORCE,
    MS_BIND,
    MS_MOVE,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_SHARED,
    MS_SILENT,
    MS_SLAVE,
    MS_STRICTATIME,
    MS_UNBINDABLE,
    O_ACCMODE,
    O_WRONLY,
    S_IFIFO,
    S_IFMT,
    S_IFREG,
    ST_NOATIME,
    ST_NODEV,
    ST_NODIRATIME,
    ST_NOEXEC,
    ST_NOSUID,
    ST_RDONLY,
    ST_RELATIME,
    ST_VALID,
    UMOUNT_NOFOLLOW,
)
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.boot.filesystems import for_mount_call
from kernel.sync.pool import result_of, results_of
from kernel.syscalls.kinds import Int, Long, OpenFile, OptPath, Out, Path, Ptr, Size, UInt, ULong
from kernel.syscalls.table import syscall
from kernel.task.task import BLOCKED

MAGIC, MAGIC_MASK = 0xC0ED0000, 0xFFFF0000
PAGE = 4096
STATFS = struct.Struct("<qqQQQQQiiqqq32x")
PROPAGATION = {MS_PRIVATE: "private", MS_SHARED: "shared", MS_SLAVE: "slave", MS_UNBINDABLE: "unbindable"}
MOUNT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME
SHOWN_FLAGS = (
    (MS_RDONLY, ST_RDONLY),
    (MS_NOSUID, ST_NOSUID),
    (MS_NODEV, ST_NODEV),
    (MS_NOEXEC, ST_NOEXEC),
    (MS_NOATIME, ST_NOATIME),
    (MS_NODIRATIME, ST_NODIRATIME),
    (MS_RELATIME, ST_RELATIME),
)
NR_ADVICE = 6


@syscall(165, partial="every mount behaves as private; only file systems of this kernel can be mounted")
def sys_mount(task, source: OptPath, target: Path, fstype: Ptr, flags: ULong, data: Ptr):
    """mount(2)."""
    if flags & MAGIC_MASK == MAGIC:
        flags &= ~MAGIC_MASK
    type_name = copy_in_text(task, fstype)
    options = copy_in_text(task, data)
    place = lookup(task, AT_FDCWD, target)
    require_admin(task)
    if flags & MS_REMOUNT:
        remount(place, flags, options)
    elif flags & MS_BIND:
        bind(task, source, place, flags)
    elif flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE):
        set_propagation(place, flags)
    elif flags & MS_MOVE:
        task.fs.mounts.move(lookup(task, AT_FDCWD, required(source)), place)
    else:
        mount_new(task, source, place, type_name, flags, options)


def mount_new(task, source, place, type_name, flags, options):
    if not type_name:
        raise Errno(EINVAL)
    fs = for_mount_call(task.kernel, type_name, (source or b"none").decode("utf-8", "surrogateescape"), options)
    if fs is None:
        raise Errno(ENOTBLK)
    task.fs.mounts.mount(fs, place, kept_flags(flags))


def bind(task, source, place, flags):
    """MS_BIND: the flags of the source stay."""
    if not source:
        raise Errno(EINVAL)
    task.fs.mounts.bind(lookup(task, AT_FDCWD, source), place, bool(flags & MS_REC))


def remount(place, flags, options):
    """MS_REMOUNT: with MS_BIND the flags of this mount only, else also what the file system lets change."""
    mount = place.mount
    if place.dentry is not mount.root or mount.namespace is None:
        raise Errno(EINVAL)
    if not flags & MS_BIND and isinstance(mount.fs, Tmpfs):
        mount.fs.configure(parse_options(options), True)
    mount.flags = kept_flags(flags)


def set_propagation(place, flags):
    """Accepted and remembered: mounts never propagate."""
    kind = flags & ~(MS_REC | MS_SILENT)
    if kind not in PROPAGATION or place.dentry is not place.mount.root:
        raise Errno(EINVAL)
    pending = [place.mount]
    for mount in pending:
        mount.propagation = PROPAGATION[kind]
        if flags & MS_REC:
            pending.extend(mount.children.values())


def kept_flags(flags):
    """Relatime is the default."""
    if not flags & (MS_NOATIME | MS_STRICTATIME):
        flags |= MS_RELATIME
    return flags & MOUNT_FLAGS


def required(source):
    if not source:
        raise Errno(ENOENT if source is not None else EINVAL)
    return source


def copy_in_text(task, address):
    if not address:
        return ""
    return task.copy_in_string(address, PAGE - 1).decode("utf-8", "surrogateescape")


def require_admin(task):
    if not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)


@syscall(166)
def sys_umount2(task, target: Path, flags: Int):
    """umount2(2)."""
    if flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW):
        raise Errno(EINVAL)
    if flags & MNT_EXPIRE and flags & (MNT_FORCE | MNT_DETACH):
        raise Errno(EINVAL)
    place = lookup(task, AT_FDCWD, target, 0 if flags & UMOUNT_NOFOLLOW else LOOKUP_FOLLOW)
    require_admin(task)
    task.fs.mounts.umount(place, flags)


@syscall(155)
def sys_pivot_root(task, new_root: Path, put_old: Path):
    """pivot_root(2): whoever has the old root as root or working directory goes over to the new one."""
    require_admin(task)
    new = lookup(task, AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY)
    old = lookup(task, AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY)
    root = task.fs.root
    task.fs.mounts.pivot_root(new, old, root)
    for other in task.kernel.tasks.values():
        context = other.fs
        if context is None:
            continue
        if context.root.same(root):
            context.root = Place(new.mount, new.dentry)
        if context.cwd.same(root):
            context.cwd = Place(new.mount, new.dentry)


@syscall(137)
def sys_statfs(task, path: Path, buf: Out):
    """statfs(2)."""
    place = lookup(task, AT_FDCWD, path)
    task.copy_out(buf, pack_statfs(place.inode().fs, place.mount))


@syscall(138)
def sys_fstatfs(task, file: OpenFile, buf: Out):
    """fstatfs(2)."""
    task.copy_out(buf, pack_statfs(file.inode.fs, file.path.mount if file.path is not None else None))


def pack_statfs(fs, mount):
    """struct statfs."""
    values = fs.statfs()
    flags = ST_VALID
    if mount is not None:
        for mount_flag, shown in SHOWN_FLAGS:
            flags |= shown if mount.flags & mount_flag else 0
        if mount.read_only():
            flags |= ST_RDONLY
    numbers = [values.get(name, 0) for name in ("blocks", "bfree", "bavail", "files", "ffree")]
    block = values.get("bsize", PAGE)
    return STATFS.pack(
        values.get("type", 0), block, *numbers, fs.dev & 0x7FFFFFFF, 0, values.get("namelen", 255), values.get("frsize", block), flags
    )


@syscall(162)
def sys_sync(task):
    """sync(2): errors are nobody's."""
    if task.progress is None:
        jobs = [fs.sync_job() for fs in {mount.fs for mount in task.fs.mounts.mounts.values()}]
        task.progress = [job for job in jobs if job is not None]
    result = results_of(task, task.progress)
    return result if result == BLOCKED else 0


@syscall(306)
def sys_syncfs(task, file: OpenFile):
    """syncfs(2)."""
    return made_safe(task, task.progress or file.syncfs())


@syscall(74)
def sys_fsync(task, file: OpenFile):
    """fsync(2)."""
    return made_safe(task, task.progress or file.fsync(False))


@syscall(75)
def sys_fdatasync(task, file: OpenFile):
    """fdatasync(2)."""
    return made_safe(task, task.progress or file.fsync(True))


def made_safe(task, job):
    """The end of a job that a file has given us; None: there is nothing to wait for."""
    return 0 if job is None else result_of(task, job)


@syscall(277)
def sys_sync_file_range(task, file: OpenFile, offset: Long, nbytes: Long, flags: UInt):
    """sync_file_range(2): more than was asked for, the whole file, is made safe."""
    if flags & ~7 or offset < 0 or nbytes < 0:
        raise Errno(EINVAL)
    if not file.seekable():
        raise Errno(ESPIPE)
    return made_safe(task, task.progress or file.fsync(True))


@syscall(221)
def sys_fadvise64(task, file: OpenFile, offset: Long, length: Size, advice: Int):
    """posix_fadvise(2): advice that needs not be taken."""
    if file.inode.mode & S_IFMT == S_IFIFO:
        raise Errno(ESPIPE)
    if not 0 <= advice < NR_ADVICE or length >> 63:
        raise Errno(EINVAL)


@syscall(187)
def sys_readahead(task, file: OpenFile, offset: Long, count: Size):
    """readahead(2): advice as well."""
    if file.flags & O_ACCMODE == O_WRONLY:
        raise Errno(EBADF)
    if file.inode.mode & S_IFMT != S_IFREG:
        raise Errno(EINVAL)
