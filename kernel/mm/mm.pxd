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
    cdef public str name                 # [heap], [stack], [vdso]; None
    cdef public bint locked
    cdef public bint dontfork


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
    cdef public bytes auxv
    cdef public object exe                # holds a reference; None
    cdef public int dumpable
    cpdef VMA find(self, unsigned long address)                  # the VMA that contains it, or None
    cpdef bint accessible(self, unsigned long address, unsigned long length, int prot)
    cpdef MM fork(self)                                          # a copy of the tree for a child; space is set later
    cpdef unsigned long total(self)                              # bytes mapped
    cpdef drop(self)                                             # the last user went: give files back
