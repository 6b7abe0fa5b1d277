# SPDX-License-Identifier: Apache-2.0
"""File systems by type name: what config.json and mount(2) can ask for, and the paths that config.json masks."""

from fs.devpts.filesystem import DevptsFileSystem
from fs.overlay.inode import OverlayFileSystem
from fs.proc.filesystem import ProcFileSystem
from fs.sys.filesystem import SysFileSystem
from fs.tmpfs.inode import Tmpfs
from fs.vfs.walk import LOOKUP_FOLLOW, lookup
from kernel.abi.errno import ENODEV, Errno
from kernel.abi.fs import AT_FDCWD, MS_RDONLY, S_IFDIR, S_IFMT

NEVER_MOUNTED = frozenset(("cgroup", "cgroup2", "mqueue", "debugfs", "tracefs", "securityfs", "bpf", "configfs", "fusectl"))


def tmpfs(_sandbox, source, data):
    """A new tmpfs."""
    return Tmpfs(",".join(data), source or "tmpfs")


def proc(sandbox, _source, _data):
    """procfs of this kernel."""
    return ProcFileSystem(sandbox.kernel)


def sysfs(sandbox, _source, _data):
    """The skeleton of /sys."""
    return SysFileSystem(sandbox.kernel)


def devpts(sandbox, _source, data):
    """Pseudo-terminals: one instance for the sandbox."""
    if sandbox.devpts is None:
        sandbox.devpts = DevptsFileSystem(sandbox.kernel, ",".join(data))
    return sandbox.devpts


def cgroup(_sandbox, _source, data):
    """/sys/fs/cgroup: an empty read-only tree."""
    return Tmpfs("size=0,mode=555", "cgroup")


MAKERS = {
    "cgroup": cgroup,
    "cgroup2": cgroup,
    "devpts": devpts,
    "devtmpfs": tmpfs,
    "mqueue": tmpfs,
    "proc": proc,
    "ramfs": tmpfs,
    "sysfs": sysfs,
    "tmpfs": tmpfs,
}


def begin(sandbox, boot_task):
    """Before the first mount."""
    sandbox.devpts = None


def make(sandbox, fstype, source, data):
    """A file system of that type; None if there is no such type."""
    maker = MAKERS.get(fstype)
    return None if maker is None else maker(sandbox, source, data)


def overlay(lower):
    """A private upper layer in memory over a file system."""
    return OverlayFileSystem(lower, Tmpfs("size=50%", "overlay"))


def apply_paths(sandbox, task, args):
    """Devices in /dev, then maskedPaths and readonlyPaths."""
    populate_dev(task)
    for text in args.masked_paths:
        mask(sandbox, task, text.encode())
    for text in args.readonly_paths:
        protect(sandbox, task, text.encode())


def populate_dev(task):
    """The standard nodes, if /dev is a file system of ours."""
    from fs.dev.devices import populate

    try:
        place = lookup(task, AT_FDCWD, b"/dev", LOOKUP_FOLLOW)
    except Errno:
        return
    if isinstance(place.inode().fs, Tmpfs):
        populate(task.creds, place.inode())


def mask(sandbox, task, path):
    """An empty directory, or /dev/null, in place of what is there."""
    try:
        place = lookup(task, AT_FDCWD, path)
        if place.inode().mode & S_IFMT == S_IFDIR:
            sandbox.mounts.mount(Tmpfs("size=0,mode=555"), place, MS_RDONLY)
        else:
            sandbox.mounts.bind(lookup(task, AT_FDCWD, b"/dev/null"), place)
    except Errno:
        return


def protect(sandbox, task, path):
    """The path bound over itself, read-only."""
    try:
        place = lookup(task, AT_FDCWD, path)
        sandbox.mounts.bind(place, place, True).flags |= MS_RDONLY
    except Errno:
        return


def for_mount_call(kernel, fstype, source, data):
    """mount(2) from inside; ENODEV for unknown types."""
    if fstype not in MAKERS or fstype in NEVER_MOUNTED:
        raise Errno(ENODEV)
    return make(kernel.services, fstype, source, data.split(",") if data else [])
