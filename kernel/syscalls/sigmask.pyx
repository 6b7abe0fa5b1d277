# SPDX-License-Identifier: Apache-2.0
"""The temporary signal mask of ppoll(2), pselect(2) and epoll_pwait(2).

If the call ends by itself the kernel puts the old mask back before it looks at signals (Task.restore_blocked). If a handler runs,
its frame keeps the old mask, so it holds again when the handler returns.
"""

from kernel.abi.errno cimport EINVAL, Errno
from kernel.abi.signal cimport SIGKILL, SIGSTOP

cdef enum:
    SIGSET_SIZE = 8

cdef unsigned long NEVER_BLOCKED = 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1)


cdef int set_temporary_mask(Task task, unsigned long address, unsigned long size) except -1:
    """Block the signals of the set at address until the call ends; nothing if address is NULL. EINVAL, EFAULT."""
    cdef unsigned long mask = 0
    if address == 0:
        return 0
    if size != SIGSET_SIZE:
        raise Errno(EINVAL)
    task.get(address, &mask, sizeof(mask))
    task.saved_blocked = task.blocked
    task.restore_blocked = True
    task.blocked = mask & ~NEVER_BLOCKED
    return 0
