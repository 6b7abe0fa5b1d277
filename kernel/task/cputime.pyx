# SPDX-License-Identifier: Apache-2.0
"""CPU time of guest processes: the host's own accounting of their stubs.

The host gives one figure for a process; it is shown as user time, since guest code is nearly all that a stub runs. What the kernel itself
spends on a process is not counted.
"""

from kernel.task.group cimport ThreadGroup
from kernel.task.task cimport Task

from kernel.time.clock import process_cpu_ns


def collect(ThreadGroup group):
    """Add what the living stub has used to the group's own figure; called once, before the stub is killed."""
    group.utime_ns += living(group)


cpdef long long living(ThreadGroup group) except? -1:
    """ns used by the stub of a process that still has one."""
    cdef Task task = next(iter(group.tasks.values()), None)
    if task is None or task.mm is None or task.mm.space is None or not task.mm.space.host_pid:
        return 0
    return process_cpu_ns(task.mm.space.host_pid)


cpdef tuple used(ThreadGroup group):
    """(user, system) ns of a process, dead threads included."""
    return group.utime_ns + (0 if group.zombie else living(group)), group.stime_ns
