# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/fd and fdinfo."""

from fs.anon.epoll import Epoll
from fs.anon.eventfd import EventFd
from fs.proc.nodes import Directory, MagicLink, TextFile
from kernel.abi.errno import EBADF, ENOENT, Errno
from kernel.abi.fs import O_ACCMODE, O_CLOEXEC, O_RDONLY, O_WRONLY, S_IFLNK, S_IFREG

INFO_OFFSET = 1 << 20  # inode numbers: fd and fdinfo of one task don't meet
FDS_OF_A_TASK = 1 << 21


class FdDirectory(Directory):
    """fd: a magic link for each open descriptor."""

    def __init__(self, fs, ino, target, mode):
        Directory.__init__(self, fs, ino, mode=mode)
        self.target = target
        self.first_ino = (1 << 48) + target.id * FDS_OF_A_TASK

    def table(self):
        """The descriptor table; ENOENT when the process has none any more."""
        files = self.target.task.files
        if files is None or not self.target.alive():
            raise Errno(ENOENT)
        return files

    def file(self, name):
        """The File behind an entry's name; ENOENT."""
        if not name.isdigit() or len(name) > 9 or (name[:1] == b"0" and len(name) > 1):
            raise Errno(ENOENT)
        try:
            return self.table().get(int(name))
        except Errno:
            raise Errno(ENOENT) from None

    def lookup(self, name):
        access = self.file(name).flags & O_ACCMODE
        mode = 0o100 | (0 if access == O_WRONLY else 0o400) | (0 if access == O_RDONLY else 0o200)

        def place(task):
            self.target.require(task)
            return self.file(name).path

        link = MagicLink(self.fs, self.first_ino + int(name), place, mode)
        link.size = 64
        link.uid, link.gid = self.target.owner
        return link

    def readdir(self):
        return [(b"%d" % fd, self.first_ino + fd, S_IFLNK) for fd in self.table().descriptors()]


class FdInfoDirectory(FdDirectory):
    """fdinfo: position, flags and what else the kind of file has to tell."""

    def lookup(self, name):
        self.file(name)

        def content(task):
            self.target.require(task)
            return describe(self.table(), int(name))

        inode = TextFile(self.fs, self.first_ino + INFO_OFFSET + int(name), content, mode=0o400)
        inode.uid, inode.gid = self.target.owner
        return inode

    def readdir(self):
        return [(b"%d" % fd, self.first_ino + INFO_OFFSET + fd, S_IFREG) for fd in self.table().descriptors()]


def describe(files, fd):
    """The text of fdinfo/[fd]."""
    try:
        file = files.get(fd)
    except Errno:
        raise Errno(EBADF) from None
    flags = file.flags | (O_CLOEXEC if files.cloexec(fd) else 0)
    mount = file.path.mount.id if file.path is not None else 0
    lines = [f"pos:\t{file.pos}", f"flags:\t0{flags:o}", f"mnt_id:\t{mount}", f"ino:\t{file.inode.ino}"]
    if isinstance(file, EventFd):
        lines.append(f"eventfd-count: {file.count:16x}")
    elif isinstance(file, Epoll):
        lines += [epoll_line(item) for item in file.items.values()]
    elif hasattr(file, "fdinfo"):
        lines += file.fdinfo()
    return "\n".join(lines) + "\n"


def epoll_line(item):
    data = int.from_bytes(item.data, "little")
    inode = item.file.inode
    return f"tfd: {item.fd:8} events: {item.events:8x} data: {data:16x}  pos:{item.file.pos} ino:{inode.ino:x} sdev:{inode.fs.dev:x}"
