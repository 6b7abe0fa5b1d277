# SPDX-License-Identifier: Apache-2.0
"""unshare(2), and kcmp(2), which tells whether two processes share something."""

from kernel.abi.errno import EBADF, EINVAL, EOPNOTSUPP, EPERM, ESRCH, Errno
from kernel.abi.task import (
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    CLONE_FILES,
    CLONE_FS,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_VM,
)
from kernel.ipc.sem import exit_undo
from kernel.syscalls.kinds import Int, ULong
from kernel.syscalls.table import syscall

ABSENT = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME
PRESENT = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC
ALONE = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM
KNOWN = ABSENT | PRESENT | ALONE | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM


@syscall(272, partial="no new user, pid, net, cgroup or time namespace: EINVAL")
def sys_unshare(task, flags: ULong):
    """unshare(2)."""
    if flags & ~KNOWN or flags & ABSENT or (flags & ALONE and len(task.group.tasks) > 1):
        raise Errno(EINVAL)
    if flags & PRESENT and not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    if flags & (CLONE_FS | CLONE_NEWNS):
        task.fs = task.fs.copy()
    if flags & CLONE_NEWNS:
        task.fs.new_namespace()
    if flags & CLONE_FILES and task.files.shared():
        files = task.files.clone()
        task.files.release_user()
        task.files = files
    if flags & (CLONE_SYSVSEM | CLONE_NEWIPC):
        exit_undo(task.group)
    if flags & CLONE_NEWUTS:
        task.uts = task.uts.copy()
    if flags & CLONE_NEWIPC:
        task.ipc = task.ipc.new()


KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD = range(8)
SHARED = {
    KCMP_VM: lambda task: task.mm,
    KCMP_FILES: lambda task: task.files,
    KCMP_FS: lambda task: task.fs,
    KCMP_SIGHAND: lambda task: task.group.handlers,
    KCMP_SYSVSEM: lambda task: task.group,
}


@syscall(312, partial="no KCMP_IO, no KCMP_EPOLL_TFD: EOPNOTSUPP")
def sys_kcmp(task, pid1: Int, pid2: Int, kind: Int, index1: ULong, index2: ULong):
    """kcmp(2): 0 for the same object, else 1 or 2 as an order."""
    tasks = [task.kernel.tasks.get(pid) for pid in (pid1, pid2)]
    if None in tasks:
        raise Errno(ESRCH)
    mine = task.creds
    if not mine.capable(CAP_SYS_PTRACE) and any({other.creds.uid, other.creds.euid, other.creds.suid} != {mine.uid} for other in tasks):
        raise Errno(EPERM)
    if kind in (KCMP_IO, KCMP_EPOLL_TFD):
        raise Errno(EOPNOTSUPP)
    if kind == KCMP_FILE:
        first, second = [file_of(other, index) for other, index in zip(tasks, (index1, index2), strict=True)]
    elif kind in SHARED:
        first, second = [SHARED[kind](other) for other in tasks]
    else:
        raise Errno(EINVAL)
    return 0 if first is second else 1 if id(first) < id(second) else 2


def file_of(task, fd):
    """The open file behind a descriptor of a task; EBADF."""
    if task.files is None or fd > 0x7FFFFFFF:
        raise Errno(EBADF)
    return task.files.get(fd)
