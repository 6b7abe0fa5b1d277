# SPDX-License-Identifier: Apache-2.0
"""Where things lie in a new address space: random places, as arch/x86/mm/mmap.c chooses them. The host's own randomisation plays no part.

Amounts: programs and mmap_base 28 bits of pages, stack 22 bits of pages, heap 13 bits of pages.
"""

import posix

from libc.string cimport memcpy, memset

from kernel.abi.mm cimport ADDR_NO_RANDOMIZE, PAGE_SIZE

cdef enum:
    MMAP_RANDOM_PAGES = 1 << 28
    STACK_RANDOM_PAGES = 1 << 22
    BRK_RANDOM_PAGES = 1 << 13
    STACK_SHIFT = 8192
    MIN_GAP = 128 << 20
    STACK_GUARD_GAP = 1 << 20
    NR_DRAWS = 5
    RANDOM_SIZE = 16


cdef class Layout:
    """One draw of random places below `high`, and the 16 random bytes that a program gets."""

    def __init__(self, unsigned long high, unsigned long stack_limit, unsigned int personality):
        cdef bint fixed = personality & ADDR_NO_RANDOMIZE != 0
        cdef bytes drawn = posix.urandom(NR_DRAWS * sizeof(unsigned int) + RANDOM_SIZE)
        cdef unsigned int draw[NR_DRAWS]
        cdef unsigned long pad, gap
        memcpy(draw, <const char *> drawn, sizeof(draw))
        self.random = drawn[sizeof(draw):]
        if fixed:
            memset(draw, 0, sizeof(draw))
        self.stack_top = high - PAGE_SIZE - <unsigned long> (draw[0] % STACK_RANDOM_PAGES) * PAGE_SIZE
        pad = STACK_GUARD_GAP + (0 if fixed else <unsigned long> STACK_RANDOM_PAGES * PAGE_SIZE)
        gap = high // 6 * 5
        if stack_limit < gap - pad:
            gap = max(stack_limit + pad, <unsigned long> MIN_GAP)
        self.mmap_base = (high - gap - <unsigned long> (draw[1] % MMAP_RANDOM_PAGES) * PAGE_SIZE) // PAGE_SIZE * PAGE_SIZE
        self.program_base = high // 3 * 2 // PAGE_SIZE * PAGE_SIZE + <unsigned long> (draw[2] % MMAP_RANDOM_PAGES) * PAGE_SIZE
        self.brk_gap = <unsigned long> (draw[3] % BRK_RANDOM_PAGES) * PAGE_SIZE
        self.stack_shift = draw[4] % STACK_SHIFT
