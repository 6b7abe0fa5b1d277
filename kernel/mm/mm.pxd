# SPDX-License-Identifier: Apache-2.0
# An address space: the authoritative VMA tree over the stub's memory.

from kernel.platform.platform cimport Space


cdef class VMA:
    cdef public unsigned long start
    cdef public unsigned long end
    cdef public int prot                 # PROT_*
    cdef public unsigned int flags       # MAP_SHARED or MAP_PRIVATE, and MAP_* that matter later
    cdef public object file              # holds a reference; None for anonymous memory
    cdef public long long offset         # in the file, bytes
    cdef public str name                 # of anonymous memory, by PR_SET_VMA; None
    cdef public bint locked
    cdef public bint dontfork
    cdef public bint wipeonfork
    cdef public bint sealed              # mseal(2)
    cdef public bint was_writable        # a private mapping of a file that can have pages of its own: Linux doesn't join it with others
    cdef public int may                  # PROT_* that mprotect may give
    cdef public unsigned int advice      # 1 << MADV_* for those that only tune
    cpdef VMA copy(self)                                         # takes one more reference to the file
    cdef bint joins(self, VMA after) noexcept                    # `after` begins where this ends and is alike


cdef class MM:
    cdef public Space space              # None before the stub exists
    cdef public int users                # tasks that share it
    cdef public list vmas                # sorted by start, never overlapping
    cdef public unsigned long start_brk
    cdef public unsigned long brk
    cdef public unsigned long mmap_base
    cdef public unsigned long arg_start
    cdef public unsigned long arg_end
    cdef public unsigned long env_start
    cdef public unsigned long env_end
    cdef public unsigned long start_stack
    cdef public unsigned long start_code
    cdef public unsigned long end_code
    cdef public unsigned long start_data
    cdef public unsigned long end_data
    cdef public bytes auxv
    cdef public object born_with          # the Creds of its process when it was made
    cdef public object exe                # holds a reference; None
    cdef public int dumpable
    cdef public unsigned long low         # guest memory is [low, high)
    cdef public unsigned long high
    cdef public unsigned long vdso        # AT_SYSINFO_EHDR; outside of the tree
    cdef public int lock_future           # MCL_FUTURE and MCL_ONFAULT of mlockall
    cdef public bint membarrier_ready     # MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    cdef public bint membarrier_sync_core
    cdef public list birth_calls          # host calls that a forked child makes before it runs guest code
    cdef public object futexes            # kernel.sync.futex.FutexTable of private PI futexes; None until used
    # bytes, kept up to date by insert and cut
    cdef readonly unsigned long total_vm
    cdef readonly unsigned long data_vm
    cdef readonly unsigned long stack_vm
    cdef readonly unsigned long exec_vm
    cdef readonly unsigned long locked_vm
    cdef readonly unsigned long peak_vm
    # where find_gap goes on, and the largest gap that it left above
    cdef unsigned long scan_from
    cdef unsigned long skipped
    cdef dict leaving                     # task -> [(start, end)]: unmapped in the tree, the task's host calls may still run

    cpdef VMA find(self, unsigned long address)                  # the VMA that contains it, or None
    cpdef VMA find_intersection(self, unsigned long start, unsigned long end)    # the lowest one that has bytes of the range, or None
    cpdef list overlapping(self, unsigned long start, unsigned long end)
    cpdef bint covered(self, unsigned long start, unsigned long end)             # no holes
    cpdef bint accessible(self, unsigned long address, unsigned long length, int prot)
    cpdef VMA insert(self, VMA vma)                              # into a hole; joined with its neighbours where alike
    cpdef list cut(self, unsigned long start, unsigned long end)                 # take out; the caller owns the VMAs and their references
    cpdef list isolate(self, unsigned long start, unsigned long end)             # split at both ends; the VMAs inside
    cpdef merge(self, unsigned long start, unsigned long end)
    cpdef set_prot(self, VMA vma, int prot)                      # of a whole VMA; merge() afterwards
    cpdef set_locked(self, VMA vma, bint locked)
    cpdef unsigned long find_gap(self, unsigned long length, unsigned long align=*, object task=*) except? 0
    cpdef unsigned long find_gap_up(self, unsigned long length, unsigned long low, unsigned long high, object task=*) noexcept
    cdef unsigned long gap_down(self, unsigned long length, unsigned long align, object task) except? 0
    cpdef leave(self, object task, unsigned long start, unsigned long end)
    cpdef MM fork(self)                                          # a copy of the tree for a child; space is set later
    cpdef unsigned long total(self)                              # bytes mapped
    cpdef drop(self)                                             # the last user went: give files back
    cdef Py_ssize_t index(self, unsigned long address) noexcept  # of the first VMA that ends above address
    cdef Py_ssize_t split(self, Py_ssize_t i, unsigned long address) except -1
    cdef void count(self, VMA vma, int sign) noexcept
    cdef forget_arrived(self, object task)
    cdef bint vacant(self, unsigned long start, unsigned long end, object task) noexcept
