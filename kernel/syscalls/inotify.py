# SPDX-License-Identifier: Apache-2.0
"""inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2)."""

from fs.anon.inotify import Inotify
from fs.vfs.permission import may
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import EINVAL, Errno
from kernel.abi.fs import (
    AT_FDCWD,
    IN_ALL_EVENTS,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_MASK_ADD,
    IN_MASK_CREATE,
    IN_ONESHOT,
    IN_ONLYDIR,
    MAY_READ,
    O_CLOEXEC,
    O_NONBLOCK,
)
from kernel.syscalls.kinds import Int, OpenFile, Path, UInt
from kernel.syscalls.table import missing, syscall

KEPT = IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE


@syscall(253)
def sys_inotify_init(task):
    """inotify_init(2)."""
    return task.files.install(Inotify())


@syscall(294)
def sys_inotify_init1(task, flags: Int):
    """inotify_init1(2)."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    return task.files.install(Inotify(flags & O_NONBLOCK), bool(flags & O_CLOEXEC))


@syscall(254)
def sys_inotify_add_watch(task, file: OpenFile, path: Path, mask: UInt):
    """inotify_add_watch(2)."""
    if not mask & IN_ALL_EVENTS or (mask & IN_MASK_ADD and mask & IN_MASK_CREATE):
        raise Errno(EINVAL)
    if not isinstance(file, Inotify):
        raise Errno(EINVAL)
    how = (0 if mask & IN_DONT_FOLLOW else LOOKUP_FOLLOW) | (LOOKUP_DIRECTORY if mask & IN_ONLYDIR else 0)
    place = lookup(task, AT_FDCWD, path, how)
    may(place.inode(), task.creds, MAY_READ)
    return file.add(place, mask & KEPT)


@syscall(255)
def sys_inotify_rm_watch(task, file: OpenFile, wd: Int):
    """inotify_rm_watch(2)."""
    if not isinstance(file, Inotify):
        raise Errno(EINVAL)
    file.remove(wd)


missing(300, "fanotify_init", "fanotify is absent")
missing(301, "fanotify_mark", "fanotify is absent")
