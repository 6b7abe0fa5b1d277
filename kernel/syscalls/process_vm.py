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


@syscall(310)
def sys_process_vm_readv(task, pid: Int, local_iov: Ptr, liovcnt: ULong, remote_iov: Ptr, riovcnt: ULong, flags: ULong):
    """process_vm_readv(2): from the other process's memory into ours."""
    return transfer(task, pid, (local_iov, liovcnt), (remote_iov, riovcnt), flags, read_piece)


@syscall(311)
def sys_process_vm_writev(task, pid: Int, local_iov: Ptr, liovcnt: ULong, remote_iov: Ptr, riovcnt: ULong, flags: ULong):
    """process_vm_writev(2): from our memory into the other process's."""
    return transfer(task, pid, (local_iov, liovcnt), (remote_iov, riovcnt), flags, write_piece)


def transfer(task, pid, local, remote, flags, move):
    """Checks in Linux's order, then piece by piece; a count, or EFAULT if nothing could be moved."""
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
    other = task.kernel.tasks.get(pid)
    if other is None or other.mm is None:
        raise Errno(ESRCH)
    if not may_access(task, other):
        raise Errno(EPERM)
    if sum(length for _, length in theirs) == 0:
        return 0
    return move_all(other, buffer, theirs, move)


def pieces_of(task, address, count):
    """An iovec array; EINVAL for too many or negative lengths."""
    if count > IOV_MAX:
        raise Errno(EINVAL)
    pieces = list(struct.iter_unpack("<QQ", task.copy_in(address, 16 * count))) if count else []
    if any(length > SSIZE_MAX for _, length in pieces):
        raise Errno(EINVAL)
    return pieces


def move_all(other, buffer, theirs, move):
    """Until one side ends or a page can't be used."""
    try:
        for address, length in theirs:
            end = address + length
            while address < end and buffer.left():
                wanted = min(CHUNK, end - address, buffer.left())
                got = move(other, buffer, address, wanted)
                address += got
                if got < wanted:
                    return buffer.done or fault()
    except Errno:
        if not buffer.done:
            raise
    return buffer.done


def fault():
    """Not one byte could be moved."""
    raise Errno(EFAULT)


def read_piece(other, buffer, address, length):
    """Bytes that were copied from the other process."""
    data = other.copy_in_some(address, length)
    return buffer.put(data) if data else 0


def write_piece(other, buffer, address, length):
    """Bytes that were copied to the other process."""
    data = buffer.take(length)
    return other.copy_out_some(address, data)
