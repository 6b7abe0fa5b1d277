# SPDX-License-Identifier: Apache-2.0
"""Resource limits of a process (getrlimit(2))."""

from libc.string cimport memcpy

from kernel.abi.task cimport (
    RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK,
)

RLIM_INFINITY = 0xFFFFFFFFFFFFFFFF

cdef dict DEFAULTS = {
    RLIMIT_CORE: (0, RLIM_INFINITY),
    RLIMIT_STACK: (8 << 20, RLIM_INFINITY),
    RLIMIT_NOFILE: (1024, 1048576),
    RLIMIT_MEMLOCK: (8 << 20, 8 << 20),
    RLIMIT_SIGPENDING: (31000, 31000),
    RLIMIT_MSGQUEUE: (819200, 819200),
    RLIMIT_NICE: (0, 0),
    RLIMIT_RTPRIO: (0, 0),
}


cdef class Limits:
    """Soft and hard limit of each resource."""

    def __init__(self):
        for number in range(RLIM_NLIMITS):
            self.set(number, *DEFAULTS.get(number, (RLIM_INFINITY, RLIM_INFINITY)))

    cpdef unsigned long soft(self, unsigned int resource) noexcept:
        """What is enforced."""
        return self.softs[resource] if resource < RLIM_NLIMITS else 0

    cpdef unsigned long hard(self, unsigned int resource) noexcept:
        """The ceiling for the soft limit."""
        return self.hards[resource] if resource < RLIM_NLIMITS else 0

    cpdef set(self, unsigned int resource, unsigned long soft, unsigned long hard):
        """Both; a resource that there isn't is an IndexError."""
        if resource >= RLIM_NLIMITS:
            raise IndexError(resource)
        self.softs[resource], self.hards[resource] = soft, hard

    cpdef Limits copy(self):
        """For fork."""
        cdef Limits new = Limits.__new__(Limits)
        memcpy(new.softs, self.softs, sizeof(self.softs))
        memcpy(new.hards, self.hards, sizeof(self.hards))
        return new
