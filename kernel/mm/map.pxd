# SPDX-License-Identifier: Apache-2.0
# Checks that mmap and its neighbours share.

from kernel.mm.mm cimport MM
from kernel.task.task cimport Task


cpdef unsigned long page_align(unsigned long length)                             # 0 when that overflows
cpdef int check_sealed(MM mm, unsigned long start, unsigned long end) except -1
cpdef int check_space(MM mm, Task task, unsigned long address, unsigned long length, int prot, unsigned int flags) except -1
cpdef bint can_lock(Task task)
cpdef tuple mmap(Task task, unsigned long address, unsigned long length, int prot, unsigned int flags, object file, unsigned long offset)
cpdef tuple munmap(Task task, unsigned long address, unsigned long length)
cpdef tuple unmap(MM mm, Task task, unsigned long start, unsigned long end)
cpdef tuple brk(Task task, unsigned long address)
cpdef int check_huge(unsigned int flags) except -1
