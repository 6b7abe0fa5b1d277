# SPDX-License-Identifier: Apache-2.0
# Checks that mmap and its neighbours share.

from kernel.mm.mm cimport MM


cpdef unsigned long page_align(unsigned long length)                             # 0 when that overflows
cpdef int check_sealed(MM mm, unsigned long start, unsigned long end) except -1
cpdef int check_space(MM mm, task, unsigned long address, unsigned long length, int prot, unsigned int flags) except -1
cpdef bint can_lock(task)
