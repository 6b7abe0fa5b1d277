# SPDX-License-Identifier: Apache-2.0
"""madvise(2): what empties or tunes memory goes to the host, what concerns fork and dumps is kept in the tree.

As in Linux a hole in the range answers ENOMEM, after the advice was given to what is mapped. Absent (EINVAL): MADV_COLLAPSE,
MADV_GUARD_*, memory failure injection.
"""

from kernel.abi.errno import EACCES, EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.mm import (
    HOST_MADVISE,
    MADV_COLD,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_DONTNEED_LOCKED,
    MADV_FREE,
    MADV_HUGEPAGE,
    MADV_HWPOISON,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_NORMAL,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_RANDOM,
    MADV_REMOVE,
    MADV_SEQUENTIAL,
    MADV_SOFT_OFFLINE,
    MADV_UNMERGEABLE,
    MADV_WILLNEED,
    MADV_WIPEONFORK,
    MAP_SHARED,
    PAGE_SIZE,
    PROT_WRITE,
)
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.mm.map import page_align
from kernel.mm.order import order

PUNCH_HOLE_KEEP_SIZE = 3
EMPTYING = (MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_REMOVE)
# advice -> (bits of VMA.advice that go, that come)
TUNING = {
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
FORKING = (MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK)
HINTS = (MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE)
# what the host is told, and as which advice
AT_HOST = {
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


def madvise(task, start, length, advice):
    """0, -errno, or what order() returned."""
    mm = task.mm
    if advice in (MADV_HWPOISON, MADV_SOFT_OFFLINE):
        raise Errno(EINVAL if task.creds.capable(CAP_SYS_ADMIN) else EPERM)
    if advice not in TUNING and advice not in EMPTYING and advice not in FORKING and advice not in HINTS:
        raise Errno(EINVAL)
    end = start + page_align(length)
    if start % PAGE_SIZE or (length and end == start) or end > 1 << 64:
        raise Errno(EINVAL)
    if end == start:
        return 0
    vmas = mm.overlapping(start, min(end, mm.high))
    error, last = check(vmas, advice, start)
    last = min(last, end)
    if last > start:
        apply(task, start, last, advice)
    if not error and not mm.covered(start, min(end, mm.high + PAGE_SIZE)):
        error = -ENOMEM
    if advice not in AT_HOST or last <= start:
        return error
    return at_host(task, start, last, advice, error)


def check(vmas, advice, start):
    """(-errno or 0, where the advice stops being allowed)."""
    last = start
    for vma in vmas:
        error = refusal(vma, advice)
        if error:
            return -error, last
        last = vma.end
    return 0, last


def refusal(vma, advice):
    """The error number with which this VMA refuses the advice, or 0."""
    if vma.locked and advice in (MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT):
        return EINVAL
    if advice in EMPTYING and vma.sealed and vma.file is None and not vma.prot & PROT_WRITE:
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


def apply(task, start, end, advice):
    """What the tree keeps, and MADV_REMOVE."""
    mm = task.mm
    if advice in TUNING or advice in FORKING:
        for vma in mm.isolate(start, end):
            mark(vma, advice)
        mm.merge(start, end)
    elif advice == MADV_REMOVE:
        for vma in mm.overlapping(start, end):
            low, high = max(start, vma.start), min(end, vma.end)
            job = vma.file.fallocate(task, PUNCH_HOLE_KEEP_SIZE, vma.offset + low - vma.start, high - low)
            if job is not None and job.run() < 0:
                raise Errno(-job.result())


def mark(vma, advice):
    """Set what fork() and /proc/self/smaps look at."""
    if advice in (MADV_DONTFORK, MADV_DOFORK):
        vma.dontfork = advice == MADV_DONTFORK
    elif advice in (MADV_WIPEONFORK, MADV_KEEPONFORK):
        vma.wipeonfork = advice == MADV_WIPEONFORK
    else:
        gone, come = TUNING[advice]
        vma.advice = vma.advice & ~gone | come


def at_host(task, start, end, advice, error):
    """The host is told; its ENOMEM for holes is not news."""

    def failed(task, results):
        code = results[-1][1]
        return error if code == -ENOMEM and error else code

    return order(task, [(HOST_MADVISE, start, end - start, AT_HOST[advice])], error, failed)
