# SPDX-License-Identifier: Apache-2.0
"""Namespaces of the host that config.json names.

Only the network namespace matters to the kernel inside: it is joined, or made new; the host's own is never used by the sandbox process.
Pid, ipc, uts, mount and user namespaces are always new ones, whatever the path: what they would share is guest state, which lives in
the kernel of one sandbox.
"""

import posix

from oci.errors import RunscError
from oci.state import write_file

CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWNS = 0x20000000, 0x10000000, 0x20000


def become_root_of_user_namespace(host):
    """For a caller who is not root: a user namespace in which he is, so that the same steps make a sandbox of his rights."""
    uid, gid = posix.geteuid(), posix.getegid()
    if uid == 0:
        return
    result = host.host_unshare(CLONE_NEWUSER | CLONE_NEWNS)
    if result < 0:
        raise RunscError(f"not root, and no user namespace to be had: {posix.strerror(-result).lower()}")
    write_file("/proc/self/setgroups", b"deny", flags=0)
    write_file("/proc/self/uid_map", b"0 %d 1" % uid, flags=0)
    write_file("/proc/self/gid_map", b"0 %d 1" % gid, flags=0)


def open_network(spec):
    """A descriptor of the network namespace to join, or -1 for a new one."""
    path = spec.namespace_path("network")
    if not path:
        return -1
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError as error:
        raise RunscError(f"network namespace {path}: {error.strerror.lower()}") from None
    if is_same_file(posix.fstat(fd), posix.stat("/proc/self/ns/net")):
        posix.close(fd)
        return -1
    return fd


def is_same_file(a, b):
    """Namespaces are told apart by inode, never by what /proc/sys shows."""
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def fork_into_new_pid_namespace(host):
    """fork(), whose child is pid 1 of its own pid namespace; later children of ours are not in it."""
    own = posix.open("/proc/self/ns/pid", posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        result = host.host_unshare(CLONE_NEWPID)
        if result < 0:
            raise RunscError(f"can't make a pid namespace: {posix.strerror(-result).lower()}")
        pid = posix.fork()
        if pid != 0:
            host.host_setns(own, CLONE_NEWPID)  # refused to a caller who is not root: then hooks run in there, too
        return pid
    finally:
        posix.close(own)
