# SPDX-License-Identifier: Apache-2.0
"""mmap, munmap, mprotect, brk, mremap, remap_file_pages, pkeys, mseal: the layout of the address space.

The work is in kernel.mm; here registers become arguments, and a refusal of the host puts the tree right.
"""

from kernel.abi.errno import EBADF, EINVAL, ENOSPC, Errno
from kernel.abi.fs import O_PATH
from kernel.abi.mm import MAP_ANONYMOUS, MAP_HUGETLB, PAGE_SIZE
from kernel.mm import map as mapping
from kernel.mm import protect, remap
from kernel.mm.order import order, put_back, unmap_call
from kernel.syscalls.kinds import Fd, Int, ULong
from kernel.syscalls.table import syscall


@syscall(9)
def sys_mmap(task, addr: ULong, length: ULong, prot: Int, flags: Int, fd: Fd, offset: ULong):
    """mmap(2): map a file or fresh memory."""
    if offset % PAGE_SIZE:
        raise Errno(EINVAL)
    file = None
    if not flags & MAP_ANONYMOUS:
        file = task.files.get(fd)
        if file.flags & O_PATH:
            raise Errno(EBADF)
        if flags & MAP_HUGETLB:
            raise Errno(EINVAL)
    elif flags & MAP_HUGETLB:
        mapping.check_huge(flags & 0xFFFFFFFF)
    address, calls = mapping.mmap(task, addr, length, prot, flags & 0xFFFFFFFF, file, offset)

    def failed(task, results):
        start, end = address, address + mapping.page_align(length)
        put_back(task.mm, start, end, [])
        return order(task, [unmap_call(start, end)], results[-1][1])

    return order(task, calls, address, failed)


@syscall(11)
def sys_munmap(task, addr: ULong, length: ULong):
    """munmap(2): unmap whole pages."""
    calls, gone = mapping.munmap(task, addr, length)

    def failed(task, results):
        put_back(task.mm, addr, addr + mapping.page_align(length), gone)
        return results[-1][1]

    return order(task, calls, 0, failed)


@syscall(12)
def sys_brk(task, brk: ULong):
    """brk(2): move the end of the heap; the old one is the answer to what can't be done."""
    before = task.mm.brk
    address, calls = mapping.brk(task, brk)

    def failed(task, results):
        start, end = mapping.page_align(before), mapping.page_align(address)
        if start < end:
            put_back(task.mm, start, end, [])
        task.mm.brk = before
        return before

    return order(task, calls, address, failed)


@syscall(10)
def sys_mprotect(task, addr: ULong, length: ULong, prot: ULong):
    """mprotect(2): another protection for whole pages."""
    error, calls, undo = protect.mprotect(task, addr, length, prot)

    def failed(task, results):
        return order(task, protect.unprotect(task.mm, undo), results[-1][1])

    return order(task, calls, error, failed)


@syscall(25)
def sys_mremap(task, old_address: ULong, old_size: ULong, new_size: ULong, flags: ULong, new_address: ULong):
    """mremap(2): resize or move a mapping."""
    return remap.mremap(task, old_address, old_size, new_size, flags, new_address)


@syscall(216)
def sys_remap_file_pages(task, addr: ULong, size: ULong, prot: ULong, pgoff: ULong, flags: ULong):
    """remap_file_pages(2): another part of the file at the same place."""
    return remap.remap_file_pages(task, addr, size, prot, pgoff, flags)


@syscall(329)
def sys_pkey_mprotect(task, addr: ULong, length: ULong, prot: ULong, pkey: Int):
    """pkey_mprotect(2): as mprotect for key -1; this processor has no others."""
    if pkey != -1:
        raise Errno(EINVAL)
    return sys_mprotect(task, addr, length, prot)


@syscall(330, partial="no protection keys, as on a processor without them")
def sys_pkey_alloc(task, flags: ULong, access_rights: ULong):
    """pkey_alloc(2): none is free."""
    raise Errno(EINVAL if flags or access_rights & ~3 else ENOSPC)


@syscall(331, partial="no protection keys, as on a processor without them")
def sys_pkey_free(task, pkey: Int):
    """pkey_free(2): none is allocated."""
    raise Errno(EINVAL)


@syscall(462)
def sys_mseal(task, addr: ULong, length: ULong, flags: ULong):
    """mseal(2): no more changes of the range's mappings."""
    return protect.mseal(task, addr, length, flags)
