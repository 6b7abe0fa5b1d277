# SPDX-License-Identifier: Apache-2.0
"""Orders to the guest's own host thread that follow a change of the VMA tree, and what the tree needs of limits.

The tree is changed first, then the host. If the host refuses (its own limits on mappings or memory), `failed` puts the tree right.
All memory calls go through here; the arguments of each host mmap are shaped here, since the stub's filter knows only these shapes.
"""

from kernel.abi.errno import Errno
from kernel.abi.mm import (
    HOST_MMAP,
    HOST_MPROTECT,
    HOST_MUNMAP,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    NO_FD,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from kernel.mm.shmem import ShmemFile

RWX = PROT_READ | PROT_WRITE | PROT_EXEC
RLIM_INFINITY = 0xFFFFFFFFFFFFFFFF


def order(task, calls, result, failed=None):
    """Have the guest's thread make the calls, then go on with result. failed(task, results) answers if one of them fails."""
    if not calls:
        return result
    return task.host_calls(calls, result, failed=failed)


def map_call(vma, populate=0):
    """The host's mmap for a whole VMA. Raises ENODEV if its file can't be mapped; a file of zeroes is replaced by anonymous memory.

    populate: MAP_POPULATE or 0.
    """
    length = vma.end - vma.start
    if vma.file is not None:
        kind = vma.flags & (MAP_SHARED | MAP_PRIVATE)
        fd, offset = descriptor_of(vma, kind, length)
        if fd >= 0:
            return (HOST_MMAP, vma.start, length, vma.prot & RWX, kind | MAP_FIXED | MAP_NORESERVE | populate, 0, offset, fd)
        put_files([vma])
        vma.offset = 0
        if kind == MAP_SHARED:
            vma.file = ShmemFile(length)
            return map_call(vma, populate)
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | populate
    return (HOST_MMAP, vma.start, length, vma.prot & RWX, flags, NO_FD, 0)


def descriptor_of(vma, kind, length):
    """mmap_descriptor; of a shared mapping one that may become writable later, unless the file refuses that (seals)."""
    if kind == MAP_SHARED and vma.may & ~vma.prot & PROT_WRITE:
        try:
            return vma.file.mmap_descriptor(vma.prot | PROT_WRITE, kind, vma.offset, length)
        except Errno:
            vma.may &= ~PROT_WRITE
    return vma.file.mmap_descriptor(vma.prot, kind, vma.offset, length)


def unmap_call(start, end):
    """The host's munmap."""
    return (HOST_MUNMAP, start, end - start)


def protect_call(start, end, prot):
    """The host's mprotect."""
    return (HOST_MPROTECT, start, end - start, prot & RWX)


def put_files(vmas):
    """Give back the references of VMAs that were cut."""
    for vma in vmas:
        if vma.file is not None:
            vma.file.put()
            vma.file = None


def put_back(mm, start, end, saved):
    """[start, end) of the tree as it was: saved are copies of the VMAs that were there."""
    put_files(mm.cut(start, end))
    for vma in saved:
        mm.insert(vma)


def soft_limit(task, resource):
    """The soft limit, or RLIM_INFINITY."""
    return task.group.limits.soft(resource)
