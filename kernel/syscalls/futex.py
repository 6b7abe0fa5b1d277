# SPDX-License-Identifier: Apache-2.0
"""futex(2) beyond native waiting and waking, and robust lists."""

import struct

from kernel.abi.errno import EFAULT, EINVAL, ENOSYS, EPERM, ESRCH, Errno
from kernel.abi.mm import (
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from kernel.sync import futex, futex_pi
from kernel.syscalls.access import may_access
from kernel.syscalls.kinds import Int, Out, Ptr, Size, UInt, ULong
from kernel.syscalls.table import missing, syscall

ROBUST_HEAD_SIZE = 24
NATIVE = (FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP)
LOCKING = (FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI)


@syscall(202, partial="no FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI; priorities are not inherited")
def sys_futex(task, uaddr: ULong, op: Int, val: UInt, timeout: ULong, uaddr2: ULong, val3: UInt):
    """futex(2)."""
    command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
    private = bool(op & FUTEX_PRIVATE_FLAG)
    if op & FUTEX_CLOCK_REALTIME and command not in (FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI2):
        raise Errno(ENOSYS)
    if command in LOCKING:
        return lock_call(task, uaddr, command, op, timeout, private)
    if command in NATIVE:
        return futex.native(task, (uaddr, op & 0xFFFFFFFF, val, timeout, uaddr2, val3))
    raise Errno(ENOSYS)


def lock_call(task, uaddr, command, op, timeout, private):
    """The priority-inheriting operations."""
    if task.progress is not None:
        return futex_pi.go_on(task, task.progress)
    key = futex.key_of(task, uaddr, private)
    if command == FUTEX_UNLOCK_PI:
        return futex_pi.unlock(task, key, uaddr)
    if command == FUTEX_TRYLOCK_PI:
        return futex_pi.lock(task, key, uaddr, -1, False)
    realtime = command == FUTEX_LOCK_PI or bool(op & FUTEX_CLOCK_REALTIME)
    return futex_pi.lock(task, key, uaddr, deadline(task, timeout, realtime), True)


def deadline(task, address, realtime):
    """An absolute timespec as nanoseconds of the monotonic clock; -1 for NULL."""
    if not address:
        return -1
    seconds, nanoseconds = struct.unpack("<qq", task.copy_in(address, 16))
    if seconds < 0 or not 0 <= nanoseconds < 1000000000:
        raise Errno(EINVAL)
    when = min(seconds, 1 << 33) * 1000000000 + nanoseconds
    if realtime:
        clock = task.kernel.clock
        when += clock.monotonic_ns() - clock.realtime_ns()
    return max(when, 0)


@syscall(273)
def sys_set_robust_list(task, head: Ptr, length: Size):
    """set_robust_list(2)."""
    if length != ROBUST_HEAD_SIZE:
        raise Errno(EINVAL)
    task.set_robust_list(head)


@syscall(274)
def sys_get_robust_list(task, pid: Int, head: Out, length: Out):
    """get_robust_list(2)."""
    other = task.kernel.tasks.get(pid) if pid else task
    if other is None:
        raise Errno(ESRCH)
    if not may_access(task, other):
        raise Errno(EPERM)
    if not task.writable(head, 8) or not task.writable(length, 8):
        raise Errno(EFAULT)
    other.find_robust_list()
    task.copy_out(length, ROBUST_HEAD_SIZE.to_bytes(8, "little"))
    task.copy_out(head, other.robust_list.to_bytes(8, "little"))


missing(449, "futex_waitv", "several futexes at once can't be waited for natively")
missing(454, "futex_wake", "futex(2) is there")
missing(455, "futex_wait", "futex(2) is there")
missing(456, "futex_requeue", "futex(2) is there")
