# SPDX-License-Identifier: Apache-2.0
"""Scheduling calls (sched(7)): policies, priorities, affinity."""

import struct

from kernel.abi.errno import E2BIG, EACCES, EINVAL, EPERM, ESRCH, Errno
from kernel.abi.task import (
    CAP_SYS_NICE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    SCHED_BATCH,
    SCHED_DEADLINE,
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_OTHER,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from kernel.syscalls.kinds import Int, Out, Ptr, UInt
from kernel.syscalls.table import syscall

REALTIME = (SCHED_FIFO, SCHED_RR)
TIME_SHARING = (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE)
SCHED_ATTR_SIZE = 56


def task_of(task, pid):
    """The task `pid`, or the caller for 0."""
    if pid < 0:
        raise Errno(EINVAL)
    other = task if pid == 0 else task.kernel.tasks.get(pid)
    if other is None:
        raise Errno(ESRCH)
    return other


def check_owner(task, other, error=EPERM):
    """Others' attributes need the same user or CAP_SYS_NICE."""
    if task.creds.euid not in (other.creds.uid, other.creds.euid) and not task.creds.capable(CAP_SYS_NICE):
        raise Errno(error)


@syscall(24)
def sys_sched_yield(task):
    """sched_yield(2): the trip to the kernel has yielded already."""
    return 0


@syscall(140)
def sys_getpriority(task, which: Int, who: Int):
    """getpriority(2): 20 - nice of the best of those named."""
    return max(20 - other.nice for other in named(task, which, who))


def named(task, which, who):
    """The tasks that getpriority and setpriority name."""
    kernel = task.kernel
    if which == 0:
        return [task_of(task, who)]
    if which == 1:
        pgrp = task.group.pgrp if who == 0 else kernel.pgrps.get(who)
        found = [member.leader for member in pgrp.members] if pgrp else []
    elif which == 2:
        uid = task.creds.uid if who == 0 else who
        found = [other for other in kernel.tasks.values() if other.creds.uid == uid]
    else:
        raise Errno(EINVAL)
    if not found:
        raise Errno(ESRCH)
    return found


@syscall(141)
def sys_setpriority(task, which: Int, who: Int, nice: Int):
    """setpriority(2)."""
    nice = min(max(nice, -20), 19)
    for other in named(task, which, who):
        check_owner(task, other)
        if nice < other.nice and 20 - nice > task.group.limits.soft(RLIMIT_NICE) and not task.creds.capable(CAP_SYS_NICE):
            raise Errno(EACCES)
        other.nice = nice


@syscall(142)
def sys_sched_setparam(task, pid: Int, address: Ptr):
    """sched_setparam(2)."""
    if not address:
        raise Errno(EINVAL)
    other = task_of(task, pid)
    priority = struct.unpack("<i", task.copy_in(address, 4))[0]
    set_policy(task, other, other.sched.policy, priority, other.sched.reset_on_fork)


@syscall(143)
def sys_sched_getparam(task, pid: Int, address: Out):
    """sched_getparam(2)."""
    if not address:
        raise Errno(EINVAL)
    task.copy_out(address, struct.pack("<i", task_of(task, pid).sched.priority))


def set_policy(task, other, policy, priority, reset_on_fork):
    """Check and set: real-time policies take 1 to 99, the others 0."""
    if policy not in REALTIME + TIME_SHARING or not (1 <= priority <= 99 if policy in REALTIME else priority == 0):
        raise Errno(EINVAL)
    check_owner(task, other)
    if policy in REALTIME and not task.creds.capable(CAP_SYS_NICE) and priority > task.group.limits.soft(RLIMIT_RTPRIO):
        raise Errno(EPERM)
    other.sched = other.sched.changed(policy=policy, priority=priority, reset_on_fork=reset_on_fork)


@syscall(144)
def sys_sched_setscheduler(task, pid: Int, policy: Int, address: Ptr):
    """sched_setscheduler(2)."""
    if not address or policy < 0:
        raise Errno(EINVAL)
    other = task_of(task, pid)
    priority = struct.unpack("<i", task.copy_in(address, 4))[0]
    set_policy(task, other, policy & ~SCHED_RESET_ON_FORK, priority, bool(policy & SCHED_RESET_ON_FORK))


@syscall(145)
def sys_sched_getscheduler(task, pid: Int):
    """sched_getscheduler(2)."""
    sched = task_of(task, pid).sched
    return sched.policy | (SCHED_RESET_ON_FORK if sched.reset_on_fork else 0)


@syscall(146)
def sys_sched_get_priority_max(task, policy: Int):
    """sched_get_priority_max(2)."""
    if policy not in REALTIME + TIME_SHARING + (SCHED_DEADLINE,):
        raise Errno(EINVAL)
    return 99 if policy in REALTIME else 0


@syscall(147)
def sys_sched_get_priority_min(task, policy: Int):
    """sched_get_priority_min(2)."""
    if policy not in REALTIME + TIME_SHARING + (SCHED_DEADLINE,):
        raise Errno(EINVAL)
    return 1 if policy in REALTIME else 0


@syscall(148)
def sys_sched_rr_get_interval(task, pid: Int, address: Out):
    """sched_rr_get_interval(2)."""
    sched = task_of(task, pid).sched
    task.copy_out(address, struct.pack("<2q", 0, 100000000 if sched.policy == SCHED_RR else 0 if sched.policy == SCHED_FIFO else 4000000))


@syscall(203, partial="the mask is kept and answered; the host decides where threads run")
def sys_sched_setaffinity(task, pid: Int, length: UInt, address: Ptr):
    """sched_setaffinity(2)."""
    other = task_of(task, pid)
    mask = int.from_bytes(task.copy_in(address, min(length, 1024)), "little") & task.kernel.machine.cpu_mask
    check_owner(task, other)
    if not mask:
        raise Errno(EINVAL)
    other.sched = other.sched.changed(affinity=mask)


@syscall(204)
def sys_sched_getaffinity(task, pid: Int, length: UInt, address: Out):
    """sched_getaffinity(2): answers how many bytes it wrote."""
    other = task_of(task, pid)
    if length * 8 < task.kernel.machine.nr_cpus or length % 8:
        raise Errno(EINVAL)
    size = (task.kernel.machine.nr_cpus + 63) // 64 * 8
    task.copy_out(address, other.sched.affinity.to_bytes(size, "little"))
    return size


@syscall(314, partial="no SCHED_DEADLINE")
def sys_sched_setattr(task, pid: Int, address: Ptr, flags: UInt):
    """sched_setattr(2)."""
    if not address or flags:
        raise Errno(EINVAL)
    size = struct.unpack("<I", task.copy_in(address, 4))[0] or 48
    if size < 48 or size > 4096:
        task.copy_out(address, struct.pack("<I", SCHED_ATTR_SIZE))
        raise Errno(E2BIG)
    _, policy, attr_flags, nice, priority = struct.unpack("<IIQiI", task.copy_in(address, 24))
    other = task_of(task, pid)
    set_policy(task, other, policy, priority, bool(attr_flags & 1))
    if policy in TIME_SHARING:
        other.nice = min(max(nice, -20), 19)


@syscall(315)
def sys_sched_getattr(task, pid: Int, address: Out, size: UInt, flags: UInt):
    """sched_getattr(2)."""
    if not address or flags or size < 48 or size > 4096:
        raise Errno(EINVAL)
    other = task_of(task, pid)
    sched = other.sched
    data = struct.pack("<IIQiIQQQII", SCHED_ATTR_SIZE, sched.policy, int(sched.reset_on_fork), other.nice, sched.priority, 0, 0, 0, 0, 1024)
    task.copy_out(address, data[: min(size, SCHED_ATTR_SIZE)])


@syscall(251)
def sys_ioprio_set(task, which: Int, who: Int, value: Int):
    """ioprio_set(2): checked, without effect, as on a device without an elevator."""
    if which not in (1, 2, 3):
        raise Errno(EINVAL)
    if value >> 13 not in (0, 1, 2, 3) or value & 0x1FFF > 7:
        raise Errno(EINVAL)
    if which == 1:
        task_of(task, who)


@syscall(252)
def sys_ioprio_get(task, which: Int, who: Int):
    """ioprio_get(2): the default, best effort 4."""
    if which not in (1, 2, 3):
        raise Errno(EINVAL)
    if which == 1:
        task_of(task, who)
    return 0
