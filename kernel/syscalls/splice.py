# SPDX-License-Identifier: Apache-2.0
"""Moving bytes between files inside the kernel: splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2).

Bytes travel in chunks, and others get their turn in between. A source gives up only what the sink has taken: from pipes they are peeked
first, files are read at a position that moves afterwards. What was moved when a wait began is in task.progress.
"""

import struct

from fs.pipe.pipe import PipeFile
from kernel.abi.errno import EAGAIN, EBADF, EFBIG, EINVAL, EISDIR, EPIPE, ESPIPE, Errno
from kernel.abi.fs import O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY, S_IFDIR, S_IFMT, S_IFREG
from kernel.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM
from kernel.abi.signal import SI_USER, SIGPIPE
from kernel.mm.userbuffer import KernelBuffer
from kernel.signal.pending import kill_info
from kernel.signal.send import send_to_task
from kernel.sync.moved import Moved
from kernel.syscalls.kinds import Int, OpenFile, Ptr, Size, UInt, ULong
from kernel.syscalls.read_write import copy_in_pieces, transfer
from kernel.syscalls.table import syscall

CHUNK = 262144
MAX_RW_COUNT = 0x7FFFF000
MAX_OFFSET = 0x7FFFFFFFFFFFFFFF
SPLICE_F_NONBLOCK = 2
SPLICE_FLAGS = 0xF


class Transfer(Moved):
    """A call in progress: what was moved, and the positions to go on from; an offset of None is the file's own position."""

    def __init__(self, task, source, sink, addresses, count):
        self.source, self.sink = source, sink
        self.addresses = addresses  # of the offsets of source and sink; 0: none given
        self.offsets = [offset_at(task, address) for address in addresses]
        self.count = count
        self.stuck = source  # the side that was not ready at the last step

    def position(self, which):
        """Where source (0) or sink (1) stands."""
        if self.offsets[which] is not None:
            return self.offsets[which]
        return (self.source, self.sink)[which].pos

    def advance(self, count):
        """Bytes were moved."""
        self.total += count
        for which, file in enumerate((self.source, self.sink)):
            if self.offsets[which] is not None:
                self.offsets[which] += count
            elif file.seekable() and not (which == 1 and file.flags & O_APPEND):
                file.pos += count

    def finish(self, task):
        """Write offsets back; the result of the call."""
        for address, offset in zip(self.addresses, self.offsets, strict=True):
            if address:
                task.copy_out(address, struct.pack("<q", offset))
        return self.total


def offset_at(task, address):
    """The loff_t at an address; EINVAL if it is negative. None for NULL."""
    if not address:
        return None
    offset = struct.unpack("<q", task.copy_in(address, 8))[0]
    if offset < 0:
        raise Errno(EINVAL)
    return offset


@syscall(40)
def sys_sendfile(task, out_fd: Int, in_fd: Int, offset: Ptr, count: Size):
    """sendfile(2): from a file with positions to anything that can be written."""
    if task.progress is None:
        source, sink = readable(task, in_fd), writable(task, out_fd)
        if count > MAX_OFFSET:
            raise Errno(EINVAL)
        if not source.seekable():
            raise Errno(ESPIPE if offset else EINVAL)
        refuse_directory(source)
        if sink.flags & O_APPEND:
            raise Errno(EINVAL)
        task.progress = Transfer(task, source, sink, (offset, 0), min(count, MAX_RW_COUNT))
    return run(task, task.progress, read_file, write_file, task.progress.sink.flags & O_NONBLOCK)


@syscall(326)
def sys_copy_file_range(task, fd_in: Int, off_in: Ptr, fd_out: Int, off_out: Ptr, length: Size, flags: UInt):
    """copy_file_range(2): between regular files, of any file systems."""
    if flags:
        raise Errno(EINVAL)
    if task.progress is None:
        source, sink = readable(task, fd_in), writable(task, fd_out)
        if sink.flags & O_APPEND:
            raise Errno(EBADF)
        for file in (source, sink):
            if file.inode.mode & S_IFMT == S_IFDIR:
                raise Errno(EISDIR)
            if file.inode.mode & S_IFMT != S_IFREG:
                raise Errno(EINVAL)
        move = Transfer(task, source, sink, (off_in, off_out), min(length, MAX_RW_COUNT))
        check_ranges(move, length)
        task.progress = move
    return run(task, task.progress, read_file, write_file, False)


def check_ranges(move, length):
    """EINVAL for a range that overlaps itself or wraps around, EFBIG beyond the largest offset."""
    start_in, start_out = move.position(0), move.position(1)
    if start_in + length > MAX_OFFSET or start_out + length > MAX_OFFSET:
        raise Errno(EFBIG if start_out + length > MAX_OFFSET else EINVAL)
    size = min(length, max(move.source.inode.size - start_in, 0))
    if move.source.inode is move.sink.inode and start_in < start_out + size and start_out < start_in + size:
        raise Errno(EINVAL)


@syscall(275)
def sys_splice(task, fd_in: Int, off_in: Ptr, fd_out: Int, off_out: Ptr, length: Size, flags: UInt):
    """splice(2): at least one side is a pipe."""
    if flags & ~SPLICE_FLAGS:
        raise Errno(EINVAL)
    if length == 0:
        return 0
    if task.progress is None:
        source, sink = readable(task, fd_in), writable(task, fd_out)
        check_splice(source, sink, off_in, off_out)
        task.progress = Transfer(task, source, sink, (off_in, off_out), min(length, MAX_RW_COUNT))
    move = task.progress
    from_pipe, to_pipe = isinstance(move.source, PipeFile), isinstance(move.sink, PipeFile)
    nonblocking = flags & SPLICE_F_NONBLOCK | (move.source.flags | move.sink.flags) & O_NONBLOCK
    return run(task, move, read_pipe if from_pipe else read_file, write_pipe if to_pipe else write_file, nonblocking, True)


def check_splice(source, sink, off_in, off_out):
    """Who may splice with whom."""
    from_pipe, to_pipe = isinstance(source, PipeFile), isinstance(sink, PipeFile)
    if not from_pipe and not to_pipe:
        raise Errno(EINVAL)
    if (from_pipe and off_in) or (to_pipe and off_out):
        raise Errno(ESPIPE)
    if from_pipe and to_pipe and source.pipe is sink.pipe:
        raise Errno(EINVAL)
    if (off_in and not source.seekable()) or (off_out and not sink.seekable()):
        raise Errno(EINVAL)
    if not to_pipe and sink.flags & O_APPEND:
        raise Errno(EINVAL)
    if not from_pipe:
        refuse_directory(source)


@syscall(276)
def sys_tee(task, fd_in: Int, fd_out: Int, length: Size, flags: UInt):
    """tee(2): what is in one pipe also goes into another."""
    if flags & ~SPLICE_FLAGS:
        raise Errno(EINVAL)
    if length == 0:
        return 0
    source, sink = readable(task, fd_in), writable(task, fd_out)
    if not isinstance(source, PipeFile) or not isinstance(sink, PipeFile) or source.pipe is sink.pipe:
        raise Errno(EINVAL)
    nonblocking = (flags & SPLICE_F_NONBLOCK) or (source.flags | sink.flags) & O_NONBLOCK
    if sink.pipe.readers == 0:
        return broken_pipe(task)
    if source.pipe.queued == 0 and source.pipe.writers == 0:
        return 0
    room = sink.pipe.room()
    if source.pipe.queued == 0 or room <= 0:
        if nonblocking:
            raise Errno(EAGAIN)
        task.wait_on(source.pipe.waiters if source.pipe.queued == 0 else sink.pipe.waiters)
        return task.block()
    return give(sink.pipe, source.pipe.peek(min(length, room)))


@syscall(278)
def sys_vmsplice(task, file: OpenFile, vec: Ptr, count: ULong, flags: UInt):
    """vmsplice(2): user memory into a pipe, or out of it; pages are copied, not shared."""
    if flags & ~SPLICE_FLAGS:
        raise Errno(EINVAL)
    if not isinstance(file, PipeFile):
        raise Errno(EBADF)
    return transfer(task, file, copy_in_pieces(task, vec, count), file.flags & O_ACCMODE != O_RDONLY, bool(flags & SPLICE_F_NONBLOCK))


def readable(task, fd):
    """The file behind a descriptor that is open for reading; EBADF."""
    file = task.files.get(fd)
    if file.flags & O_PATH or file.flags & O_ACCMODE == O_WRONLY:
        raise Errno(EBADF)
    return file


def writable(task, fd):
    """The file behind a descriptor that is open for writing; EBADF."""
    file = task.files.get(fd)
    if file.flags & O_PATH or file.flags & O_ACCMODE == O_RDONLY:
        raise Errno(EBADF)
    return file


def refuse_directory(file):
    """Directories have no bytes."""
    if file.inode.mode & S_IFMT == S_IFDIR:
        raise Errno(EINVAL)


def run(task, move, read, write, nonblocking, once=False):
    """Move chunks until the count is reached, the source ends, or a side is not ready; then wait, or return.

    once: what has been moved is enough (splice), instead of waiting for the rest (sendfile).
    """
    moved = 0
    while move.total < move.count:
        result = step(task, move, read, write)
        if result == 0:
            break
        if result < 0:
            if result == -EAGAIN and not (once and move.total) and (not nonblocking or move.stuck.inode.mode & S_IFMT == S_IFREG):
                return wait(task, move)
            if move.total:
                break
            return broken_pipe(task) if result == -EPIPE else result
        move.advance(result)
        moved += result
        if moved >= CHUNK and move.total < move.count:
            return task.block(0, interrupted=finish)
    return move.finish(task)


def step(task, move, read, write):
    """Read a chunk and write what the sink takes of it: the count, 0 at the end, or -errno; move.stuck tells who failed."""
    move.stuck = move.sink
    try:
        room = move.sink.pipe.room() if write is write_pipe else CHUNK
        if write is write_pipe and move.sink.pipe.readers == 0:
            return -EPIPE
        if room <= 0:
            return -EAGAIN
        move.stuck = move.source
        data = read(task, move, min(move.count - move.total, room, CHUNK))
        if isinstance(data, int):
            return data
        move.stuck = move.sink
        count = write(task, move, data)
        if count > 0 and read is read_pipe:
            pipe = move.source.pipe
            room = pipe.room()
            pipe.consume(count)
            pipe.wake_writers(room)
        return count
    except Errno as error:
        return -error.number


def wait(task, move):
    """For the side that is not ready."""
    task.wait_on(move.stuck.poll_queue(), (POLLIN if move.stuck is move.source else POLLOUT) | POLLHUP | POLLERR)
    return task.block(interrupted=finish if move.total else None)


def finish(task):
    """A handler is going to run: the call ends with what it has moved."""
    return task.progress.finish(task)


def read_file(task, move, count):
    """Bytes at the source's position; 0 at the end, -errno."""
    buf = KernelBuffer(count)
    result = move.source.read(task, buf, move.position(0))
    return bytes(buf.data[:result]) if result > 0 else result


def read_pipe(task, move, count):
    """Bytes that stay in the pipe until they are written."""
    pipe = move.source.pipe
    if pipe.queued == 0:
        return -EAGAIN if pipe.writers else 0
    return b"".join(pipe.peek(count))


def write_file(task, move, data):
    """How much the sink took, or -errno."""
    return move.sink.write(task, KernelBuffer(data=data), move.position(1))


def write_pipe(task, move, data):
    """All of it: there was room."""
    return give(move.sink.pipe, [data])


def give(pipe, parts):
    """Append parts to a pipe and wake its readers."""
    for part in parts:
        pipe.append(part)
    pipe.waiters.wake(POLLIN | POLLRDNORM)
    return sum(map(len, parts))


def broken_pipe(task):
    """Nobody reads: SIGPIPE."""
    send_to_task(task, kill_info(SIGPIPE, SI_USER, task.group.pid, task.creds.uid))
    return -EPIPE
