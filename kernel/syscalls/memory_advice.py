# SPDX-License-Identifier: Apache-2.0
"""madvise, msync, mincore, mlock and relatives: what memory is told without moving."""

from kernel.abi.errno import EBUSY, EFAULT, EINVAL, ENOMEM, Errno
from kernel.abi.mm import HOST_MINCORE, HOST_MSYNC, MAP_SHARED, MS_ASYNC, MS_INVALIDATE, MS_SYNC, PAGE_SIZE, PROT_WRITE
from kernel.mm import advise, lock
from kernel.mm.map import page_align
from kernel.mm.order import order
from kernel.mm.shmem import ShmemFile
from kernel.syscalls.kinds import Int, Out, ULong
from kernel.syscalls.table import missing, syscall

MAX_MSYNC_CALLS = 64


@syscall(28, partial="MADV_COLLAPSE and MADV_GUARD_* answer EINVAL; MADV_MERGEABLE merges nothing")
def sys_madvise(task, addr: ULong, length: ULong, advice: Int):
    """madvise(2): how memory will be used, or that it won't."""
    return advise.madvise(task, addr, length, advice)


@syscall(26)
def sys_msync(task, addr: ULong, length: ULong, flags: Int):
    """msync(2): write a shared mapping back to its file."""
    if flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) or (flags & MS_ASYNC and flags & MS_SYNC) or addr % PAGE_SIZE:
        raise Errno(EINVAL)
    end = addr + page_align(length)
    if end >= 1 << 64 or (length and end == addr):
        raise Errno(ENOMEM)
    vmas = task.mm.overlapping(addr, end) if end > addr else []
    if flags & MS_INVALIDATE and any(vma.locked for vma in vmas):
        raise Errno(EBUSY)
    error = 0 if task.mm.covered(addr, end) else -ENOMEM
    if not flags & MS_SYNC:
        return error
    calls = [
        (HOST_MSYNC, max(addr, vma.start), min(end, vma.end) - max(addr, vma.start), MS_SYNC)
        for vma in vmas
        if vma.flags & MAP_SHARED and vma.file is not None and not isinstance(vma.file, ShmemFile)
    ]
    return order(task, calls[:MAX_MSYNC_CALLS], error)


@syscall(27)
def sys_mincore(task, addr: ULong, length: ULong, vec: Out):
    """mincore(2): which pages are in memory; the host answers into vec."""
    if addr % PAGE_SIZE:
        raise Errno(EINVAL)
    if addr + length > task.mm.high:
        raise Errno(ENOMEM)
    pages = (length + PAGE_SIZE - 1) // PAGE_SIZE
    if pages == 0:
        return 0
    if not task.mm.accessible(vec, pages, PROT_WRITE):
        raise Errno(EFAULT)
    if not task.mm.covered(addr, addr + pages * PAGE_SIZE):
        raise Errno(ENOMEM)
    return order(task, [(HOST_MINCORE, addr, length, vec)], 0)


@syscall(149, partial="limits and accounting; nothing is pinned")
def sys_mlock(task, addr: ULong, length: ULong):
    """mlock(2): keep pages in memory."""
    return lock.mlock(task, addr, length, 0)


@syscall(325, partial="limits and accounting; nothing is pinned")
def sys_mlock2(task, addr: ULong, length: ULong, flags: Int):
    """mlock2(2): as mlock, perhaps only as pages come."""
    return lock.mlock(task, addr, length, flags)


@syscall(150)
def sys_munlock(task, addr: ULong, length: ULong):
    """munlock(2)."""
    return lock.munlock(task, addr, length)


@syscall(151, partial="limits and accounting; nothing is pinned")
def sys_mlockall(task, flags: Int):
    """mlockall(2): all that is and will be mapped."""
    return lock.mlockall(task, flags)


@syscall(152)
def sys_munlockall(task):
    """munlockall(2)."""
    return lock.munlockall(task)


missing(440, "process_madvise", "advice to other processes is not given")
missing(448, "process_mrelease", "memory of killed processes is freed at once")
missing(447, "memfd_secret", "secret memory is not supported")
missing(453, "map_shadow_stack", "no shadow stacks")
