# SPDX-License-Identifier: Apache-2.0
"""Opening a fifo (fifo(7)): each side waits for the other, unless it asked not to.

An open that waits already counts as an end, so the other side finds it. What it has made is kept in Pipe.opening under its task
until the call is attempted again, or given up because of a signal. An entry of a task that was killed is dropped by the next open.
"""

from fs.pipe.pipe import Pipe, PipeFile
from kernel.abi.errno import ENXIO, ERESTARTSYS, Errno
from kernel.abi.fs import O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY


class Opening:
    """An open that waits: its file, and how often the other end had been opened when it began."""

    __slots__ = ("file", "seen")

    def __init__(self, file, seen):
        self.file = file
        self.seen = seen


def open_fifo(task, inode, flags):
    """The File of an open fifo, or None after task.wait_on(): the caller then blocks, with `interrupted=give_up(inode)`.

    Errno(ENXIO) for a writer with O_NONBLOCK when nobody reads. A pipe that is opened again through /proc/[pid]/fd waits for nobody.
    """
    pipe = inode.pipe
    if pipe is None:
        pipe = inode.pipe = Pipe()
    if pipe.opening is None:
        pipe.opening = {}
    drop_killed(pipe)
    opening = pipe.opening.get(task)
    if opening is None:
        access = flags & O_ACCMODE
        if access == O_WRONLY and flags & O_NONBLOCK and pipe.readers == 0:
            raise Errno(ENXIO)
        file = PipeFile(inode, pipe, flags)
        if access == O_RDWR or flags & O_NONBLOCK or has_peer(pipe, access) or inode.fs.type_name == "pipefs":
            return file
        opening = pipe.opening[task] = Opening(file, peer_opens(pipe, access))
    elif peer_opens(pipe, opening.file.flags & O_ACCMODE) != opening.seen:
        del pipe.opening[task]
        return opening.file
    task.wait_on(pipe.waiters)
    return None


def give_up(inode):
    """What to hand to task.block(interrupted=...): takes the half-open end back when a signal handler is going to run."""

    def interrupted(task):
        opening = inode.pipe.opening.pop(task, None)
        if opening is not None:
            opening.file.put()
        return -ERESTARTSYS

    return interrupted


def has_peer(pipe, access):
    return pipe.writers > 0 if access == O_RDONLY else pipe.readers > 0


def peer_opens(pipe, access):
    return pipe.writer_opens if access == O_RDONLY else pipe.reader_opens


def drop_killed(pipe):
    for task, opening in list(pipe.opening.items()):
        if task.killed:
            del pipe.opening[task]
            opening.file.put()
