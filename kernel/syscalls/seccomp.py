# SPDX-License-Identifier: Apache-2.0
"""seccomp(2): a process restricts its own system calls. kernel.task.seccomp judges them."""

import struct

from kernel.abi.errno import EACCES, EFAULT, EINVAL, EOPNOTSUPP, ESRCH, Errno
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.syscalls.kinds import Ptr, UInt
from kernel.syscalls.table import syscall
from kernel.task.seccomp import Filter, strict

MODE_STRICT, MODE_FILTER = 1, 2
SET_MODE_STRICT, SET_MODE_FILTER, GET_ACTION_AVAIL = 0, 1, 2
FLAG_TSYNC, FLAG_LOG, FLAG_SPEC_ALLOW, FLAG_TSYNC_ESRCH = 1, 2, 4, 16
ACTIONS = (0x80000000, 0, 0x30000, 0x50000, 0x7FFC0000, 0x7FFF0000)  # KILL_PROCESS KILL_THREAD TRAP ERRNO LOG ALLOW
MAX_INSTRUCTIONS = 4096
INSTRUCTION_SIZE = 8


@syscall(317, partial="no user notification, no TRACE; futex and sched_yield pass every filter")
def sys_seccomp(task, operation: UInt, flags: UInt, arguments: Ptr):
    """seccomp(2)."""
    if operation == SET_MODE_STRICT and not flags and not arguments:
        return set_strict(task)
    if operation == SET_MODE_FILTER:
        return set_filter(task, flags, arguments)
    if operation == GET_ACTION_AVAIL and not flags:
        if int.from_bytes(task.copy_in(arguments, 4), "little") not in ACTIONS:
            raise Errno(EOPNOTSUPP)
        return 0
    raise Errno(EINVAL)


def set_strict(task):
    """Only read, write, exit and rt_sigreturn from now on."""
    if task.seccomp is not None and task.seccomp.mode != MODE_STRICT:
        raise Errno(EINVAL)
    attach(task, strict())


def set_filter(task, flags, address):
    """One more program; with TSYNC for all threads, or the number of one that has gone its own way."""
    if flags & ~(FLAG_TSYNC | FLAG_LOG | FLAG_SPEC_ALLOW | FLAG_TSYNC_ESRCH):
        raise Errno(EINVAL)
    length, program = struct.unpack("<H6xQ", task.copy_in(address, 16))
    if not 0 < length <= MAX_INSTRUCTIONS:
        raise Errno(EINVAL)
    if not task.no_new_privs and not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EACCES)
    if not program:
        raise Errno(EFAULT)
    if task.seccomp is not None and task.seccomp.mode != MODE_FILTER:
        raise Errno(EINVAL)
    new = Filter(task.copy_in(program, length * INSTRUCTION_SIZE), task.seccomp)
    if flags & FLAG_TSYNC:
        return share(task, new, flags)
    attach(task, new)
    return 0


def attach(task, filters):
    """From now on; what its thread answered by itself comes here again."""
    task.seccomp = filters
    task.tell_ids()


def share(task, new, flags):
    """SECCOMP_FILTER_FLAG_TSYNC: every thread's filters must be among the caller's."""
    others = [other for other in task.group.tasks.values() if other is not task]
    for other in others:
        if other.seccomp is not None and not new.descends_from(other.seccomp):
            if flags & FLAG_TSYNC_ESRCH:
                raise Errno(ESRCH)
            return other.tid
    for other in (*others, task):
        attach(other, new)
        other.no_new_privs = other.no_new_privs or task.no_new_privs
    return 0
