# SPDX-License-Identifier: Apache-2.0
"""The mounts of a container: its root and what config.json lists, in order, as runc does it.

Missing mount points are made. A root that can't be written gets a private upper layer in memory when mount points are missing in it, and is
shown read-only afterwards.
"""

from fs.gofer.inode import GoferFileSystem
from fs.vfs.context import FsContext
from fs.vfs.dentry import root_dentry
from fs.vfs.mount import Mount
from fs.vfs.names import do_mkdir
from fs.vfs.namespace import MountNamespace
from fs.vfs.walk import lookup
from kernel.abi.errno import EEXIST, ENOENT, Errno
from kernel.abi.fs import AT_FDCWD, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME
from kernel.boot import filesystems
from kernel.boot.args import MountArgs

FLAGS = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME,
    "relatime": MS_RELATIME,
}
ONLY_PROPAGATION = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"))
IGNORED = frozenset(("rw", "bind", "rbind", "suid", "dev", "exec", "defaults", "strictatime", "nosymfollow")) | ONLY_PROPAGATION


class MountBuilder:
    """Builds the mount namespace of a container."""

    def __init__(self, sandbox, connection, task):
        self.sandbox = sandbox
        self.connection = connection
        self.task = task  # a task-like object with all rights, whose root is set here

    def build(self, mounts):
        """The namespace; the task's root and cwd are its root."""
        root_args = mounts[0]
        missing = any(option.destination for option in mounts[1:])
        root_fs = self.root_file_system(root_args, missing)
        namespace = MountNamespace(Mount(root_fs, root_dentry(root_fs), 0))
        self.task.fs = FsContext(namespace.root_path(), namespace.root_path(), 0, namespace)
        for mount in mounts[1:]:
            self.mount(namespace, mount)
        if root_args.readonly:
            namespace.root.flags |= MS_RDONLY
        return namespace

    def root_file_system(self, args: MountArgs, has_mounts):
        """The gofer's first attach point, below a layer in memory if it is not to be written through."""
        overlay = self.sandbox.args.overlay != "none"
        lower = GoferFileSystem(self.connection, b"%d" % args.attach, exclusive=True, read_only=overlay or args.readonly, source="none")
        if overlay or (args.readonly and has_mounts):
            return filesystems.overlay(lower)
        return lower

    def mount(self, namespace, args: MountArgs):
        """One entry of config.json's mounts."""
        flags, data = split_options(args.options)
        path = args.destination.encode("utf-8", "surrogateescape")
        place = self.mount_point(path, args)
        if args.fstype == "bind":
            fs = GoferFileSystem(self.connection, b"%d" % args.attach, exclusive=False, read_only=args.readonly, source="none")
        else:
            fs = filesystems.make(self.sandbox, args.fstype, args.source, data)
        if fs is None:
            self.sandbox.kernel.log(f"mount {args.destination}: no file system {args.fstype}, left out")
            return
        namespace.mount(fs, place, flags)

    def mount_point(self, path, args):
        """Where to mount; it is made if it is not there."""
        try:
            return lookup(self.task, AT_FDCWD, path)
        except Errno as error:
            if error.number != ENOENT:
                raise
        if args.fstype == "bind" and not args.is_directory:
            make_directories(self.task, path.rpartition(b"/")[0])
            make_file(self.task, path)
        else:
            make_directories(self.task, path)
        return lookup(self.task, AT_FDCWD, path)


def split_options(options):
    """(mount flags, the rest for the file system)."""
    flags, data = 0, []
    for option in options:
        if option in FLAGS:
            flags |= FLAGS[option]
        elif option not in IGNORED:
            data.append(option)
    return flags, data


def make_directories(task, path):
    """mkdir -p."""
    made = b""
    for name in path.split(b"/"):
        if not name:
            continue
        made += b"/" + name
        try:
            do_mkdir(task, AT_FDCWD, made, 0o755)
        except Errno as error:
            if error.number != EEXIST:
                raise


def make_file(task, path):
    """An empty file as the target of a bind mount of a file."""
    from fs.vfs.operations import do_open

    do_open(task, AT_FDCWD, path, 0o100 | 0o1, 0o644).put()
