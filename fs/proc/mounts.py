# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/mounts, mountinfo and mountstats: the mounts of a process's namespace that it can reach from its root."""

from fs.dev.devices import major, minor
from fs.proc.nodes import TextFile, TextHandle
from fs.vfs.namespace import subtree
from fs.vfs.path import make_path
from kernel.abi.fs import MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RELATIME
from kernel.abi.poll import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from kernel.sync.waitqueue import WaitQueue

MOUNT_FLAGS = (
    (MS_NOSUID, ",nosuid"),
    (MS_NODEV, ",nodev"),
    (MS_NOEXEC, ",noexec"),
    (MS_NOATIME, ",noatime"),
    (MS_NODIRATIME, ",nodiratime"),
    (MS_RELATIME, ",relatime"),
)
ESCAPES = {ord(" "): "\\040", ord("\t"): "\\011", ord("\n"): "\\012", ord("\\"): "\\134", ord("#"): "\\043"}


def reachable(target):
    """(mount, where it is seen from the process's root) of all that can be seen, parents first."""
    context = target.task.fs
    if context is None:
        return []
    found = []
    for mount in subtree(context.mounts.root):
        if mount is context.root.mount:
            found.append((mount, b"/" if context.root.dentry is mount.root else None))
            continue
        where = make_path(mount, mount.root).text(context.root)
        if not where.startswith(b"(unreachable)"):
            found.append((mount, where))
    return [(mount, escape(where)) for mount, where in found if where is not None]


def escape(text):
    """As in all these files: octal for what separates fields."""
    return text.decode("utf-8", "surrogateescape").translate(ESCAPES)


def mounts(target):
    """The six fields of fstab(5)."""
    lines = [
        f"{escape_source(mount)} {where} {mount.fs.type_name} {options(mount)}{mount.fs.show_options()} 0 0\n"
        for mount, where in reachable(target)
    ]
    return "".join(lines).encode("utf-8", "surrogateescape")


def mountinfo(target):
    """The long form: ids, device, what part of the file system is shown."""
    lines = []
    for mount, where in reachable(target):
        parent = mount.parent.id if mount.parent else mount.id
        dev = f"{major(mount.fs.dev)}:{minor(mount.fs.dev)}"
        root = escape(root_of(mount))
        shared = f"shared:{mount.id} " if mount.propagation == "shared" else ""
        lines.append(
            f"{mount.id} {parent} {dev} {root} {where} {options(mount)} {shared}- {mount.fs.type_name} {escape_source(mount)} "
            f"{'ro' if mount.fs.read_only else 'rw'}{mount.fs.show_options()}\n"
        )
    return "".join(lines).encode("utf-8", "surrogateescape")


def mountstats(target):
    """Device, place and type."""
    lines = [f"device {escape_source(mount)} mounted on {where} with fstype {mount.fs.type_name}\n" for mount, where in reachable(target)]
    return "".join(lines).encode("utf-8", "surrogateescape")


def root_of(mount):
    """The path of the mount's root in its own file system."""
    names, dentry = [], mount.root
    while dentry.parent is not None:
        names.append(dentry.name)
        dentry = dentry.parent
    return b"/" + b"/".join(reversed(names))


def options(mount):
    """Flags of the mount itself."""
    return ("ro" if mount.read_only() else "rw") + "".join(text for flag, text in MOUNT_FLAGS if mount.flags & flag)


def escape_source(mount):
    return (mount.fs.source or "none").translate(ESCAPES)


class MountsFile(TextFile):
    """mounts and mountinfo can be polled: POLLERR and POLLPRI after a change (proc(5))."""

    def open(self, task, flags):
        return MountsHandle(self, task.fs.mounts)


class MountsHandle(TextHandle):
    """An open mounts file; remembers which state of the namespace was seen."""

    def __init__(self, inode, namespace):
        TextHandle.__init__(self, inode)
        self.namespace = namespace
        self.seen = namespace.event

    def poll(self):
        ready = POLLIN | POLLRDNORM
        if self.namespace.event != self.seen:
            self.seen = self.namespace.event
            ready |= POLLERR | POLLPRI
        return ready

    def poll_queue(self):
        if self.namespace.waiters is None:
            self.namespace.waiters = WaitQueue()
        return self.namespace.waiters
