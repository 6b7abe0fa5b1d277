# SPDX-License-Identifier: Apache-2.0
"""struct rusage and struct tms of processes."""

from libc.string cimport memset

from kernel.mm.mm cimport MM
from kernel.task.group cimport ThreadGroup
from kernel.task.task cimport Task

from kernel.task.cputime import used

cdef enum:
    NS_PER_US = 1000
    NS_PER_TICK = 10000000
    RUSAGE_WORDS = 18

cdef long long NS = 1000000000


cdef bytes pack(long long user_ns, long long system_ns, long maxrss):
    """struct rusage, 144 bytes; what nobody counts is 0."""
    cdef long words[RUSAGE_WORDS]
    memset(words, 0, sizeof(words))
    words[0], words[1] = user_ns // NS, user_ns % NS // NS_PER_US
    words[2], words[3] = system_ns // NS, system_ns % NS // NS_PER_US
    words[4] = maxrss
    return (<char *> words)[:sizeof(words)]


cpdef note_maxrss(ThreadGroup group, MM mm):
    """The most memory that it had, as far as we can tell: what is mapped and likely touched, until the host gives its own figure."""
    add_maxrss(group, (mm.data_vm // 8 + mm.stack_vm + mm.exec_vm // 2) >> 10)


cpdef add_maxrss(ThreadGroup group, long kibibytes):
    """The host's figure, or a larger guess than before."""
    group.maxrss = max(group.maxrss, kibibytes)


cpdef bytes pack_group(ThreadGroup group, bint with_children):
    """A process, and for wait4 the children that it has waited for."""
    cdef Task task
    cdef MM mm = None
    cdef long long user, system
    user, system = used(group)
    if with_children:
        user, system = user + group.cutime_ns, system + group.cstime_ns
    for task in group.tasks.values():
        if task.mm is not None:
            mm = task.mm
            break
    if mm is not None:
        note_maxrss(group, mm)
    return pack(user, system, max(group.maxrss, group.maxrss_children) if with_children else group.maxrss)


cpdef bytes pack_children(ThreadGroup group):
    """RUSAGE_CHILDREN."""
    return pack(group.cutime_ns, group.cstime_ns, group.maxrss_children)


cpdef bytes pack_tms(ThreadGroup group):
    """struct tms in clock ticks."""
    cdef long words[4]
    cdef long long user, system
    user, system = used(group)
    words[0], words[1], words[2], words[3] = user, system, group.cutime_ns, group.cstime_ns
    for i in range(4):
        words[i] //= NS_PER_TICK
    return (<char *> words)[:sizeof(words)]
