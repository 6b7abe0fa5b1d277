# SPDX-License-Identifier: Apache-2.0
"""Addresses of AF_UNIX (unix(7)): unnamed, in the file system, or abstract (a name that begins with a NUL byte)."""

from fs.vfs.names import do_mknod
from fs.vfs.permission import may
from fs.vfs.walk import lookup
from kernel.abi.errno import EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, EPROTOTYPE, Errno
from kernel.abi.fs import AT_FDCWD, MAY_WRITE, S_IFMT, S_IFSOCK
from kernel.abi.net import AF_UNIX, UNIX_PATH_MAX

FAMILY = AF_UNIX.to_bytes(2, "little")


def parse(address):
    """The name in a sockaddr_un: b"" (unnamed), a path, or an abstract name with its leading NUL. EINVAL."""
    if len(address) < 2 or len(address) > UNIX_PATH_MAX + 2:
        raise Errno(EINVAL)
    if address[:2] != FAMILY:
        raise Errno(EINVAL)
    name = address[2:]
    if name[:1] == b"\0" or not name:
        return name
    return name.split(b"\0")[0]


def sockaddr(name):
    """The sockaddr_un of a name, or of None (unnamed)."""
    if not name:
        return FAMILY
    return FAMILY + name + (b"" if name[:1] == b"\0" else b"\0")


def bind_name(task, sock, name):
    """Take a name. The name that was taken: a new abstract one if b"" was asked for."""
    table = task.kernel.unix_names
    if not name:
        name = free_name(table)
    if name[:1] == b"\0":
        if name in table:
            raise Errno(EADDRINUSE)
        table[name] = sock
        return name
    try:
        path = do_mknod(task, AT_FDCWD, name, S_IFSOCK | 0o777 & ~task.fs.umask, 0)
    except Errno as error:
        raise Errno(EADDRINUSE if error.number == EEXIST else error.number) from None
    inode = path.inode()
    inode.socket = sock
    sock.bound_inode = inode
    return name


def free_name(table):
    """Autobind: the first free one of the 2^20 five-digit names."""
    for number in range(1 << 20):
        name = b"\0%05x" % number
        if name not in table:
            return name
    raise Errno(EADDRINUSE)


def find(task, name, kind):
    """The socket that has a name; ECONNREFUSED, ENOENT, EACCES."""
    if not name:
        raise Errno(ECONNREFUSED)
    if name[:1] == b"\0":
        found = task.kernel.unix_names.get(name)
    else:
        inode = lookup(task, AT_FDCWD, name).inode()
        may(inode, task.creds, MAY_WRITE)
        found = inode.socket if inode.mode & S_IFMT == S_IFSOCK else None
    if found is None:
        raise Errno(ECONNREFUSED)
    if found.type != kind:
        raise Errno(EPROTOTYPE)
    return found


def unbind(kernel, sock):
    """The socket is gone: its abstract name is free, its inode leads nowhere."""
    if sock.bound_inode is not None:
        sock.bound_inode.socket = None
        sock.bound_inode = None
    elif sock.name and kernel.unix_names.get(sock.name) is sock:
        del kernel.unix_names[sock.name]
