# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/ns: the namespaces of a process as magic links to files that stand for them (namespaces(7)).

Mount, UTS and IPC namespaces can be several; of the other kinds a sandbox has one each.
"""

from fs.proc.nodes import Directory, MagicLink, Node
from fs.vfs.file import File
from fs.vfs.inode import FileSystem
from fs.vfs.path import anonymous_path
from kernel.abi.errno import ENOENT, Errno
from kernel.abi.fs import S_IFLNK, S_IFREG

NSFS_MAGIC = 0x6E736673
FIRST_INO = 0xF0000000  # where Linux's dynamic numbers of namespaces begin
# name -> (number of the only one, attribute path of the object that can be several)
KINDS = {
    b"cgroup": (0xEFFFFFFB, None),
    b"ipc": (0xEFFFFFFF, "ipc"),
    b"mnt": (0xF0000000, "mounts"),
    b"net": (0xF0000001, None),
    b"pid": (0xEFFFFFFC, None),
    b"pid_for_children": (0xEFFFFFFC, None),
    b"time": (0xEFFFFFFA, None),
    b"time_for_children": (0xEFFFFFFA, None),
    b"user": (0xEFFFFFFD, None),
    b"uts": (0xEFFFFFFE, "uts"),
}


class NsFileSystem(FileSystem):
    """nsfs: mounted nowhere; numbers the namespaces that it is asked for."""

    def __init__(self, made_ns):
        FileSystem.__init__(self, "nsfs", "nsfs")
        self.made_ns = made_ns
        self.numbers = {}  # (kind, id of the object) -> (object, number)

    def statfs(self):
        return {"type": NSFS_MAGIC, "bsize": 4096, "namelen": 255, "frsize": 4096}

    def number(self, kind, namespace):
        """The inode number of a namespace: the first of a kind has Linux's fixed one."""
        key = kind, id(namespace)
        known = self.numbers.get(key)
        if known is None:
            first = not any(other == kind for other, _ in self.numbers)
            known = self.numbers[key] = (namespace, KINDS[kind][0] if first else FIRST_INO + 0x100 + len(self.numbers))
        return known[1]


class NsInode(Node):
    """A namespace as a file: `kind` and `namespace` are what setns(2) needs."""

    def __init__(self, fs, ino, kind, namespace):
        Node.__init__(self, fs, ino, S_IFREG | 0o444)
        self.kind = kind
        self.namespace = namespace

    def open(self, task, flags):
        return NsFile(self)


class NsFile(File):
    """An open namespace."""

    def __init__(self, inode):
        self.inode = inode


class NsDirectory(Directory):
    """ns: one link a kind."""

    def __init__(self, fs, ino, target, mode):
        Directory.__init__(self, fs, ino, mode=mode)
        self.target = target
        self.first_ino = (1 << 52) + target.id * 16

    def lookup(self, name):
        if name not in KINDS or self.target.task.fs is None:
            raise Errno(ENOENT)

        def place(task):
            self.target.require(task)
            return namespace_path(self.fs.nsfs, self.target.task, name)

        link = MagicLink(self.fs, self.first_ino + list(KINDS).index(name), place)
        link.uid, link.gid = self.target.owner
        return link

    def readdir(self):
        return [(name, self.first_ino + index, S_IFLNK) for index, name in enumerate(KINDS)]


def namespace_path(nsfs, task, name):
    """The place of a task's namespace: shown as kind:[number]."""
    kind = name.removesuffix(b"_for_children")
    attribute = KINDS[name][1]
    if attribute is None:
        namespace, number = None, KINDS[name][0]
    else:
        namespace = task.fs.mounts if attribute == "mounts" else getattr(task, attribute)
        number = nsfs.number(kind, namespace)
    return anonymous_path(NsInode(nsfs, number, kind, namespace), b"%s:[%d]" % (kind, number))
