# SPDX-License-Identifier: Apache-2.0
"""struct rusage and struct tms of processes."""

import struct

from kernel.task.cputime import used

NS_PER_US = 1000
NS_PER_TICK = 10000000


def timeval(nanoseconds):
    """(seconds, microseconds)."""
    return nanoseconds // 1000000000, nanoseconds % 1000000000 // NS_PER_US


def pack(user_ns, system_ns, maxrss):
    """struct rusage, 144 bytes; what nobody counts is 0."""
    return struct.pack("<16q", *timeval(user_ns), *timeval(system_ns), maxrss, *[0] * 11) + bytes(16)


def note_maxrss(group, mm):
    """The most memory that it had, as far as we can tell: what is mapped and likely touched, until the host gives its own figure."""
    add_maxrss(group, (mm.data_vm // 8 + mm.stack_vm + mm.exec_vm // 2) >> 10)


def add_maxrss(group, kibibytes):
    """The host's figure, or a larger guess than before."""
    group.maxrss = max(group.maxrss, kibibytes)


def pack_group(group, with_children):
    """A process, and for wait4 the children that it has waited for."""
    user, system = used(group)
    if with_children:
        user, system = user + group.cutime_ns, system + group.cstime_ns
    mm = next((task.mm for task in group.tasks.values() if task.mm is not None), None)
    if mm is not None:
        note_maxrss(group, mm)
    return pack(user, system, max(group.maxrss, group.maxrss_children) if with_children else group.maxrss)


def pack_children(group):
    """RUSAGE_CHILDREN."""
    return pack(group.cutime_ns, group.cstime_ns, group.maxrss_children)


def pack_tms(group):
    """struct tms in clock ticks."""
    user, system = used(group)
    return struct.pack("<4q", *[value // NS_PER_TICK for value in (user, system, group.cutime_ns, group.cstime_ns)])
