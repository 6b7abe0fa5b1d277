# SPDX-License-Identifier: Apache-2.0
"""mlock(2), munlock(2), mlockall(2), munlockall(2): limits and accounting. Pages stay where the host keeps them: nothing is pinned."""

from kernel.abi.errno import EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.mm import MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, PAGE_SIZE
from kernel.abi.task import CAP_IPC_LOCK, RLIMIT_MEMLOCK
from kernel.mm.map import can_lock
from kernel.mm.order import soft_limit

WORD = 1 << 64


def pages_around(start, length):
    """[start, end) of the whole pages; EINVAL when it wraps."""
    first = start - start % PAGE_SIZE
    end = (start + length + PAGE_SIZE - 1) // PAGE_SIZE * PAGE_SIZE
    if end >= WORD:
        raise Errno(EINVAL)
    return first, end


def mlock(task, start, length, flags):
    """mlock(2), mlock2(2)."""
    mm = task.mm
    if flags & ~MLOCK_ONFAULT:
        raise Errno(EINVAL)
    if not can_lock(task):
        raise Errno(EPERM)
    first, end = pages_around(start, length)
    if not task.creds.capable(CAP_IPC_LOCK):
        limit = soft_limit(task, RLIMIT_MEMLOCK)
        total = mm.locked_vm + end - first
        if total > limit:
            total -= sum(min(vma.end, end) - max(vma.start, first) for vma in mm.overlapping(first, end) if vma.locked)
        if total > limit:
            raise Errno(ENOMEM)
    set_range(mm, first, end, True)
    if not flags & MLOCK_ONFAULT and any(not vma.prot for vma in mm.overlapping(first, end)):
        raise Errno(ENOMEM)
    return 0


def munlock(task, start, length):
    """munlock(2)."""
    first, end = pages_around(start, length)
    set_range(task.mm, first, end, False)
    return 0


def set_range(mm, start, end, locked):
    """Up to the first hole, then ENOMEM."""
    at = start
    for vma in mm.overlapping(start, end):
        if vma.start > at:
            break
        at = min(vma.end, end)
    for vma in mm.isolate(start, at) if at > start else ():
        mm.set_locked(vma, locked)
    mm.merge(start, at)
    if at < end:
        raise Errno(ENOMEM)


def mlockall(task, flags):
    """mlockall(2)."""
    mm = task.mm
    if not flags or flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) or flags == MCL_ONFAULT:
        raise Errno(EINVAL)
    if not can_lock(task):
        raise Errno(EPERM)
    if flags & MCL_CURRENT and not task.creds.capable(CAP_IPC_LOCK) and mm.total_vm > soft_limit(task, RLIMIT_MEMLOCK):
        raise Errno(ENOMEM)
    mm.lock_future = flags & (MCL_FUTURE | MCL_ONFAULT) if flags & MCL_FUTURE else 0
    if flags & MCL_CURRENT:
        set_all(mm, True)
    return 0


def munlockall(task):
    """munlockall(2)."""
    task.mm.lock_future = 0
    set_all(task.mm, False)
    return 0


def set_all(mm, locked):
    """All VMAs."""
    for vma in list(mm.vmas):
        mm.set_locked(vma, locked)
    mm.merge(mm.low, mm.high)
