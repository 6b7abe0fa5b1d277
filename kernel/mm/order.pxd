# SPDX-License-Identifier: Apache-2.0
# Host calls that follow a change of the VMA tree.

from kernel.mm.mm cimport MM, VMA
from kernel.task.task cimport Task

cpdef long order(Task task, list calls, long result, object failed=*) except? -1
cpdef tuple map_call(VMA vma, int populate=*)
cpdef tuple unmap_call(unsigned long start, unsigned long end)
cpdef tuple protect_call(unsigned long start, unsigned long end, int prot)
cpdef int put_files(list vmas) except -1
cpdef int put_back(MM mm, unsigned long start, unsigned long end, list saved) except -1
cpdef unsigned long soft_limit(Task task, unsigned int resource) noexcept
