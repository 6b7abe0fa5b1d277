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
    """struct rusage, 144 bytes; what we do not count is 0."""
    return struct.pack("<16q", *timeval(user_ns), *timeval(system_ns), maxrss, *[0] * 11) + bytes(16)


def pack_group(group, with_children):
    """A process, and for wait4 the children that it has waited for."""
    user, system = used(group)
    if with_children:
        user, system = user + group.cutime_ns, system + group.cstime_ns
    return pack(user, system, group.maxrss)


def pack_children(group):
    """RUSAGE_CHILDREN."""
    return pack(group.cutime_ns, group.cstime_ns, 0)


def pack_tms(group):
    """struct tms in clock ticks."""
    user, system = used(group)
    return struct.pack("<4q", *[value // NS_PER_TICK for value in (user, system, group.cutime_ns, group.cstime_ns)])
