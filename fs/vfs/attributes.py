# SPDX-License-Identifier: Apache-2.0
"""Changing attributes of what a place or a file leads to: mode, owner, times, size, with the checks that come before.

`mount` is the Mount that it was reached through, or None for files without a place.
"""

from fs.vfs.inode import now_ns
from fs.vfs.notify import notify, notify_path
from fs.vfs.permission import may, owns, remove_privileges, without_privileges
from kernel.abi.errno import EINVAL, EISDIR, EPERM, EROFS, ETXTBSY, Errno
from kernel.abi.fs import (
    IN_ATTRIB,
    IN_MODIFY,
    MAY_WRITE,
    S_IFDIR,
    S_IFMT,
    S_IFREG,
    S_ISGID,
    UTIME_NOW,
    UTIME_OMIT,
)
from kernel.abi.task import CAP_CHOWN, CAP_FSETID

PERMISSIONS = 0o7777
UNCHANGED = 0xFFFFFFFF


def do_chmod(task, inode, path, mode):
    """chmod(2): for the owner; a set-gid bit for a group that the caller isn't in is dropped."""
    require_writable_mount(path)
    if not owns(inode, task.creds):
        raise Errno(EPERM)
    mode &= PERMISSIONS
    if mode & S_ISGID and not task.creds.in_group(inode.gid) and not task.creds.capable(CAP_FSETID):
        mode &= ~S_ISGID
    apply(inode, path, {"mode": mode})


def do_chown(task, inode, path, uid, gid):
    """chown(2): -1 leaves an id as it is. Set-id bits of regular files go."""
    require_writable_mount(path)
    creds = task.creds
    owner = creds.fsuid == inode.uid
    if uid != UNCHANGED and not (owner and uid == inode.uid) and not creds.capable(CAP_CHOWN):
        raise Errno(EPERM)
    if gid != UNCHANGED and not (owner and (creds.in_group(gid) or gid == inode.gid)) and not creds.capable(CAP_CHOWN):
        raise Errno(EPERM)
    changes = {}
    if uid != UNCHANGED:
        changes["uid"] = uid
    if gid != UNCHANGED:
        changes["gid"] = gid
    mode = without_privileges(inode, creds, True)
    if mode != inode.mode:
        changes["mode"] = mode & PERMISSIONS
    apply(inode, path, changes)


def do_utimes(task, inode, path, times):
    """utimensat(2): times is None for now, or ((seconds, nanoseconds), (seconds, nanoseconds)) with UTIME_NOW and UTIME_OMIT."""
    if times is None:
        times = ((0, UTIME_NOW), (0, UTIME_NOW))
    for _seconds, nanoseconds in times:
        if nanoseconds not in (UTIME_NOW, UTIME_OMIT) and not 0 <= nanoseconds < 1000000000:
            raise Errno(EINVAL)
    kinds = [nanoseconds for _seconds, nanoseconds in times]
    if kinds == [UTIME_OMIT, UTIME_OMIT]:
        return
    require_writable_mount(path)
    if not owns(inode, task.creds):
        if kinds != [UTIME_NOW, UTIME_NOW]:
            raise Errno(EPERM)
        may(inode, task.creds, MAY_WRITE)
    changes = {}
    for key, (seconds, nanoseconds) in zip(("atime_ns", "mtime_ns"), times):
        if nanoseconds == UTIME_NOW:
            changes[key] = now_ns()
        elif nanoseconds != UTIME_OMIT:
            changes[key] = clamp_seconds(seconds) * 1000000000 + nanoseconds
    apply(inode, path, changes)


def clamp_seconds(seconds):
    """File systems keep 63 bits of nanoseconds."""
    return max(min(seconds, 9223372035), -9223372036)


def check_truncate_path(task, inode, path):
    """truncate(2): what the path must lead to."""
    kind = inode.mode & S_IFMT
    if kind == S_IFDIR:
        raise Errno(EISDIR)
    if kind != S_IFREG:
        raise Errno(EINVAL)
    require_writable_mount(path)
    may(inode, task.creds, MAY_WRITE)
    if inode.writers < 0:
        raise Errno(ETXTBSY)


def do_truncate(task, inode, path, size):
    """Set the size; set-id bits go."""
    remove_privileges(inode, task.creds)
    inode.setattr({"size": size})
    if path is not None:
        notify_path(path, IN_MODIFY)


def require_writable_mount(path):
    """EROFS for what was reached through a read-only mount."""
    if path is not None and path.mount.read_only():
        raise Errno(EROFS)


def apply(inode, path, changes):
    inode.setattr(changes)
    if path is None:
        notify(inode, IN_ATTRIB)
    else:
        notify_path(path, IN_ATTRIB)
