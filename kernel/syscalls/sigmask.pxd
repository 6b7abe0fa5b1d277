# SPDX-License-Identifier: Apache-2.0
# The signal mask that ppoll, pselect and epoll_pwait have while they wait.

from kernel.task.task cimport Task

cdef int set_temporary_mask(Task task, unsigned long address, unsigned long size) except -1
