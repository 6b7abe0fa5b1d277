# SPDX-License-Identifier: Apache-2.0
"""wait4(2) and waitid(2)."""

from kernel.abi.errno cimport EAGAIN, EBADF, EINVAL, ESRCH, Errno
from kernel.abi.fs cimport O_NONBLOCK
from kernel.abi.task cimport P_ALL, P_PGID, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED
from kernel.syscalls.table cimport define
from kernel.task.group cimport ThreadGroup
from kernel.task.task cimport Task

from kernel.syscalls.kinds import Int, Out, UInt
from kernel.syscalls.table import syscall
from kernel.task.rusage import pack_children, pack_group
from kernel.task.wait import wait_for

cdef unsigned int WCLONE_ALL_NOTHREAD = 0xE0000000


cdef long sys_wait4(Task task, const unsigned long *args) except? -1:
    """wait4(2)."""
    cdef int pid = <int> args[0], kind = P_PID, number = pid, status
    cdef unsigned int options = <unsigned int> args[2]
    cdef ThreadGroup child
    if options & ~(<unsigned int> (WNOHANG | WUNTRACED | WCONTINUED) | WCLONE_ALL_NOTHREAD):
        return -EINVAL
    if pid == -0x80000000:
        return -ESRCH
    if pid == -1:
        kind, number = P_ALL, 0
    elif pid <= 0:
        kind, number = P_PGID, -pid if pid else task.group.pgrp.pgid
    event = wait_for(task, kind, number, options | WEXITED)
    if event is None:
        return 0
    if isinstance(event, int):
        return event
    child, _, status = <tuple> event
    if args[1]:
        task.put(args[1], &status, sizeof(status))
    if args[3]:
        task.copy_out(args[3], pack_group(child, True))
    return child.pid


define(61, "wait4(pid: Int, status: Out, options: UInt, usage: Out)", sys_wait4)


@syscall(247)
def sys_waitid(task, kind: Int, number: Int, info: Out, options: UInt, usage: Out):
    """waitid(2)."""
    if options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | <object> WCLONE_ALL_NOTHREAD):
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
