# SPDX-License-Identifier: Apache-2.0
"""getrlimit(2), setrlimit(2), prlimit(2)."""

import struct

from kernel.abi.errno import EINVAL, EPERM, ESRCH, Errno
from kernel.abi.task import CAP_SYS_RESOURCE, RLIM_NLIMITS, RLIMIT_CPU, RLIMIT_NOFILE
from kernel.syscalls.kinds import Int, Out, Ptr, UInt
from kernel.syscalls.table import syscall
from kernel.time.posix_timers import watch_cpu_limit

NR_OPEN = 1048576


def check_resource(resource):
    """A known resource."""
    if resource >= RLIM_NLIMITS:
        raise Errno(EINVAL)


def change(task, group, resource, new):
    """Set both limits of a resource by the rules of setrlimit(2)."""
    soft, hard = new
    if soft > hard:
        raise Errno(EINVAL)
    if resource == RLIMIT_NOFILE and hard > NR_OPEN:
        raise Errno(EPERM)
    if hard > group.limits.hard(resource) and not task.creds.capable(CAP_SYS_RESOURCE):
        raise Errno(EPERM)
    group.limits.set(resource, soft, hard)
    if resource == RLIMIT_CPU:
        watch_cpu_limit(group)
    if resource == RLIMIT_NOFILE:
        for member in group.tasks.values():
            member.files.limit = soft


@syscall(97)
def sys_getrlimit(task, resource: UInt, address: Out):
    """getrlimit(2)."""
    check_resource(resource)
    task.copy_out(address, struct.pack("<2Q", task.group.limits.soft(resource), task.group.limits.hard(resource)))


@syscall(160)
def sys_setrlimit(task, resource: UInt, address: Ptr):
    """setrlimit(2)."""
    check_resource(resource)
    change(task, task.group, resource, struct.unpack("<2Q", task.copy_in(address, 16)))


@syscall(302)
def sys_prlimit64(task, pid: Int, resource: UInt, new: Ptr, old: Out):
    """prlimit(2)."""
    check_resource(resource)
    other = task if pid == 0 else task.kernel.tasks.get(pid)
    if other is None:
        raise Errno(ESRCH)
    mine, theirs = task.creds, other.creds
    same = mine.uid == theirs.uid == theirs.euid == theirs.suid and mine.gid == theirs.gid == theirs.egid == theirs.sgid
    if other is not task and not same and not mine.capable(CAP_SYS_RESOURCE):
        raise Errno(EPERM)
    before = other.group.limits.soft(resource), other.group.limits.hard(resource)
    if new:
        change(task, other.group, resource, struct.unpack("<2Q", task.copy_in(new, 16)))
    if old:
        task.copy_out(old, struct.pack("<2Q", *before))
