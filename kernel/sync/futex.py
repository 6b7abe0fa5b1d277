# SPDX-License-Identifier: Apache-2.0
"""Futexes as the kernel sees them: which words are the same, and operations that the host makes in the guest's thread.

Waiting and waking never come here: the shim makes them natively. Requeueing and wake operations are ordered from the same thread, with
the guest's own arguments, so that their meaning is the host's.
"""

from kernel.abi.errno import EFAULT, EINVAL, Errno
from kernel.abi.mm import HOST_FUTEX, MAP_SHARED


def check_address(task, address):
    """EINVAL if it is not a word's address, EFAULT if it is no guest memory."""
    if address % 4:
        raise Errno(EINVAL)
    if not task.mm.accessible(address, 4, 1):
        raise Errno(EFAULT)


def word_at(task, address):
    """The 32-bit word."""
    return int.from_bytes(task.copy_in(address, 4), "little")


def key_of(task, address, private):
    """What makes two futexes the same: the address space and address, or the shared object and the place in it."""
    check_address(task, address)
    if not private:
        vma = task.mm.find(address)
        if vma.flags & MAP_SHARED and vma.file is not None:
            return (vma.file.inode, vma.offset + address - vma.start)
    return (task.mm, address)


def native(task, arguments):
    """The whole call by the host."""
    return task.host_calls([(HOST_FUTEX, *arguments)], 0, last_result)


def last_result(task, results):
    """What the last call answered."""
    return results[-1][1]
