# SPDX-License-Identifier: Apache-2.0
"""Resource limits of a process (getrlimit(2))."""

from kernel.abi.task import (
    RLIM_NLIMITS,
    RLIMIT_CORE,
    RLIMIT_MEMLOCK,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_RTPRIO,
    RLIMIT_SIGPENDING,
    RLIMIT_STACK,
)

RLIM_INFINITY = 0xFFFFFFFFFFFFFFFF

DEFAULTS = {
    RLIMIT_CORE: (0, RLIM_INFINITY),
    RLIMIT_STACK: (8 << 20, RLIM_INFINITY),
    RLIMIT_NOFILE: (1024, 1048576),
    RLIMIT_MEMLOCK: (8 << 20, 8 << 20),
    RLIMIT_SIGPENDING: (31000, 31000),
    RLIMIT_MSGQUEUE: (819200, 819200),
    RLIMIT_NICE: (0, 0),
    RLIMIT_RTPRIO: (0, 0),
}


class Limits:
    """Soft and hard limit of each resource."""

    def __init__(self, values=None):
        self.values = values or [DEFAULTS.get(number, (RLIM_INFINITY, RLIM_INFINITY)) for number in range(RLIM_NLIMITS)]

    def soft(self, resource):
        """What is enforced."""
        return self.values[resource][0]

    def hard(self, resource):
        """The ceiling for the soft limit."""
        return self.values[resource][1]

    def copy(self):
        """For fork."""
        return Limits(list(self.values))
