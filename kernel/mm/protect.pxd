# SPDX-License-Identifier: Apache-2.0
# Changes of protection.

from kernel.mm.mm cimport MM
from kernel.task.task cimport Task

cpdef tuple mprotect(Task task, unsigned long start, unsigned long length, unsigned long prot)
cpdef list unprotect(MM mm, list undo)
