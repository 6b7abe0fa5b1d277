# SPDX-License-Identifier: Apache-2.0
"""madvise(2): what empties or tunes memory goes to the host, what concerns fork and dumps is kept in the tree.

As in Linux a hole in the range answers ENOMEM, after the advice was given to what is mapped. Absent (EINVAL): MADV_COLLAPSE,
MADV_GUARD_*, memory failure injection.
"""

from kernel.abi.errno cimport EACCES, EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.mm cimport (
    HOST_MADVISE, MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE,
    MADV_HUGEPAGE, MADV_HWPOISON, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ,
    MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_SOFT_OFFLINE, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK,
    MAP_SHARED, PAGE_SIZE, PROT_WRITE,
)
from kernel.abi.task cimport CAP_SYS_ADMIN
from kernel.mm.map cimport page_align
from kernel.mm.mm cimport MM, VMA
from kernel.mm.order cimport order
from kernel.task.task cimport Task

cdef enum:
    PUNCH_HOLE_KEEP_SIZE = 3

# advice -> (bits of VMA.advice that go, that come)
cdef dict TUNING = {
    MADV_NORMAL: (1 << MADV_RANDOM | 1 << MADV_SEQUENTIAL, 0),
    MADV_RANDOM: (1 << MADV_SEQUENTIAL, 1 << MADV_RANDOM),
    MADV_SEQUENTIAL: (1 << MADV_RANDOM, 1 << MADV_SEQUENTIAL),
    MADV_DONTDUMP: (0, 1 << MADV_DONTDUMP),
    MADV_DODUMP: (1 << MADV_DONTDUMP, 0),
    MADV_MERGEABLE: (0, 1 << MADV_MERGEABLE),
    MADV_UNMERGEABLE: (1 << MADV_MERGEABLE, 0),
    MADV_HUGEPAGE: (1 << MADV_NOHUGEPAGE, 1 << MADV_HUGEPAGE),
    MADV_NOHUGEPAGE: (1 << MADV_HUGEPAGE, 1 << MADV_NOHUGEPAGE),
}
# what the host is told, and as which advice
cdef dict AT_HOST = {
    MADV_DONTNEED: MADV_DONTNEED,
    MADV_DONTNEED_LOCKED: MADV_DONTNEED,
    MADV_FREE: MADV_FREE,
    MADV_WILLNEED: MADV_WILLNEED,
    MADV_HUGEPAGE: MADV_HUGEPAGE,
    MADV_NOHUGEPAGE: MADV_NOHUGEPAGE,
    MADV_COLD: MADV_COLD,
    MADV_PAGEOUT: MADV_PAGEOUT,
    MADV_POPULATE_READ: MADV_POPULATE_READ,
    MADV_POPULATE_WRITE: MADV_POPULATE_WRITE,
}


cpdef long madvise(Task task, unsigned long start, unsigned long length, int advice) except? -1:
    """0, -errno, or what order() returned."""
    cdef MM mm = task.mm
    cdef unsigned long end = start + page_align(length), last = start
    cdef long error
    if advice == MADV_HWPOISON or advice == MADV_SOFT_OFFLINE:
        raise Errno(EINVAL if task.creds.capable(CAP_SYS_ADMIN) else EPERM)
    if not emptying(advice) and not forking(advice) and advice not in TUNING and advice not in AT_HOST:
        raise Errno(EINVAL)
    if start % PAGE_SIZE or length and end == start or end < start:
        raise Errno(EINVAL)
    if end == start:
        return 0
    error = check(mm.overlapping(start, min(end, mm.high)), advice, &last)
    last = min(last, end)
    if last > start:
        apply(task, start, last, advice)
    if not error and not mm.covered(start, min(end, mm.high + PAGE_SIZE)):
        error = -ENOMEM
    if advice not in AT_HOST or last <= start:
        return error
    return at_host(task, start, last, AT_HOST[advice], error)


cdef bint emptying(int advice) noexcept:
    return advice == MADV_DONTNEED or advice == MADV_DONTNEED_LOCKED or advice == MADV_FREE or advice == MADV_REMOVE


cdef bint forking(int advice) noexcept:
    return advice == MADV_DONTFORK or advice == MADV_DOFORK or advice == MADV_WIPEONFORK or advice == MADV_KEEPONFORK


cdef long check(list vmas, int advice, unsigned long *last) except 1:
    """-errno or 0; last: where the advice stops being allowed."""
    cdef VMA vma
    cdef int error
    for vma in vmas:
        error = refusal(vma, advice)
        if error:
            return -error
        last[0] = vma.end
    return 0


cdef int refusal(VMA vma, int advice) except -1:
    """The error number with which this VMA refuses the advice, or 0."""
    if vma.locked and (advice == MADV_DONTNEED or advice == MADV_FREE or advice == MADV_REMOVE or advice == MADV_COLD
                       or advice == MADV_PAGEOUT):
        return EINVAL
    if vma.sealed and emptying(advice) and vma.file is None and not vma.prot & PROT_WRITE:
        return EPERM
    if advice == MADV_FREE and vma.file is not None:
        return EINVAL
    if advice == MADV_WIPEONFORK and (vma.file is not None or vma.flags & MAP_SHARED):
        return EINVAL
    if advice == MADV_REMOVE:
        if vma.file is None:
            return EINVAL
        if not vma.flags & MAP_SHARED or not vma.may & PROT_WRITE:
            return EACCES
    return 0


cdef int apply(Task task, unsigned long start, unsigned long end, int advice) except -1:
    """What the tree keeps, and MADV_REMOVE."""
    cdef MM mm = task.mm
    cdef VMA vma
    if advice == MADV_REMOVE:
        for vma in mm.overlapping(start, end):
            low, high = max(start, vma.start), min(end, vma.end)
            job = vma.file.fallocate(task, PUNCH_HOLE_KEEP_SIZE, vma.offset + low - vma.start, high - low)
            if job is not None and job.run() < 0:
                raise Errno(-job.result())
    elif forking(advice) or advice in TUNING:
        for vma in mm.isolate(start, end):
            mark(vma, advice)
        mm.merge(start, end)
    return 0


cdef int mark(VMA vma, int advice) except -1:
    """Set what fork() and /proc/self/smaps look at."""
    if advice == MADV_DONTFORK or advice == MADV_DOFORK:
        vma.dontfork = advice == MADV_DONTFORK
    elif advice == MADV_WIPEONFORK or advice == MADV_KEEPONFORK:
        vma.wipeonfork = advice == MADV_WIPEONFORK
    else:
        gone, come = TUNING[advice]
        vma.advice = vma.advice & ~gone | come
    return 0


cdef class Refused:
    """The host did not take the advice; its ENOMEM for holes is not news."""

    cdef long error

    def __call__(self, task, results):
        code = results[-1][1]
        return self.error if code == -ENOMEM and self.error else code


cdef long at_host(Task task, unsigned long start, unsigned long end, int advice, long error) except? -1:
    """The host is told."""
    cdef Refused refused = Refused.__new__(Refused)
    refused.error = error
    return order(task, [(HOST_MADVISE, start, end - start, advice)], error, refused)
