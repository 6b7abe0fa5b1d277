# SPDX-License-Identifier: Apache-2.0
"""Inodes of file systems that are made up when somebody looks: used by proc and sysfs.

A text file is a function that returns its content; it is called at every read from position 0, so a program that rewinds sees what
is true now. Rules: nothing is stored but ownership and inode numbers; attributes can't be changed, but truncation is accepted.
"""

from fs.vfs.file import File
from fs.vfs.inode import Inode
from kernel.abi.errno import EACCES, EINVAL, ENOENT, EPERM, Errno
from kernel.abi.fs import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG

SEEK_SET, SEEK_CUR = 0, 1
WRITE_LIMIT = 65536


class Node(Inode):
    """What all of them share."""

    def __init__(self, fs, ino, mode):
        Inode.__init__(self, fs, ino, mode)
        self.atime_ns = self.mtime_ns = self.ctime_ns = self.btime_ns = fs.made_ns

    def setattr(self, changes):
        """Only what redirections need: O_TRUNC, and times."""
        if changes.keys() & {"mode", "uid", "gid"}:
            raise Errno(EPERM)


class Directory(Node):
    """A directory whose entries are fixed: name -> inode."""

    def __init__(self, fs, ino, entries=None, mode=0o555):
        Node.__init__(self, fs, ino, S_IFDIR | mode)
        self.entries = {} if entries is None else entries

    def lookup(self, name):
        inode = self.entries.get(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    def readdir(self):
        return [(name, inode.ino, inode.mode & S_IFMT) for name, inode in self.entries.items()]

    def create(self, name, mode, creds):
        """Nothing can be made here; proc says so in its own way."""
        raise Errno(ENOENT if self.fs.type_name == "proc" else EACCES)

    def mkdir(self, name, mode, creds):
        raise Errno(ENOENT if self.fs.type_name == "proc" else EPERM)


class TextFile(Node):
    """A file with content(task) -> bytes or str, and, if it can be written, store(task, data)."""

    def __init__(self, fs, ino, content, store=None, mode=None):
        Node.__init__(self, fs, ino, S_IFREG | (mode if mode is not None else 0o444 if store is None else 0o644))
        self.content = content
        self.store = store

    def open(self, task, flags):
        return TextHandle(self)


class TextHandle(File):
    """An open text file."""

    def __init__(self, inode):
        self.inode = inode
        self.text = None

    def read(self, task, buf, pos):
        if pos == 0 or self.text is None:
            text = self.inode.content(task)
            self.text = text.encode() if isinstance(text, str) else text
        return buf.put(self.text[pos : pos + buf.left()])

    def write(self, task, buf, pos):
        if self.inode.store is None:
            return -EINVAL
        data = buf.take(min(buf.left(), WRITE_LIMIT))
        self.inode.store(task, data)
        return len(data)

    def seekable(self):
        return True

    def seek(self, offset, whence):
        if whence not in (SEEK_SET, SEEK_CUR):
            raise Errno(EINVAL)
        position = offset + (self.pos if whence == SEEK_CUR else 0)
        if not 0 <= position < 1 << 63:
            raise Errno(EINVAL)
        self.pos = position
        return position


class Link(Node):
    """A symbolic link: target(task) -> bytes."""

    def __init__(self, fs, ino, target, mode=0o777):
        Node.__init__(self, fs, ino, S_IFLNK | mode)
        self.target = target

    def readlink(self, task):
        return self.target(task)


class MagicLink(Node):
    """A link that leads to a place and not to a name: place(task) -> fs.vfs.path.Path."""

    def __init__(self, fs, ino, place, mode=0o777):
        Node.__init__(self, fs, ino, S_IFLNK | mode)
        self.place = place

    def readlink(self, task):
        return self.place(task).text(task.fs.root)

    def follow(self, task):
        return self.place(task)


def tree(fs, layout):
    """A Directory from nested dicts: name -> dict, (content, store), function of the task, or str (a link's target)."""
    entries = {}
    for name, what in layout.items():
        ino = fs.new_ino()
        if isinstance(what, dict):
            entries[name.encode()] = tree(fs, what)
        elif isinstance(what, Node):
            entries[name.encode()] = what
        elif isinstance(what, str):
            entries[name.encode()] = Link(fs, ino, constant(what.encode()))
        elif isinstance(what, bytes):
            entries[name.encode()] = TextFile(fs, ino, constant(what))
        elif isinstance(what, tuple):
            entries[name.encode()] = TextFile(fs, ino, *what)
        else:
            entries[name.encode()] = TextFile(fs, ino, what)
    directory = Directory(fs, fs.new_ino(), entries)
    directory.nlink = 2 + sum(1 for inode in entries.values() if inode.mode & S_IFMT == S_IFDIR)
    return directory


def constant(value):
    """A content function of what never changes."""
    return lambda task: value
