# SPDX-License-Identifier: Apache-2.0
"""mmap(2), munmap(2) and brk(2) on the VMA tree: checks in Linux's order (mm/mmap.c), the change, and the host calls that follow.

Each function returns (result, calls); a failed check raises Errno and leaves the tree as it was.
Absent: huge pages of hugetlbfs (as on a host that has reserved none), MAP_SYNC (no persistent memory).
"""

import posix

from fs.vfs.file cimport File
from fs.vfs.path cimport Path
from kernel.abi.errno cimport (
    EACCES, EAGAIN, EEXIST, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM, Errno
)
from kernel.abi.fs cimport MS_NOEXEC
from kernel.abi.mm cimport (
    MAP_32BIT, MAP_ANONYMOUS, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGE_MASK,
    MAP_HUGE_SHIFT, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE,
    MAP_STACK, MAP_TYPE, MAP_UNINITIALIZED, MCL_FUTURE, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE, READ_IMPLIES_EXEC
)
from kernel.abi.task cimport CAP_IPC_LOCK, RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK
from kernel.mm.mm cimport MM, VMA
from kernel.mm.order cimport map_call, put_files, soft_limit, unmap_call
from kernel.mm.shmem cimport ShmemFile
from kernel.task.task cimport Task


cdef enum:
    HUGE_PAGE = 0x200000
    LEGACY_MAP_MASK = (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_UNINITIALIZED
                       | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT
                       | 0x80 | (MAP_HUGE_MASK << MAP_HUGE_SHIFT))
    KEPT_FLAGS = MAP_GROWSDOWN | MAP_NORESERVE

cdef unsigned long ram = posix.sysconf("SC_PHYS_PAGES") * PAGE_SIZE
cdef int max_map_count = 65530


def set_limits(unsigned long ram_bytes=0, int map_count=0):
    """At boot, and by /proc/sys/vm/max_map_count: what a single mapping must not exceed, and how many an address space may have."""
    global ram, max_map_count
    ram = ram_bytes or ram
    max_map_count = map_count or max_map_count


cpdef unsigned long page_align(unsigned long length):
    """Rounded up to whole pages; 0 when that overflows."""
    return (length + PAGE_SIZE - 1) & ~<unsigned long> (PAGE_SIZE - 1)


cpdef tuple mmap(Task task, unsigned long address, unsigned long length, int prot, unsigned int flags, object file, unsigned long offset):
    """(address, calls) of a new mapping. file: None for anonymous memory. offset is a multiple of the page size."""
    cdef MM mm = task.mm
    if length == 0:
        raise Errno(EINVAL)
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC
    if prot & PROT_READ and task.personality & READ_IMPLIES_EXEC and not (file is not None and no_exec(file)):
        prot |= PROT_EXEC
    if flags & MAP_FIXED_NOREPLACE:
        flags |= MAP_FIXED
    length = page_align(length)
    if length == 0:
        raise Errno(ENOMEM)
    if offset + length < offset:
        raise Errno(EOVERFLOW)
    if len(mm.vmas) > max_map_count:
        raise Errno(ENOMEM)
    address = choose(mm, task, address, length, flags, file)
    if flags & MAP_LOCKED and not can_lock(task):
        raise Errno(EPERM)
    cdef bint locked = flags & MAP_LOCKED != 0 or mm.lock_future & MCL_FUTURE != 0
    if locked and not task.creds.capable(CAP_IPC_LOCK) and mm.locked_vm + length > soft_limit(task, RLIMIT_MEMLOCK):
        raise Errno(EAGAIN)
    cdef int may = check_file(file, prot, flags, offset, length) if file is not None else check_anonymous(flags)
    check_space(mm, task, address, length, prot, flags)
    cdef int populate = MAP_POPULATE if flags & MAP_LOCKED or flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE else 0
    return address, place(mm, make_vma(address, length, prot, flags, file, offset, may, locked), populate)


cdef VMA make_vma(unsigned long address, unsigned long length, int prot, unsigned int flags, file, unsigned long offset, int may,
                  bint locked):
    """The VMA, with a reference to its file; shared anonymous memory gets one."""
    cdef VMA vma
    cdef unsigned int kept = (MAP_SHARED if flags & MAP_SHARED else MAP_PRIVATE) | (flags & KEPT_FLAGS)
    if file is None and kept & MAP_SHARED:
        file, offset = ShmemFile(length), 0
    elif file is not None:
        file.get()
    vma = VMA.__new__(VMA)
    vma.start, vma.end, vma.prot, vma.flags, vma.may = address, address + length, prot, kept, may
    vma.file, vma.offset = file, offset if file is not None else 0
    vma.locked = locked
    return vma


cdef list place(MM mm, VMA vma, int populate):
    """Put vma where it belongs, over what is there; the host calls."""
    cdef list calls
    try:
        calls = [map_call(vma, populate)]
    except BaseException:
        put_files([vma])
        raise
    gone = mm.cut(vma.start, vma.end)
    mm.insert(vma)
    put_files(gone)
    return calls


cdef unsigned long choose(MM mm, Task task, unsigned long address, unsigned long length, unsigned int flags, file) except? 0:
    """Where the mapping goes (get_unmapped_area)."""
    cdef unsigned long found, hint
    if length > mm.high:
        raise Errno(ENOMEM)
    if flags & MAP_FIXED:
        check_fixed(mm, address, length, flags)
        return address
    hint = page_align(address & ~<unsigned long> (PAGE_SIZE - 1)) if address < mm.high else address
    if hint:
        hint = max(hint, mm.low)
        if hint <= mm.high - length and gap_at(mm, hint, length, task):
            return hint
    if flags & MAP_32BIT:
        found = mm.find_gap_up(length, 0x40000000, 0x80000000, task)
    else:
        found = mm.find_gap(length, HUGE_PAGE if file is None and length % HUGE_PAGE == 0 else PAGE_SIZE, task)
    if found == 0:
        raise Errno(ENOMEM)
    return found


cdef bint gap_at(MM mm, unsigned long start, unsigned long length, task):
    """The hint is free, also of a stack's guard gap, and of what another task is unmapping."""
    return mm.find_gap_up(length, start, start + length, task) == start


cdef int check_fixed(MM mm, unsigned long address, unsigned long length, unsigned int flags) except -1:
    if address > mm.high - length:
        raise Errno(ENOMEM)
    if address % PAGE_SIZE:
        raise Errno(EINVAL)
    if address < mm.low:
        raise Errno(EPERM)
    if flags & MAP_FIXED_NOREPLACE and mm.find_intersection(address, address + length) is not None:
        raise Errno(EEXIST)
    return check_sealed(mm, address, address + length)


cpdef int check_sealed(MM mm, unsigned long start, unsigned long end) except -1:
    """EPERM if any of the range is sealed (mseal)."""
    cdef Py_ssize_t i = mm.index(start)
    cdef VMA vma
    while i < len(mm.vmas):
        vma = <VMA> mm.vmas[i]
        if vma.start >= end:
            break
        if vma.sealed:
            raise Errno(EPERM)
        i += 1
    return 0


cdef int check_anonymous(unsigned int flags) except -1:
    kind = flags & MAP_TYPE
    if kind != MAP_PRIVATE and (kind != MAP_SHARED or flags & MAP_GROWSDOWN):
        raise Errno(EINVAL)
    return PROT_READ | PROT_WRITE | PROT_EXEC


cdef int check_file(file, int prot, unsigned int flags, unsigned long offset, unsigned long length) except -1:
    """The protections the mapping may ever have; EACCES, EPERM, EOVERFLOW, EOPNOTSUPP, EINVAL."""
    cdef int may = PROT_READ | PROT_WRITE | PROT_EXEC, mode = (<File?> file).flags & 3
    kind = flags & MAP_TYPE
    if offset > <unsigned long> 0x7fffffffffffffff - length:
        raise Errno(EOVERFLOW)
    if kind not in (MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE):
        raise Errno(EINVAL)
    if kind == MAP_SHARED_VALIDATE and flags & ~<unsigned int> (LEGACY_MAP_MASK | MAP_FIXED_NOREPLACE):
        raise Errno(EOPNOTSUPP)
    if kind != MAP_PRIVATE and mode != 2:
        if prot & PROT_WRITE:
            raise Errno(EACCES)
        may &= ~PROT_WRITE
    if mode == 1:
        raise Errno(EACCES)
    if no_exec(file):
        if prot & PROT_EXEC:
            raise Errno(EPERM)
        may &= ~PROT_EXEC
    if flags & MAP_GROWSDOWN:
        raise Errno(EINVAL)
    return may


cdef bint no_exec(File file):
    """The file lies on a mount with noexec."""
    return file.path is not None and (<Path?> file.path).mount.flags & MS_NOEXEC != 0


cpdef int check_space(MM mm, Task task, unsigned long address, unsigned long length, int prot, unsigned int flags) except -1:
    """RLIMIT_AS, RLIMIT_DATA and obvious overcommit (may_expand_vm, __vm_enough_memory)."""
    cdef unsigned long replaced = 0
    cdef VMA vma
    if flags & MAP_FIXED:
        for vma in mm.overlapping(address, address + length):
            replaced += min(vma.end, address + length) - max(vma.start, address)
    if mm.total_vm + length - replaced > soft_limit(task, RLIMIT_AS):
        raise Errno(ENOMEM)
    if prot & PROT_WRITE and not flags & MAP_SHARED:
        if not flags & MAP_GROWSDOWN and mm.data_vm + length > soft_limit(task, RLIMIT_DATA):
            raise Errno(ENOMEM)
        if not flags & MAP_NORESERVE and length > ram:
            raise Errno(ENOMEM)
    return 0


cpdef bint can_lock(Task task):
    """mlock(2) is allowed at all."""
    return soft_limit(task, RLIMIT_MEMLOCK) != 0 or task.creds.capable(CAP_IPC_LOCK)


cpdef int check_huge(unsigned int flags) except -1:
    """MAP_HUGETLB of anonymous memory: 2 MiB and 1 GiB exist, but none are reserved."""
    if flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK not in (0, 21, 30):
        raise Errno(EINVAL)
    raise Errno(ENOMEM)


cpdef tuple munmap(Task task, unsigned long address, unsigned long length):
    """(calls, gone): gone is what was there, without files, to be put back if the host refuses."""
    cdef MM mm = task.mm
    if address % PAGE_SIZE or length > mm.high or address > mm.high - length:
        raise Errno(EINVAL)
    length = page_align(length)
    if length == 0:
        raise Errno(EINVAL)
    return unmap(mm, task, address, address + length)


cpdef tuple unmap(MM mm, Task task, unsigned long start, unsigned long end):
    """Take a range out of the tree: (calls, gone), both empty if nothing was there."""
    cdef list gone
    check_sealed(mm, start, end)
    check_split(mm, start, end)
    gone = mm.cut(start, end)
    if not gone:
        return [], gone
    put_files(gone)
    mm.leave(task, start, end)
    return [unmap_call(max(start, mm.low), end)], gone     # below it the platform may have pages of its own


cdef int check_split(MM mm, unsigned long start, unsigned long end) except -1:
    """Unmapping the middle of a VMA makes one more."""
    cdef VMA vma = mm.find(start)
    if vma is not None and vma.start < start and vma.end > end and len(mm.vmas) >= max_map_count:
        raise Errno(ENOMEM)
    return 0


cpdef tuple brk(Task task, unsigned long address):
    """(new brk, calls): the old brk and no calls where Linux refuses."""
    cdef MM mm = task.mm
    cdef unsigned long before = mm.brk, old = page_align(before), new = page_align(address)
    if address < mm.start_brk or new > mm.high or new == 0:
        return before, []
    if address - mm.start_brk + mm.end_data - mm.start_data > soft_limit(task, RLIMIT_DATA):
        return before, []
    if new == old:
        mm.brk = address
        return address, []
    try:
        if new < old:
            calls, _ = unmap(mm, task, new, old)
        else:
            calls = grow_brk(mm, task, old, new)
    except Errno:
        return before, []
    mm.brk = address
    return address, calls


cdef list grow_brk(MM mm, Task task, unsigned long old, unsigned long new):
    cdef VMA vma
    if not gap_at(mm, old, new + PAGE_SIZE - old, task) or len(mm.vmas) > max_map_count:
        raise Errno(ENOMEM)
    locked = bool(mm.lock_future & MCL_FUTURE)
    if locked and not task.creds.capable(CAP_IPC_LOCK) and mm.locked_vm + new - old > soft_limit(task, RLIMIT_MEMLOCK):
        raise Errno(EAGAIN)
    check_space(mm, task, old, new - old, PROT_READ | PROT_WRITE, MAP_PRIVATE)
    vma = VMA(old, new, PROT_READ | PROT_WRITE, MAP_PRIVATE)
    vma.locked = locked
    return place(mm, vma, 0)
