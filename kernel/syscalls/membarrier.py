# SPDX-License-Identifier: Apache-2.0
"""membarrier(2): the private expedited barriers, by the host's own membarrier in the guest's thread.

MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE is the only shape that stubs may use; it includes the plain barrier. Absent: global
barriers, which would have to reach other address spaces; the query says so.
"""

from kernel.abi.errno import EINVAL, EPERM, Errno
from kernel.abi.mm import (
    HOST_MEMBARRIER,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
    MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
)
from kernel.syscalls.kinds import Int, UInt
from kernel.syscalls.table import syscall

SUPPORTED = (
    MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
)


@syscall(324, partial="no global barriers, no MEMBARRIER_CMD_*_RSEQ")
def sys_membarrier(task, cmd: Int, flags: UInt, cpu_id: Int):
    """membarrier(2)."""
    mm = task.mm
    if flags:
        raise Errno(EINVAL)
    if cmd == MEMBARRIER_CMD_QUERY:
        return SUPPORTED
    if cmd == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
        mm.membarrier_ready = True
        return 0
    if cmd == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        mm.membarrier_sync_core = True
        return 0
    if cmd not in (MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE):
        raise Errno(EINVAL)
    if not (mm.membarrier_ready if cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED else mm.membarrier_sync_core):
        raise Errno(EPERM)
    return task.host_calls([(HOST_MEMBARRIER, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0)], 0)
