# SPDX-License-Identifier: Apache-2.0
"""The files that a container gets from the host: its root and its bind mounts, opened for the gofer before any jail is closed.

Each becomes an attach point of the gofer: a detached copy of the mount tree, private, and read-only by the host's own word where
asked. Sources are resolved here, in the host's view, with the caller's rights.
"""

import posix

from kernel.boot.args import MountArgs
from oci._host import lib
from oci.errors import RunscError

AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE = 1
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV = 1, 4
MS_PRIVATE = 1 << 18
O_PATH = 0x200000
S_IFMT, S_IFDIR = 0o170000, 0o040000


class Attaches:
    """The attach points in order: (descriptor, read-only)."""

    def __init__(self):
        self.points = []

    def add(self, path, is_readonly, is_recursive, what):
        """Opens a source; returns its index and whether it is a directory."""
        try:
            kind = posix.stat(path).st_mode & S_IFMT
            fd = open_mount_tree(path, is_readonly, is_recursive)
        except OSError as error:
            raise RunscError(f"{what} {path}: {error.strerror.lower()}") from None
        self.points.append((fd, is_readonly))
        return len(self.points) - 1, kind == S_IFDIR

    def close(self):
        """The gofer has them now."""
        for fd, _ in self.points:
            posix.close(fd)
        self.points = []


def open_mount_tree(path, is_readonly, is_recursive):
    """A detached private copy of the mounts below path, or, where the host can't, an O_PATH descriptor."""
    recursion = AT_RECURSIVE if is_recursive else 0
    fd = lib.host_open_tree(AT_FDCWD, path.encode("utf-8", "surrogateescape"), OPEN_TREE_CLONE | posix.O_CLOEXEC | recursion)
    if fd < 0:
        return posix.open(path, O_PATH | posix.O_CLOEXEC)
    attributes = MOUNT_ATTR_NODEV | (MOUNT_ATTR_RDONLY if is_readonly else 0)
    lib.host_mount_setattr(fd, AT_EMPTY_PATH | recursion, attributes, 0, MS_PRIVATE)  # the gofer refuses writes and devices, too
    return fd


def plan_mounts(spec, bundle, attaches, overlay):
    """MountArgs in order, the root first. overlay "none" means that the root is written through to the host."""
    root = spec.root_path if spec.root_path[0] == "/" else f"{bundle}/{spec.root_path}"
    is_readonly = spec.root_readonly or overlay != "none"
    index, is_directory = attaches.add(root, is_readonly, True, "root")
    if not is_directory:
        raise RunscError(f"root {root}: not a directory")
    mounts = [MountArgs("/", "root", root, [], index, spec.root_readonly)]
    for entry in spec.mounts:
        destination = entry.destination if entry.destination[0] == "/" else "/" + entry.destination
        mount = MountArgs(destination, entry.fstype, entry.source, entry.options, None, entry.readonly)
        if entry.fstype == "bind":
            source = entry.source if entry.source[0] == "/" else f"{bundle}/{entry.source}"
            mount.attach, mount.is_directory = attaches.add(source, entry.readonly, "rbind" in entry.options, "mount source")
        mounts.append(mount)
    return mounts
