# SPDX-License-Identifier: Apache-2.0
"""Where things lie in a new address space: random places, as arch/x86/mm/mmap.c chooses them. The host's own randomisation plays no part.

Amounts: programs and mmap_base 28 bits of pages, stack 22 bits of pages, heap 13 bits of pages.
"""

import posix

from kernel.abi.mm import ADDR_NO_RANDOMIZE, PAGE_SIZE

MMAP_RANDOM_PAGES = 1 << 28
STACK_RANDOM_PAGES = 1 << 22
BRK_RANDOM_PAGES = 1 << 13
STACK_SHIFT = 8192
MIN_GAP = 128 << 20
STACK_GUARD_GAP = 1 << 20


class Layout:
    """One draw of random places below `high`."""

    __slots__ = ("brk_gap", "mmap_base", "program_base", "stack_shift", "stack_top")

    def __init__(self, high, stack_limit, personality):
        fixed = personality & ADDR_NO_RANDOMIZE
        draw = [0] * 5 if fixed else [int.from_bytes(posix.urandom(4), "little") for _ in range(5)]
        self.stack_top = high - PAGE_SIZE - draw[0] % STACK_RANDOM_PAGES * PAGE_SIZE
        pad = STACK_GUARD_GAP + (0 if fixed else STACK_RANDOM_PAGES * PAGE_SIZE)
        gap = min(max(stack_limit + pad, MIN_GAP), high // 6 * 5)
        self.mmap_base = (high - gap - draw[1] % MMAP_RANDOM_PAGES * PAGE_SIZE) // PAGE_SIZE * PAGE_SIZE
        self.program_base = high // 3 * 2 // PAGE_SIZE * PAGE_SIZE + draw[2] % MMAP_RANDOM_PAGES * PAGE_SIZE
        self.brk_gap = draw[3] % BRK_RANDOM_PAGES * PAGE_SIZE
        self.stack_shift = draw[4] % STACK_SHIFT
