# SPDX-License-Identifier: Apache-2.0
# Sending signals.

from kernel.signal.pending cimport SigInfo
from kernel.task.group cimport ProcessGroup, ThreadGroup
from kernel.task.task cimport Task

cpdef int send_to_task(Task task, SigInfo info) except -1            # tkill: to that thread
cpdef int send_to_group(ThreadGroup group, SigInfo info) except -1   # kill: to the process
cpdef int send_to_pgrp(ProcessGroup pgrp, SigInfo info) except -1
cdef int force(Task task, SigInfo info) except -1                    # a fault: can't be blocked or ignored
