# SPDX-License-Identifier: Apache-2.0
"""process_vm_readv(2), process_vm_writev(2): copies between the memory of two processes of the sandbox."""

import struct

from kernel.abi.errno import EFAULT, EINVAL, EPERM, ESRCH, Errno
from kernel.mm.userbuffer import GuestBuffer
from kernel.syscalls.access import may_access
from kernel.syscalls.kinds import Int, Ptr, ULong
from kernel.syscalls.table import syscall

IOV_MAX = 1024
SSIZE_MAX = 0x7FFFFFFFFFFFFFFF
CHUNK = 65536
TURN = 1 << 20  # bytes between two turns of others
UNINTERRUPTIBLE = 0


@syscall(310)
def sys_process_vm_readv(task, pid: Int, local_iov: Ptr, liovcnt: ULong, remote_iov: Ptr, riovcnt: ULong, flags: ULong):
    """process_vm_readv(2): from the other process's memory into ours."""
    return transfer(task, pid, (local_iov, liovcnt), (remote_iov, riovcnt), flags, read_piece)


@syscall(311)
def sys_process_vm_writev(task, pid: Int, local_iov: Ptr, liovcnt: ULong, remote_iov: Ptr, riovcnt: ULong, flags: ULong):
    """process_vm_writev(2): from our memory into the other process's."""
    return transfer(task, pid, (local_iov, liovcnt), (remote_iov, riovcnt), flags, write_piece)


def transfer(task, pid, local, remote, flags, move):
    """Checks in Linux's order, then piece by piece; a count, or EFAULT if nothing could be moved. Others have their turn in between."""
    if flags:
        raise Errno(EINVAL)
    pieces = pieces_of(task, *local)
    if any(base + length > task.mm.high and length for base, length in pieces):
        raise Errno(EFAULT)
    if sum(length for _, length in pieces) == 0:
        return 0
    buffer = GuestBuffer(task, pieces)
    theirs = pieces_of(task, *remote)
    if not theirs:
        return 0
    done = task.progress or 0
    other = task.kernel.tasks.get(pid)
    if other is None or other.mm is None:
        return done or fail(ESRCH)
    if not may_access(task, other):
        raise Errno(EPERM)
    if sum(length for _, length in theirs) == 0:
        return 0
    if done:
        buffer, theirs = GuestBuffer(task, behind(pieces, done)), behind(theirs, done)
    got = move_all(other, buffer, theirs, move)
    if got < TURN:
        return done + got or fail(EFAULT)
    task.progress = done + got
    return task.block(0, UNINTERRUPTIBLE, count_so_far)


def count_so_far(task):
    """Broken off."""
    return task.progress


def behind(pieces, done):
    """What is left of an iovec after so many bytes."""
    left = []
    for base, length in pieces:
        taken = min(done, length)
        done -= taken
        if taken < length:
            left.append((base + taken, length - taken))
    return left


def pieces_of(task, address, count):
    """An iovec array; EINVAL for too many or negative lengths."""
    if count > IOV_MAX:
        raise Errno(EINVAL)
    pieces = list(struct.iter_unpack("<QQ", task.copy_in(address, 16 * count))) if count else []
    if any(length > SSIZE_MAX for _, length in pieces):
        raise Errno(EINVAL)
    return pieces


def move_all(other, buffer, theirs, move):
    """Until one side ends, a page can't be used, or others have waited long enough."""
    try:
        for address, length in theirs:
            end = address + length
            while address < end and buffer.left():
                if buffer.done >= TURN:
                    return buffer.done
                wanted = min(CHUNK, end - address, buffer.left())
                got = move(other, buffer, address, wanted)
                address += got
                if got < wanted:
                    return buffer.done
    except Errno:
        pass
    return buffer.done


def fail(number):
    """Not one byte was moved."""
    raise Errno(number)


def read_piece(other, buffer, address, length):
    """Bytes that were copied from the other process."""
    data = other.copy_in_some(address, length)
    return buffer.put(data) if data else 0


def write_piece(other, buffer, address, length):
    """Bytes that were copied to the other process."""
    data = buffer.take(length)
    return other.copy_out_some(address, data)
