# SPDX-License-Identifier: Apache-2.0
# Making tasks.

from kernel.task.task cimport Task

cpdef long do_clone(Task task, unsigned long flags, int exit_signal, unsigned long stack, unsigned long parent_tid, unsigned long child_tid,
                    unsigned long tls, unsigned long pidfd) except? -1
