# SPDX-License-Identifier: Apache-2.0
"""mmap, munmap, mprotect, brk, mremap, remap_file_pages, pkeys, mseal: the layout of the address space.

The work is in kernel.mm; here registers become arguments, and a refusal of the host puts the tree right.
"""

from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from kernel.abi.errno cimport EBADF, EINVAL, ENOSPC, Errno
from kernel.abi.fs cimport O_PATH
from kernel.abi.mm cimport MAP_ANONYMOUS, MAP_HUGETLB, PAGE_SIZE
from kernel.mm cimport map as mapping
from kernel.mm.mm cimport MM
from kernel.mm.order cimport order, put_back, unmap_call
from kernel.mm.protect cimport mprotect, unprotect
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task

from kernel.mm import remap
from kernel.mm.protect import mseal
from kernel.syscalls.kinds import Int, ULong
from kernel.syscalls.table import syscall


cdef class Undo:
    """What to do when the host refuses the call that should follow a change of the tree; called with the task and the results."""

    cdef unsigned long start, end
    cdef list saved                      # VMAs or old protections


cdef class UndoMap(Undo):
    def __call__(self, Task task, results):
        put_back(task.mm, self.start, self.end, [])
        return order(task, [unmap_call(self.start, self.end)], results[-1][1])


cdef class UndoUnmap(Undo):
    def __call__(self, Task task, results):
        put_back(task.mm, self.start, self.end, self.saved)
        return results[-1][1]


cdef class UndoProtect(Undo):
    def __call__(self, Task task, results):
        return order(task, unprotect(task.mm, self.saved), results[-1][1])


cdef class UndoBrk(Undo):
    def __call__(self, Task task, results):
        cdef MM mm = task.mm
        if mapping.page_align(self.start) < mapping.page_align(self.end):
            put_back(mm, mapping.page_align(self.start), mapping.page_align(self.end), [])
        mm.brk = self.start
        return self.start


cdef long sys_mmap(Task task, const unsigned long *args) except? -1:
    """mmap(2): map a file or fresh memory."""
    cdef unsigned int flags = <unsigned int> args[3]
    cdef unsigned long address
    cdef File file = None
    cdef UndoMap undo
    if args[5] % PAGE_SIZE:
        return -EINVAL
    if not flags & MAP_ANONYMOUS:
        file = (<FdTable?> task.files).get(<int> args[4])
        if file.flags & O_PATH:
            return -EBADF
        if flags & MAP_HUGETLB:
            return -EINVAL
    elif flags & MAP_HUGETLB:
        mapping.check_huge(flags)
    address, calls = mapping.mmap(task, args[0], args[1], <int> args[2], flags, file, args[5])
    undo = UndoMap.__new__(UndoMap)
    undo.start, undo.end = address, address + mapping.page_align(args[1])
    return order(task, calls, address, undo)


cdef long sys_munmap(Task task, const unsigned long *args) except? -1:
    """munmap(2): unmap whole pages."""
    cdef UndoUnmap undo = UndoUnmap.__new__(UndoUnmap)
    calls, undo.saved = mapping.munmap(task, args[0], args[1])
    undo.start, undo.end = args[0], args[0] + mapping.page_align(args[1])
    return order(task, calls, 0, undo)


cdef long sys_brk(Task task, const unsigned long *args) except? -1:
    """brk(2): move the end of the heap; the old one is the answer to what can't be done."""
    cdef UndoBrk undo = UndoBrk.__new__(UndoBrk)
    cdef unsigned long address
    undo.start = task.mm.brk
    address, calls = mapping.brk(task, args[0])
    undo.end = address
    return order(task, calls, address, undo)


cdef long sys_mprotect(Task task, const unsigned long *args) except? -1:
    """mprotect(2): another protection for whole pages."""
    cdef UndoProtect undo = UndoProtect.__new__(UndoProtect)
    error, calls, undo.saved = mprotect(task, args[0], args[1], args[2])
    return order(task, calls, error, undo)


cdef long sys_pkey_mprotect(Task task, const unsigned long *args) except? -1:
    """pkey_mprotect(2): as mprotect for key -1; this processor has no others."""
    return sys_mprotect(task, args) if <int> args[3] == -1 else -EINVAL


define(9, "mmap(addr: ULong, length: ULong, prot: Int, flags: Int, fd: Fd, offset: ULong)", sys_mmap)
define(10, "mprotect(addr: ULong, length: ULong, prot: ULong)", sys_mprotect)
define(11, "munmap(addr: ULong, length: ULong)", sys_munmap)
define(12, "brk(brk: ULong)", sys_brk)
define(329, "pkey_mprotect(addr: ULong, length: ULong, prot: ULong, pkey: Int)", sys_pkey_mprotect)


@syscall(25)
def sys_mremap(task, old_address: ULong, old_size: ULong, new_size: ULong, flags: ULong, new_address: ULong):
    """mremap(2): resize or move a mapping."""
    return remap.mremap(task, old_address, old_size, new_size, flags, new_address)


@syscall(216)
def sys_remap_file_pages(task, addr: ULong, size: ULong, prot: ULong, pgoff: ULong, flags: ULong):
    """remap_file_pages(2): another part of the file at the same place."""
    return remap.remap_file_pages(task, addr, size, prot, pgoff, flags)


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
    return mseal(task, addr, length, flags)
