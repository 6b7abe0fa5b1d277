# SPDX-License-Identifier: Apache-2.0
"""getrlimit(2), setrlimit(2), prlimit(2)."""

from kernel.abi.errno cimport EINVAL, EPERM, ESRCH, Errno
from kernel.abi.task cimport CAP_SYS_RESOURCE, RLIM_NLIMITS, RLIMIT_CPU, RLIMIT_NOFILE
from kernel.syscalls.table cimport define
from kernel.task.creds cimport Creds
from kernel.task.group cimport ThreadGroup
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport Task

from kernel.time.posix_timers import watch_cpu_limit

cdef enum:
    NR_OPEN = 1048576

cdef struct Rlimit:
    unsigned long soft, hard


cdef int change(Task task, ThreadGroup group, unsigned int resource, unsigned long address) except -1:
    """Set both limits of a resource by the rules of setrlimit(2)."""
    cdef Rlimit new
    task.get(address, &new, sizeof(new))
    if new.soft > new.hard:
        raise Errno(EINVAL)
    if resource == RLIMIT_NOFILE and new.hard > NR_OPEN:
        raise Errno(EPERM)
    if new.hard > group.limits.hard(resource) and not task.creds.capable(CAP_SYS_RESOURCE):
        raise Errno(EPERM)
    group.limits.set(resource, new.soft, new.hard)
    if resource == RLIMIT_CPU:
        watch_cpu_limit(group)
    if resource == RLIMIT_NOFILE:
        for member in group.tasks.values():
            member.files.limit = new.soft
    return 0


cdef long sys_getrlimit(Task task, const unsigned long *args) except? -1:
    """getrlimit(2)."""
    cdef Rlimit now
    if <unsigned int> args[0] >= RLIM_NLIMITS:
        return -EINVAL
    now.soft, now.hard = task.group.limits.soft(<unsigned int> args[0]), task.group.limits.hard(<unsigned int> args[0])
    task.put(args[1], &now, sizeof(now))
    return 0


cdef long sys_setrlimit(Task task, const unsigned long *args) except? -1:
    """setrlimit(2)."""
    if <unsigned int> args[0] >= RLIM_NLIMITS:
        return -EINVAL
    return change(task, task.group, <unsigned int> args[0], args[1])


cdef long sys_prlimit64(Task task, const unsigned long *args) except? -1:
    """prlimit(2)."""
    cdef Task other = task
    if <unsigned int> args[1] >= RLIM_NLIMITS:
        return -EINVAL
    if <int> args[0]:
        other = (<Kernel> task.kernel).tasks.get(<int> args[0])
    if other is None:
        return -ESRCH
    if other is not task and not may_limit(task.creds, other.creds):
        return -EPERM
    return limit_of(task, other, <unsigned int> args[1], args[2], args[3])


define(97, "getrlimit(resource: UInt, address: Out)", sys_getrlimit)
define(160, "setrlimit(resource: UInt, address: Ptr)", sys_setrlimit)
define(302, "prlimit64(pid: Int, resource: UInt, new: Ptr, old: Out)", sys_prlimit64)


cdef bint may_limit(Creds mine, Creds theirs) except -1:
    """Somebody else's limits: of the same user and group, or by privilege."""
    if mine.uid == theirs.uid == theirs.euid == theirs.suid and mine.gid == theirs.gid == theirs.egid == theirs.sgid:
        return True
    return mine.capable(CAP_SYS_RESOURCE)


cdef long limit_of(Task task, Task other, unsigned int resource, unsigned long new, unsigned long old) except? -1:
    """Change the limit if there is a new one, and write what it was."""
    cdef Rlimit before
    before.soft, before.hard = other.group.limits.soft(resource), other.group.limits.hard(resource)
    if new:
        change(task, other.group, resource, new)
    if old:
        task.put(old, &before, sizeof(before))
    return 0
