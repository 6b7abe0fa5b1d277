# SPDX-License-Identifier: Apache-2.0
"""wait4(2) and waitid(2)."""

from kernel.abi.errno import EAGAIN, EBADF, EINVAL, ESRCH, Errno
from kernel.abi.fs import O_NONBLOCK
from kernel.abi.task import P_ALL, P_PGID, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED
from kernel.syscalls.kinds import Int, Out, UInt
from kernel.syscalls.table import syscall
from kernel.task.rusage import pack_children, pack_group
from kernel.task.wait import wait_for

WCLONE_ALL_NOTHREAD = 0xE0000000


@syscall(61)
def sys_wait4(task, pid: Int, status: Out, options: UInt, usage: Out):
    """wait4(2)."""
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | WCLONE_ALL_NOTHREAD):
        raise Errno(EINVAL)
    if pid == -(1 << 31):
        raise Errno(ESRCH)
    kind, number = (P_ALL, 0) if pid == -1 else (P_PGID, -pid if pid else task.group.pgrp.pgid) if pid <= 0 else (P_PID, pid)
    event = wait_for(task, kind, number, options | WEXITED)
    if event is None:
        return 0
    if isinstance(event, int):
        return event
    child, _, wait_status = event
    if status:
        task.copy_out(status, wait_status.to_bytes(4, "little"))
    if usage:
        task.copy_out(usage, pack_group(child, True))
    return child.pid


@syscall(247)
def sys_waitid(task, kind: Int, number: Int, info: Out, options: UInt, usage: Out):
    """waitid(2)."""
    if options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WCLONE_ALL_NOTHREAD):
        raise Errno(EINVAL)
    if not options & (WEXITED | WSTOPPED | WCONTINUED):
        raise Errno(EINVAL)
    never_wait = False
    if kind == P_PIDFD:
        never_wait = bool(task.files.get(number).flags & O_NONBLOCK)
        kind, number = P_PID, pid_of(task, number)
    elif kind not in (P_ALL, P_PID, P_PGID) or (kind == P_PID and number <= 0) or number < 0:
        raise Errno(EINVAL)
    elif kind == P_PGID and number == 0:
        number = task.group.pgrp.pgid
    event = wait_for(task, kind, number, options | WNOHANG if never_wait else options)
    if isinstance(event, int):
        return event
    if event is None and not options & WNOHANG:
        raise Errno(EAGAIN)
    if info:
        task.copy_out(info, waitid_info(event))
    if usage and event is not None:
        task.copy_out(usage, pack_group(event[0], True))
    return 0


def waitid_info(event):
    """What waitid writes of siginfo_t: everything up to si_status."""
    if event is None:
        return bytes(128)
    return event[1].pack()[:28] + bytes(100)


def pid_of(task, fd):
    """The process behind a pidfd."""
    group = getattr(task.files.get(fd), "group", None)
    if group is None:
        raise Errno(EBADF)
    return group.pid


@syscall(98)
def sys_getrusage(task, who: Int, usage: Out):
    """getrusage(2)."""
    if who == -1:
        task.copy_out(usage, pack_children(task.group))
    elif who in (0, 1):
        task.copy_out(usage, pack_group(task.group, False))
    else:
        raise Errno(EINVAL)
