# SPDX-License-Identifier: Apache-2.0
# Random places of a new address space.

cdef class Layout:
    cdef readonly unsigned long stack_top
    cdef readonly unsigned long stack_shift      # bytes of random gap below the strings
    cdef readonly unsigned long mmap_base
    cdef readonly unsigned long program_base
    cdef readonly unsigned long brk_gap
    cdef readonly bytes random                   # AT_RANDOM
