# SPDX-License-Identifier: Apache-2.0
"""The devpts file system: ptmx, and a device node for every slave (devpts in Linux's documentation, pts(4)).

One instance serves a sandbox, however often it is mounted; options: gid, uid, mode, ptmxmode, max.
"""

from fs.devpts.files import MasterFile, SlaveFile
from fs.devpts.tty import Tty
from fs.vfs.inode import FileSystem, Inode
from fs.vfs.path import anonymous_path, make_path
from kernel.abi.errno import EBUSY, EINVAL, EIO, ENOENT, ENOSPC, Errno
from kernel.abi.fs import O_RDWR, S_IFCHR, S_IFDIR
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.sync.waitqueue import WaitQueue

DEVPTS_SUPER_MAGIC = 0x1CD1
PTMX_INO, FIRST_SLAVE_INO = 2, 3
PTMX_RDEV = 5 << 8 | 2
DEFAULT_MAX = 4096


class DevptsFileSystem(FileSystem):
    """All terminals of a sandbox."""

    def __init__(self, kernel, options=""):
        FileSystem.__init__(self, "devpts", "devpts")
        self.kernel = kernel
        self.cache_dentries = False
        self.ttys = {}  # number -> Tty
        self.nodes = {}  # number -> inode of the slave
        self.most = DEFAULT_MAX
        self.uid, self.gid, self.mode, self.ptmx_mode = None, None, 0o600, 0
        self.parse(options)
        self.root = RootDirectory(self)

    def parse(self, options):
        """Mount options; EINVAL for a malformed one."""
        for option in filter(None, options.split(",")):
            key, _, value = option.partition("=")
            try:
                if key in ("uid", "gid"):
                    setattr(self, key, int(value))
                elif key in ("mode", "ptmxmode"):
                    setattr(self, key.replace("ptmx", "ptmx_"), int(value, 8))
                elif key == "max":
                    self.most = int(value)
            except ValueError:
                raise Errno(EINVAL) from None

    def show_options(self):
        owner = "" if self.gid is None else f",gid={self.gid}"
        return f"{owner},mode={self.mode:03o},ptmxmode={self.ptmx_mode:03o}"

    def statfs(self):
        return {"type": DEVPTS_SUPER_MAGIC, "bsize": 4096, "namelen": 255, "frsize": 4096}

    def new_tty(self, creds):
        """A terminal with the lowest free number, and its node; ENOSPC."""
        number = next(free for free in range(len(self.ttys) + 1) if free not in self.ttys)
        if number >= self.most:
            raise Errno(ENOSPC)
        tty = self.ttys[number] = Tty(self.kernel, number, (WaitQueue(), WaitQueue()))
        node = self.nodes[number] = SlaveInode(self, FIRST_SLAVE_INO + number, S_IFCHR | self.mode, tty)
        node.uid = creds.fsuid if self.uid is None else self.uid
        node.gid = creds.fsgid if self.gid is None else self.gid
        return tty

    def open_master(self, task, inode, flags):
        """A new terminal's master."""
        tty = self.new_tty(task.creds)
        tty.locked = True
        return MasterFile(inode, self, tty, flags)

    def open_slave(self, task, tty, flags=O_RDWR):
        """The slave without a path lookup; its path is where the file system is mounted in the task's namespace."""
        node = self.nodes[tty.number]
        file = node.open(task, flags)
        file.path = self.path_of(task, b"%d" % tty.number)
        return file

    def path_of(self, task, name):
        """Where the task can see an entry; what has no place gets a name only."""
        for mount in task.fs.mounts.mounts.values():
            if mount.fs is self:
                return make_path(mount, mount.root.lookup(name))
        return anonymous_path(self.root.lookup(name), b"/dev/pts/" + name)

    def master_closed(self, tty):
        """Its number is free again; who has the slave open keeps it."""
        self.ttys.pop(tty.number, None)
        self.nodes.pop(tty.number, None)


class DevptsInode(Inode):
    """Attributes can be changed, and are kept as long as the node exists."""

    def __init__(self, fs, ino, mode):
        Inode.__init__(self, fs, ino, mode)
        self.atime_ns = self.mtime_ns = self.ctime_ns = self.btime_ns = fs.kernel.clock.realtime_ns()

    def setattr(self, changes):
        for key, value in changes.items():
            if key == "mode":
                self.mode = self.mode & 0o170000 | value
            elif key != "size":
                setattr(self, key, value)


class SlaveInode(DevptsInode):
    """/dev/pts/N."""

    def __init__(self, fs, ino, mode, tty):
        DevptsInode.__init__(self, fs, ino, mode)
        self.tty = tty
        self.rdev = tty.number_for_stat()

    def open(self, task, flags):
        tty = self.tty
        if tty.locked or not tty.master_open:
            raise Errno(EIO)
        if tty.exclusive and not task.creds.capable(CAP_SYS_ADMIN):
            raise Errno(EBUSY)
        return SlaveFile(task, self, tty, flags)


class PtmxInode(DevptsInode):
    """/dev/pts/ptmx."""

    def __init__(self, fs):
        DevptsInode.__init__(self, fs, PTMX_INO, S_IFCHR | (fs.ptmx_mode or 0o666))
        self.rdev = PTMX_RDEV

    def open(self, task, flags):
        return self.fs.open_master(task, self, flags)


class RootDirectory(DevptsInode):
    """/dev/pts."""

    def __init__(self, fs):
        DevptsInode.__init__(self, fs, 1, S_IFDIR | 0o755)
        self.nlink = 2
        self.ptmx = PtmxInode(fs)

    def lookup(self, name):
        if name == b"ptmx":
            return self.ptmx
        node = self.fs.nodes.get(int(name)) if name.isdigit() and (name == b"0" or name[:1] != b"0") else None
        if node is None:
            raise Errno(ENOENT)
        return node

    def readdir(self):
        return [(b"ptmx", PTMX_INO, S_IFCHR)] + [(b"%d" % number, FIRST_SLAVE_INO + number, S_IFCHR) for number in sorted(self.fs.nodes)]
