# SPDX-License-Identifier: Apache-2.0
# The end of tasks and processes.

from kernel.platform.platform cimport GuestThread, Space
from kernel.task.group cimport ThreadGroup
from kernel.task.task cimport Task

cpdef int group_exit(ThreadGroup group, int status) except -1    # status as wait reports it
cpdef int task_exit(Task task, int code) except -1               # exit(2) of one thread
cpdef int end_task(Task task, bint host_thread_exits) except -1
cpdef release_vfork_parent(Task task)
cdef int drop_thread(Task task) except -1
cdef int end_born_dead(GuestThread thread) except -1
cdef int space_died(object kernel, Space space, int wait_status) except -1
cpdef int reap(ThreadGroup group) except -1
