# SPDX-License-Identifier: Apache-2.0
# Host calls that a task's own host thread makes: see Task.host_calls.

from kernel.task.kernel cimport Kernel
from kernel.task.task cimport Task

cdef long order_calls(Kernel kernel, Task task, list calls, long result, object then, object failed) except? -1
