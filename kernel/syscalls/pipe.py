# SPDX-License-Identifier: Apache-2.0
"""pipe(2) and pipe2(2)."""

import struct

from fs.anon.inode import pipe_inode
from fs.pipe.pipe import Pipe, PipeFile
from kernel.abi.errno import EINVAL, Errno
from kernel.abi.fs import O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY
from kernel.syscalls.kinds import Int, Out
from kernel.syscalls.table import syscall


@syscall(22)
def sys_pipe(task, fds: Out):
    """pipe(2): fds[0] reads, fds[1] writes."""
    make_pipe(task, fds, 0)


@syscall(293)
def sys_pipe2(task, fds: Out, flags: Int):
    """pipe2(2). O_DIRECT makes packets; O_NOTIFICATION_PIPE (O_EXCL) is EINVAL."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT):
        raise Errno(EINVAL)
    make_pipe(task, fds, flags)


def make_pipe(task, address, flags):
    pipe = Pipe()
    inode = pipe_inode(task.creds, task.kernel.clock.realtime_ns())
    inode.pipe = pipe
    status = flags & (O_NONBLOCK | O_DIRECT)
    reader = PipeFile(inode, pipe, O_RDONLY | flags & O_NONBLOCK)
    writer = PipeFile(inode, pipe, O_WRONLY | status)
    reader.path = writer.path = inode.path
    cloexec = bool(flags & O_CLOEXEC)
    try:
        first = task.files.install(reader, cloexec)
    except Errno:
        writer.put()
        raise
    opened = [first]
    try:
        opened.append(task.files.install(writer, cloexec))
        task.copy_out(address, struct.pack("<ii", *opened))
    except Errno:
        for fd in opened:
            task.files.close(fd)
        raise
