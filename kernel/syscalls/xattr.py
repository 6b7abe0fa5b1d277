# SPDX-License-Identifier: Apache-2.0
"""Extended attributes (xattr(7)): user, trusted, security; system.* is the file system's."""

from fs.vfs.attributes import require_writable_mount
from fs.vfs.notify import notify_path
from fs.vfs.permission import may, owns
from fs.vfs.walk import LOOKUP_FOLLOW, lookup
from kernel.abi.errno import E2BIG, EINVAL, ENODATA, EOPNOTSUPP, EPERM, ERANGE, Errno
from kernel.abi.fs import (
    AT_FDCWD,
    IN_ATTRIB,
    MAY_READ,
    MAY_WRITE,
    S_IFDIR,
    S_IFMT,
    S_IFREG,
    S_ISVTX,
    XATTR_CREATE,
    XATTR_LIST_MAX,
    XATTR_NAME_MAX,
    XATTR_REPLACE,
    XATTR_SIZE_MAX,
)
from kernel.abi.task import CAP_SETFCAP, CAP_SYS_ADMIN
from kernel.syscalls.kinds import Int, OpenFile, Out, Path, Ptr, Size
from kernel.syscalls.table import syscall


@syscall(188)
def sys_setxattr(task, path: Path, name: Ptr, value: Ptr, size: Size, flags: Int):
    """setxattr(2)."""
    set_xattr(task, at(task, path, LOOKUP_FOLLOW), name, value, size, flags)


@syscall(189)
def sys_lsetxattr(task, path: Path, name: Ptr, value: Ptr, size: Size, flags: Int):
    """lsetxattr(2)."""
    set_xattr(task, at(task, path, 0), name, value, size, flags)


@syscall(190)
def sys_fsetxattr(task, file: OpenFile, name: Ptr, value: Ptr, size: Size, flags: Int):
    """fsetxattr(2)."""
    set_xattr(task, (file.inode, file.path), name, value, size, flags)


@syscall(191)
def sys_getxattr(task, path: Path, name: Ptr, value: Out, size: Size):
    """getxattr(2)."""
    return get_xattr(task, at(task, path, LOOKUP_FOLLOW)[0], name, value, size)


@syscall(192)
def sys_lgetxattr(task, path: Path, name: Ptr, value: Out, size: Size):
    """lgetxattr(2)."""
    return get_xattr(task, at(task, path, 0)[0], name, value, size)


@syscall(193)
def sys_fgetxattr(task, file: OpenFile, name: Ptr, value: Out, size: Size):
    """fgetxattr(2)."""
    return get_xattr(task, file.inode, name, value, size)


@syscall(194)
def sys_listxattr(task, path: Path, names: Out, size: Size):
    """listxattr(2)."""
    return list_xattr(task, at(task, path, LOOKUP_FOLLOW)[0], names, size)


@syscall(195)
def sys_llistxattr(task, path: Path, names: Out, size: Size):
    """llistxattr(2)."""
    return list_xattr(task, at(task, path, 0)[0], names, size)


@syscall(196)
def sys_flistxattr(task, file: OpenFile, names: Out, size: Size):
    """flistxattr(2)."""
    return list_xattr(task, file.inode, names, size)


@syscall(197)
def sys_removexattr(task, path: Path, name: Ptr):
    """removexattr(2)."""
    remove_xattr(task, at(task, path, LOOKUP_FOLLOW), name)


@syscall(198)
def sys_lremovexattr(task, path: Path, name: Ptr):
    """lremovexattr(2)."""
    remove_xattr(task, at(task, path, 0), name)


@syscall(199)
def sys_fremovexattr(task, file: OpenFile, name: Ptr):
    """fremovexattr(2)."""
    remove_xattr(task, (file.inode, file.path), name)


def at(task, path, how):
    """(inode, place)."""
    place = lookup(task, AT_FDCWD, path, how)
    return place.inode(), place


def set_xattr(task, where, name_address, value_address, size, flags):
    inode, place = where
    if flags & ~(XATTR_CREATE | XATTR_REPLACE):
        raise Errno(EINVAL)
    name = copy_in_name(task, name_address)
    if size > XATTR_SIZE_MAX:
        raise Errno(E2BIG)
    value = task.copy_in(value_address, size) if size else b""
    require_writable_mount(place)
    check_permission(task, inode, name, MAY_WRITE)
    inode.setxattr(name, value, flags)
    told(place)


def get_xattr(task, inode, name_address, address, size):
    name = copy_in_name(task, name_address)
    check_permission(task, inode, name, MAY_READ)
    value = inode.getxattr(name)
    if size:
        if len(value) > size:
            raise Errno(ERANGE)
        task.copy_out(address, value)
    return len(value)


def list_xattr(task, inode, address, size):
    try:
        names = inode.listxattr()
    except Errno as error:
        if error.number != EOPNOTSUPP:
            raise
        names = []
    hide_trusted = not task.creds.capable(CAP_SYS_ADMIN)
    text = b"".join(name + b"\0" for name in names if not (hide_trusted and name.startswith(b"trusted.")))
    if len(text) > XATTR_LIST_MAX:
        raise Errno(E2BIG)
    if size:
        if len(text) > size:
            raise Errno(ERANGE)
        task.copy_out(address, text)
    return len(text)


def remove_xattr(task, where, name_address):
    inode, place = where
    name = copy_in_name(task, name_address)
    require_writable_mount(place)
    check_permission(task, inode, name, MAY_WRITE)
    inode.removexattr(name)
    told(place)


def told(place):
    if place is not None:
        notify_path(place, IN_ATTRIB)


def copy_in_name(task, address):
    """A name with its prefix; ERANGE if it is empty or too long."""
    try:
        name = task.copy_in_string(address, XATTR_NAME_MAX)
    except Errno as error:
        raise Errno(ERANGE if error.number == 36 else error.number) from None
    if not name:
        raise Errno(ERANGE)
    return name


def check_permission(task, inode, name, mask):
    """What the name space asks for (xattr(7))."""
    prefix, _, rest = name.partition(b".")
    if prefix not in (b"user", b"trusted", b"security", b"system"):
        raise Errno(EOPNOTSUPP)
    if not rest:
        raise Errno(EINVAL)
    if prefix == b"trusted":
        if not task.creds.capable(CAP_SYS_ADMIN):
            raise Errno(EPERM if mask & MAY_WRITE else ENODATA)
    elif prefix == b"user":
        check_user(task, inode, mask)
    elif prefix == b"security":
        if mask & MAY_WRITE and not task.creds.capable(CAP_SETFCAP if rest == b"capability" else CAP_SYS_ADMIN):
            raise Errno(EPERM)
    elif mask & MAY_WRITE and not owns(inode, task.creds):
        raise Errno(EPERM)


def check_user(task, inode, mask):
    """user.*: regular files and directories only; sticky directories only by their owner."""
    kind = inode.mode & S_IFMT
    if kind not in (S_IFREG, S_IFDIR):
        raise Errno(EPERM if mask & MAY_WRITE else ENODATA)
    if kind == S_IFDIR and inode.mode & S_ISVTX and mask & MAY_WRITE and not owns(inode, task.creds):
        raise Errno(EPERM)
    may(inode, task.creds, mask)
