# SPDX-License-Identifier: Apache-2.0
"""Orders to the guest's own host thread that follow a change of the VMA tree, and what the tree needs of limits.

The tree is changed first, then the host. If the host refuses (its own limits on mappings or memory), `failed` puts the tree right.
All memory calls go through here; the arguments of each host mmap are shaped here, since the stub's filter knows only these shapes.
"""

from kernel.abi.errno cimport Errno
from kernel.abi.mm cimport (
    HOST_MMAP, HOST_MPROTECT, HOST_MUNMAP, MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ,
    PROT_WRITE,
)
from kernel.mm.shmem cimport ShmemFile
from fs.vfs.file cimport File

from kernel.abi.mm import NO_FD

cdef enum:
    RWX = PROT_READ | PROT_WRITE | PROT_EXEC


cpdef long order(Task task, list calls, long result, object failed=None) except? -1:
    """Have the guest's thread make the calls, then go on with result. failed(task, results) answers if one of them fails."""
    if not calls:
        return result
    return task.host_calls(calls, result, None, failed)


cpdef tuple map_call(VMA vma, int populate=0):
    """The host's mmap for a whole VMA. Raises ENODEV if its file can't be mapped; a file of zeroes is replaced by anonymous memory.

    populate: MAP_POPULATE or 0.
    """
    cdef unsigned long length = vma.end - vma.start
    cdef int kind, prot = vma.prot & RWX
    if vma.file is not None:
        kind = vma.flags & (MAP_SHARED | MAP_PRIVATE)
        fd, offset = descriptor_of(vma, kind, length)
        if fd >= 0:
            return (HOST_MMAP, vma.start, length, prot, kind | MAP_FIXED | MAP_NORESERVE | populate, 0, offset, fd)
        put_files([vma])
        vma.offset = 0
        if kind == MAP_SHARED:
            vma.file = ShmemFile(length)
            return map_call(vma, populate)
    return (HOST_MMAP, vma.start, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | populate, NO_FD, 0)


cdef tuple descriptor_of(VMA vma, int kind, unsigned long length):
    """mmap_descriptor; of a shared mapping one that may become writable later, unless the file refuses that (seals)."""
    cdef File file = vma.file
    if kind == MAP_SHARED and vma.may & ~vma.prot & PROT_WRITE:
        try:
            return file.mmap_descriptor(vma.prot | PROT_WRITE, kind, vma.offset, length)
        except Errno:
            vma.may &= ~PROT_WRITE
    return file.mmap_descriptor(vma.prot, kind, vma.offset, length)


cpdef tuple unmap_call(unsigned long start, unsigned long end):
    """The host's munmap."""
    return (HOST_MUNMAP, start, end - start)


cpdef tuple protect_call(unsigned long start, unsigned long end, int prot):
    """The host's mprotect."""
    return (HOST_MPROTECT, start, end - start, prot & RWX)


cpdef int put_files(list vmas) except -1:
    """Give back the references of VMAs that were cut."""
    cdef VMA vma
    for vma in vmas:
        if vma.file is not None:
            vma.file.put()
            vma.file = None
    return 0


cpdef int put_back(MM mm, unsigned long start, unsigned long end, list saved) except -1:
    """[start, end) of the tree as it was: saved are copies of the VMAs that were there."""
    put_files(mm.cut(start, end))
    for vma in saved:
        mm.insert(vma)
    return 0


cpdef unsigned long soft_limit(Task task, unsigned int resource) noexcept:
    """The soft limit, or RLIM_INFINITY."""
    return task.group.limits.soft(resource)
