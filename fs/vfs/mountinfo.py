# SPDX-License-Identifier: Apache-2.0
"""What /proc/[pid]/mounts and /proc/[pid]/mountinfo say (proc(5)), as seen by a process with a given root directory."""

from fs.vfs.path import Path
from kernel.abi.fs import (
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RELATIME,
)

OPTIONS = (
    (MS_NOSUID, "nosuid"),
    (MS_NODEV, "nodev"),
    (MS_NOEXEC, "noexec"),
    (MS_NOATIME, "noatime"),
    (MS_NODIRATIME, "nodiratime"),
    (MS_RELATIME, "relatime"),
)
ESCAPED = {ord(character): f"\\{ord(character):03o}" for character in " \t\n\\#"}


def mounts(namespace, root):
    """/proc/[pid]/mounts."""
    return "".join(
        f"{escape(mount.fs.source)} {place} {mount.fs.type_name} {options_of(mount)}{mount.fs.show_options()} 0 0\n"
        for mount, place in visible(namespace, root)
    )


def mountinfo(namespace, root):
    """/proc/[pid]/mountinfo."""
    return "".join(mountinfo_line(mount, place) for mount, place in visible(namespace, root))


def mountinfo_line(mount, place):
    parent = mount.id if mount.parent is None else mount.parent.id
    dev = mount.fs.dev
    super_options = ("ro" if mount.fs.read_only else "rw") + mount.fs.show_options()
    return (
        f"{mount.id} {parent} {dev >> 8 & 0xFFF}:{dev & 0xFF | dev >> 12 & 0xFFFFFF00} {escape(inner_path(mount.root))} {place}"
        f" {options_of(mount)} - {mount.fs.type_name} {escape(mount.fs.source)} {super_options}\n"
    )


def visible(namespace, root):
    """(Mount, escaped path) of every mount that can be reached from root, parents first."""
    for mount in list(namespace.mounts.values()):
        text = Path(mount, mount.root).text(root)
        if not text.startswith(b"(unreachable)"):
            yield mount, escape(text.decode("utf-8", "surrogateescape"))


def inner_path(dentry):
    """Where a bind mount begins, as a path in its file system."""
    names = []
    while dentry.parent is not None:
        names.append(dentry.name.decode("utf-8", "surrogateescape"))
        dentry = dentry.parent
    return "/" + "/".join(reversed(names))


def options_of(mount):
    return ",".join(["ro" if mount.read_only() else "rw"] + [name for flag, name in OPTIONS if mount.flags & flag])


def escape(text):
    return (text or "none").translate(ESCAPED)
