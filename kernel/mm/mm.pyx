# SPDX-License-Identifier: Apache-2.0
"""Address spaces: MM and its VMAs, the only truth about what is mapped where.

The host's own list of mappings follows: after a change of the tree the guest's host thread makes the same change there
(kernel.mm.order). Rule: VMAs are sorted, never empty, never overlap, and neighbours that are alike are one, as /proc/self/maps shows
them on Linux. Nothing here makes host calls or knows about permissions; that is kernel.mm.map and its neighbours.
"""

from kernel.abi.mm cimport MAP_GROWSDOWN, MAP_SHARED, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE

cdef enum:
    GUEST = 0                            # kernel.task.task.TaskState, which can't be cimported from here
    ORDERING = 3
    STACK_GUARD_GAP = 256 * 4096


cdef class VMA:
    """A range of pages that are alike. Owns one reference to its file."""

    def __init__(self, unsigned long start, unsigned long end, int prot, unsigned int flags, file=None, long long offset=0, int may=7):
        self.start, self.end, self.prot, self.flags, self.may = start, end, prot, flags, may
        self.file, self.offset = file, offset

    def __repr__(self):
        return f"<VMA {self.start:x}-{self.end:x} prot {self.prot} flags {self.flags:#x}>"

    cpdef VMA copy(self):
        cdef VMA new = VMA.__new__(VMA)
        new.start, new.end, new.prot, new.flags, new.may = self.start, self.end, self.prot, self.flags, self.may
        new.file = None if self.file is None else self.file.get()
        new.offset, new.name, new.advice = self.offset, self.name, self.advice
        new.locked, new.dontfork, new.wipeonfork, new.sealed = self.locked, self.dontfork, self.wipeonfork, self.sealed
        new.was_writable = self.was_writable
        return new

    cdef bint joins(self, VMA after) noexcept:
        if (self.end != after.start or self.prot != after.prot or self.flags != after.flags or self.file is not after.file
                or self.may != after.may or self.advice != after.advice or self.locked != after.locked or self.sealed != after.sealed
                or self.dontfork != after.dontfork or self.wipeonfork != after.wipeonfork or self.was_writable != after.was_writable):
            return False
        if self.file is not None and self.offset + <long long> (self.end - self.start) != after.offset:
            return False
        return self.name is after.name or self.name == after.name


cdef class MM:
    """One address space."""

    def __init__(self, unsigned long low=0x10000, unsigned long high=0x7ffe00000000):
        self.low, self.high = low, high
        self.mmap_base = self.scan_from = high
        self.users = 1
        self.dumpable = 1
        self.vmas = []
        self.auxv = b""
        self.birth_calls = []
        self.leaving = {}

    # questions

    cpdef VMA find(self, unsigned long address):
        """The VMA that contains address, or None."""
        cdef Py_ssize_t i = self.index(address)
        if i < len(self.vmas) and (<VMA> self.vmas[i]).start <= address:
            return <VMA> self.vmas[i]
        return None

    cpdef VMA find_intersection(self, unsigned long start, unsigned long end):
        """The lowest VMA that has bytes of [start, end), or None."""
        cdef Py_ssize_t i = self.index(start)
        if i < len(self.vmas) and (<VMA> self.vmas[i]).start < end:
            return <VMA> self.vmas[i]
        return None

    cpdef list overlapping(self, unsigned long start, unsigned long end):
        """All VMAs that have bytes of [start, end)."""
        cdef Py_ssize_t i = self.index(start)
        cdef list found = []
        while i < len(self.vmas) and (<VMA> self.vmas[i]).start < end:
            found.append(self.vmas[i])
            i += 1
        return found

    cpdef bint covered(self, unsigned long start, unsigned long end):
        """Every byte of [start, end) is mapped."""
        cdef Py_ssize_t i = self.index(start)
        cdef VMA vma
        while start < end:
            if i >= len(self.vmas):
                return False
            vma = <VMA> self.vmas[i]
            if vma.start > start:
                return False
            start = vma.end
            i += 1
        return True

    cpdef bint accessible(self, unsigned long address, unsigned long length, int prot):
        """Every byte of the range is mapped with all of prot (PROT_READ is implied by the others, as on x86)."""
        cdef unsigned long end = address + length
        cdef Py_ssize_t i
        cdef VMA vma
        if end < address or end > self.high:
            return False
        i = self.index(address)
        while address < end:
            if i >= len(self.vmas):
                return False
            vma = <VMA> self.vmas[i]
            if vma.start > address or vma.prot & prot != prot and not (prot == PROT_READ and vma.prot):
                return False
            address = vma.end
            i += 1
        return True

    cpdef unsigned long total(self):
        """Bytes mapped."""
        return self.total_vm

    # changes

    cpdef VMA insert(self, VMA vma):
        """Put vma into a hole; returns the VMA that contains it afterwards."""
        cdef Py_ssize_t i = self.index(vma.start)
        self.count(vma, 1)
        self.vmas.insert(i, vma)
        self.merge(vma.start, vma.end)
        return self.find(vma.start)

    cpdef list cut(self, unsigned long start, unsigned long end):
        """Take [start, end) out of the tree; returns what was there. The caller owns the VMAs and their references."""
        cdef list gone = self.isolate(start, end)
        cdef Py_ssize_t i
        cdef VMA vma
        if gone:
            i = self.index(start)
            del self.vmas[i:i + len(gone)]
            for vma in gone:
                self.count(vma, -1)
        if end > self.scan_from:
            i = self.index(end)
            self.scan_from = self.mmap_base
            if i < len(self.vmas):
                self.scan_from = min(self.scan_from, max(end, (<VMA> self.vmas[i]).start))
        return gone

    cpdef list isolate(self, unsigned long start, unsigned long end):
        """Split VMAs at start and at end; returns those inside, in order."""
        cdef Py_ssize_t i = self.index(start), first
        cdef VMA vma
        if i < len(self.vmas) and (<VMA> self.vmas[i]).start < start:
            i = self.split(i, start)
        first = i
        while i < len(self.vmas):
            vma = <VMA> self.vmas[i]
            if vma.start >= end:
                break
            if vma.end > end:
                self.split(i, end)
            i += 1
        return self.vmas[first:i]

    cpdef merge(self, unsigned long start, unsigned long end):
        """Join neighbours that are alike, from the one before start to the one behind end."""
        cdef Py_ssize_t i = self.index(start)
        cdef VMA kept, after
        i = max(i - 1, 0)
        while i + 1 < len(self.vmas):
            kept, after = <VMA> self.vmas[i], <VMA> self.vmas[i + 1]
            if after.start > end:
                break
            if kept.joins(after):
                kept.end = after.end
                if after.file is not None:
                    after.file.put()
                    after.file = None
                del self.vmas[i + 1]
            else:
                i += 1

    cpdef set_prot(self, VMA vma, int prot):
        """Another protection for a whole VMA."""
        self.count(vma, -1)
        vma.prot = prot
        self.count(vma, 1)

    cpdef set_locked(self, VMA vma, bint locked):
        """mlock or munlock a whole VMA."""
        self.count(vma, -1)
        vma.locked = locked
        self.count(vma, 1)

    # free addresses

    cpdef unsigned long find_gap(self, unsigned long length, unsigned long align=PAGE_SIZE, object task=None) except? 0:
        """The highest free range of length below mmap_base, else the lowest above a third of the address space, else anywhere; 0 if none.

        As Linux does, a gap below a stack is 1 MiB shorter. task: its own ranges that are leaving count as free.
        """
        cdef unsigned long found
        if self.leaving:
            self.forget_arrived(task)
        if length > self.high - self.low:
            return 0
        if length + align - PAGE_SIZE <= self.skipped:
            self.scan_from, self.skipped = self.mmap_base, 0
        found = self.gap_down(length, align, task)
        if found == 0:
            self.scan_from, self.skipped = self.mmap_base, 0
            found = self.find_gap_up(length, (self.high // 3) & ~<unsigned long> 0xfff, self.high, task)
        if found == 0:
            found = self.find_gap_up(length, self.low, self.high, task)
        return found

    cdef unsigned long gap_down(self, unsigned long length, unsigned long align, object task) except? 0:
        cdef unsigned long top = min(self.scan_from, self.mmap_base), bottom, found
        cdef Py_ssize_t i = self.index(top)
        cdef VMA vma
        if i < len(self.vmas):
            top = min(top, gap_end(<VMA> self.vmas[i]))
        while True:
            i -= 1
            bottom = self.low if i < 0 else (<VMA> self.vmas[i]).end
            if top > bottom and top - bottom >= length:
                found = (top - length) & ~(align - 1)
                if found >= bottom and self.vacant(found, found + length, task):
                    self.scan_from = top if found + length < top else found
                    return found
            if top > bottom:
                self.skipped = max(self.skipped, top - bottom)
            if i < 0:
                return 0
            vma = <VMA> self.vmas[i]
            top = min(top, gap_end(vma))

    cpdef unsigned long find_gap_up(self, unsigned long length, unsigned long low, unsigned long high, object task=None) noexcept:
        """The lowest free range of length within [low, high); 0 if none."""
        cdef Py_ssize_t i = self.index(low)
        cdef unsigned long bottom = low, top
        while bottom <= high and high - bottom >= length:
            top = high
            if i < len(self.vmas):
                top = min(top, gap_end(<VMA> self.vmas[i]))
            if top >= bottom and top - bottom >= length and self.vacant(bottom, bottom + length, task):
                return bottom
            if i >= len(self.vmas):
                return 0
            bottom = max(bottom, (<VMA> self.vmas[i]).end)
            i += 1
        return 0

    cpdef leave(self, object task, unsigned long start, unsigned long end):
        """[start, end) was cut by task, whose host calls may not have run yet: nobody else gets it before the task is heard of again."""
        if self.users > 1:
            self.leaving.setdefault(task, []).append((start, end))

    cdef forget_arrived(self, object task):
        """Whose request is with the kernel has finished its host calls."""
        for owner in list(self.leaving):
            if owner is task or owner.state not in (GUEST, ORDERING):
                del self.leaving[owner]

    cdef bint vacant(self, unsigned long start, unsigned long end, object task) noexcept:
        if self.leaving:
            for owner, ranges in self.leaving.items():
                if owner is not task:
                    for first, last in ranges:
                        if <unsigned long> first < end and <unsigned long> last > start:
                            return False
        return True

    # life

    cpdef MM fork(self):
        """A copy of the tree for a child, without DONTFORK ranges; its birth_calls empty what the host copied and shouldn't have."""
        cdef MM new = MM(self.low, self.high)
        cdef VMA vma
        for vma in self.vmas:
            if vma.dontfork:
                new.birth_calls.append((11, vma.start, vma.end - vma.start))
                continue
            if vma.wipeonfork:
                new.birth_calls.append((28, vma.start, vma.end - vma.start, 4))
            vma = vma.copy()
            vma.locked = False
            new.vmas.append(vma)
            new.count(vma, 1)
        new.start_brk, new.brk, new.mmap_base, new.vdso = self.start_brk, self.brk, self.mmap_base, self.vdso
        new.arg_start, new.arg_end, new.env_start, new.env_end = self.arg_start, self.arg_end, self.env_start, self.env_end
        new.start_code, new.end_code, new.start_data, new.end_data = self.start_code, self.end_code, self.start_data, self.end_data
        new.start_stack, new.auxv, new.dumpable = self.start_stack, self.auxv, self.dumpable
        new.exe = None if self.exe is None else self.exe.get()
        new.membarrier_ready, new.membarrier_sync_core = self.membarrier_ready, self.membarrier_sync_core
        new.scan_from = new.mmap_base
        return new

    cpdef drop(self):
        """The last user went: give files back."""
        cdef VMA vma
        gone, self.vmas = self.vmas, []
        for vma in gone:
            if vma.file is not None:
                vma.file.put()
                vma.file = None
        if self.exe is not None:
            self.exe.put()
            self.exe = None
        self.space = None
        self.leaving.clear()

    # the list

    cdef Py_ssize_t index(self, unsigned long address) noexcept:
        """Index of the first VMA that ends above address; len(vmas) if none."""
        cdef Py_ssize_t low = 0, high = len(self.vmas), middle
        while low < high:
            middle = (low + high) >> 1
            if (<VMA> self.vmas[middle]).end > address:
                high = middle
            else:
                low = middle + 1
        return low

    cdef Py_ssize_t split(self, Py_ssize_t i, unsigned long address) except -1:
        """Split VMA number i at address; returns the index of the upper part."""
        cdef VMA lower = <VMA> self.vmas[i], upper = lower.copy()
        upper.start = lower.end = address
        if lower.file is not None:
            upper.offset += address - lower.start
        self.vmas.insert(i + 1, upper)
        return i + 1

    cdef void count(self, VMA vma, int sign) noexcept:
        cdef unsigned long length = sign * (vma.end - vma.start)
        self.total_vm += length
        if vma.flags & MAP_GROWSDOWN:
            self.stack_vm += length
        elif vma.prot & PROT_WRITE and not vma.flags & MAP_SHARED:
            self.data_vm += length
        if vma.prot & PROT_EXEC and not vma.prot & PROT_WRITE:
            self.exec_vm += length
        if vma.locked:
            self.locked_vm += length
        if vma.prot & PROT_WRITE and vma.file is not None and not vma.flags & MAP_SHARED:
            vma.was_writable = True
        self.peak_vm = max(self.peak_vm, self.total_vm)


cdef inline unsigned long gap_end(VMA vma) noexcept:
    """Where a gap below vma ends: at its start, or a guard gap lower if it is a stack."""
    if vma.flags & MAP_GROWSDOWN:
        return vma.start - STACK_GUARD_GAP if vma.start > STACK_GUARD_GAP else 0
    return vma.start
