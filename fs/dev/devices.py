# SPDX-License-Identifier: Apache-2.0
"""Character devices by number, and what belongs into /dev.

A file system that opens a device node calls `open_device`. There are no block devices, and no host device is ever opened.
"""

from fs.dev.memory import FullFile, NullFile, RandomFile, ZeroFile
from kernel.abi.errno import EEXIST, ENXIO, Errno
from kernel.abi.fs import S_IFCHR, S_IFMT

SLAVE_MAJOR = 136


def open_terminal(task, inode, flags):
    from fs.devpts.devices import open_controlling_terminal

    return open_controlling_terminal(task, inode, flags)


def open_console(task, inode, flags):
    from fs.devpts.devices import open_console

    return open_console(task, inode, flags)


def open_ptmx(task, inode, flags):
    from fs.devpts.devices import open_ptmx

    return open_ptmx(task, inode, flags)


def open_slave(task, inode, flags):
    from fs.devpts.devices import open_slave

    return open_slave(task, minor(inode.rdev), flags)


def plain(kind):
    return lambda task, inode, flags: kind(inode, flags)


# (major, minor) -> opener(task, inode, flags) -> File
CHARACTER = {
    (1, 3): plain(NullFile),
    (1, 5): plain(ZeroFile),
    (1, 7): plain(FullFile),
    (1, 8): plain(RandomFile),
    (1, 9): plain(RandomFile),
    (5, 0): open_terminal,
    (5, 1): open_console,
    (5, 2): open_ptmx,
}

# /dev of a container (OCI runtime spec, Linux default devices): name, major, minor.
NODES = (
    (b"null", 1, 3),
    (b"zero", 1, 5),
    (b"full", 1, 7),
    (b"random", 1, 8),
    (b"urandom", 1, 9),
    (b"tty", 5, 0),
)
LINKS = (
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
    (b"core", b"/proc/kcore"),
    (b"ptmx", b"pts/ptmx"),
)
DIRECTORIES = (b"pts", b"shm", b"mqueue")


def open_device(task, inode, flags):
    """The File of a device node; ENXIO if there is no such device."""
    number = major(inode.rdev), minor(inode.rdev)
    opener = None
    if inode.mode & S_IFMT == S_IFCHR:
        opener = CHARACTER.get(number) or (open_slave if number[0] == SLAVE_MAJOR else None)
    if opener is None:
        raise Errno(ENXIO)
    return opener(task, inode, flags)


def populate(creds, root):
    """Fill an empty /dev: the default nodes, links, and mount points. What is there already stays."""
    for name, *number in NODES:
        existing_is_fine(root.mknod, name, S_IFCHR | 0o666, makedev(*number), creds)
    for name, target in LINKS:
        existing_is_fine(root.symlink, name, target, creds)
    for name in DIRECTORIES:
        existing_is_fine(root.mkdir, name, 0o755, creds)


def existing_is_fine(operation, *arguments):
    try:
        operation(*arguments)
    except Errno as error:
        if error.number != EEXIST:
            raise


def makedev(major, minor):
    """A device number as struct stat has it (gnu_dev_makedev)."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def major(number):
    """The major number of a device number."""
    return (number >> 8 & 0xFFF) | (number >> 32 & ~0xFFF)


def minor(number):
    """The minor number of a device number."""
    return (number & 0xFF) | (number >> 12 & ~0xFF & 0xFFFFFFFF)
