# SPDX-License-Identifier: Apache-2.0
"""mprotect(2) and mseal(2): changes of VMAs in place.

As in Linux, mprotect of a range with a hole or a forbidden part changes what lies before it, then fails.
"""

from kernel.abi.errno cimport EACCES, EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.mm cimport (
    MAP_GROWSDOWN, MAP_SHARED, PAGE_SIZE, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE, READ_IMPLIES_EXEC
)
from kernel.abi.task cimport RLIMIT_DATA
from kernel.mm.map cimport page_align
from kernel.mm.mm cimport MM, VMA
from kernel.mm.order cimport protect_call, soft_limit


cpdef tuple mprotect(Task task, unsigned long start, unsigned long length, unsigned long prot):
    """(error, calls, undo): error is 0 or -errno after part of the range; undo are (start, end, old prot)."""
    cdef MM mm = task.mm
    cdef unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP), end
    cdef VMA vma
    prot &= ~grows
    if grows == (PROT_GROWSDOWN | PROT_GROWSUP) or start % PAGE_SIZE:
        raise Errno(EINVAL)
    if length == 0:
        return 0, [], []
    end = start + page_align(length)
    if end <= start:
        raise Errno(ENOMEM)
    if prot & ~<unsigned long> (PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM):
        raise Errno(EINVAL)
    vma = mm.find_intersection(start, end)
    if vma is None:
        raise Errno(ENOMEM)
    if grows & PROT_GROWSUP or grows & PROT_GROWSDOWN and not vma.flags & MAP_GROWSDOWN:
        raise Errno(EINVAL)
    if grows & PROT_GROWSDOWN:
        start = vma.start
    elif vma.start > start:
        raise Errno(ENOMEM)
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC
    if prot & PROT_READ and task.personality & READ_IMPLIES_EXEC and vma.may & PROT_EXEC:
        prot |= PROT_EXEC
    return protect(mm, task, start, end, <int> prot)


cdef tuple protect(MM mm, Task task, unsigned long start, unsigned long end, int prot):
    cdef unsigned long at = start
    cdef list calls = [], undo = []
    cdef VMA vma
    cdef long error = 0
    for vma in mm.overlapping(start, end):
        if vma.start > at:
            error = -ENOMEM
            break
        error = refusal(mm, task, vma, prot)
        if error:
            break
        at = min(vma.end, end)
    if at > start:
        for vma in mm.isolate(start, at):
            if vma.prot != prot:
                undo.append((vma.start, vma.end, vma.prot))
                mm.set_prot(vma, prot)
        mm.merge(start, at)
        if undo:
            calls.append(protect_call(undo[0][0], undo[len(undo) - 1][1], prot))
    if not error and at < end:
        error = -ENOMEM
    return error, calls, undo


cdef long refusal(MM mm, Task task, VMA vma, int prot) except 1:
    """-errno if this VMA can't have prot, else 0."""
    if vma.sealed:
        return -EPERM
    if prot & ~vma.may:
        return -EACCES
    if prot & PROT_WRITE and not vma.prot & PROT_WRITE and not vma.flags & (MAP_SHARED | MAP_GROWSDOWN):
        if mm.data_vm + vma.end - vma.start > soft_limit(task, RLIMIT_DATA):
            return -ENOMEM
    return 0


cpdef list unprotect(MM mm, list undo):
    """Put protections back after the host refused; the host calls that make sure of it there."""
    cdef VMA vma
    calls = []
    for start, end, prot in undo:
        for vma in mm.isolate(start, end):
            mm.set_prot(vma, prot)
            calls.append(protect_call(vma.start, vma.end, prot))
        mm.merge(start, end)
    return calls


def mseal(task, unsigned long start, unsigned long length, unsigned long flags):
    """mseal(2): from now on EPERM for whoever wants to unmap, move or protect the range."""
    cdef MM mm = task.mm
    cdef VMA vma
    cdef unsigned long end = start + page_align(length)
    if flags or start % PAGE_SIZE or length and page_align(length) == 0 or end < start:
        raise Errno(EINVAL)
    if end == start:
        return 0
    if not mm.covered(start, end):
        raise Errno(ENOMEM)
    for vma in mm.isolate(start, end):
        vma.sealed = True
    mm.merge(start, end)
    return 0
