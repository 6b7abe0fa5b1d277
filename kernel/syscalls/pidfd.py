# SPDX-License-Identifier: Apache-2.0
"""pidfd_open(2) and pidfd_getfd(2); pidfd_send_signal(2) is with the signals."""

from fs.anon.pidfd import PidFile
from kernel.abi.errno import EBADF, EINVAL, EPERM, ESRCH, Errno
from kernel.abi.fs import O_NONBLOCK
from kernel.abi.task import CAP_SYS_PTRACE
from kernel.syscalls.kinds import Int, UInt
from kernel.syscalls.table import syscall

PIDFD_NONBLOCK = O_NONBLOCK


@syscall(434)
def sys_pidfd_open(task, pid: Int, flags: UInt):
    """pidfd_open(2): of a process, not of another thread."""
    if flags & ~PIDFD_NONBLOCK or pid <= 0:
        raise Errno(EINVAL)
    group = task.kernel.groups.get(pid)
    if group is None:
        raise Errno(EINVAL if pid in task.kernel.tasks else ESRCH)
    return task.files.install(PidFile(group, flags), True)


@syscall(438)
def sys_pidfd_getfd(task, pidfd: Int, targetfd: Int, flags: UInt):
    """pidfd_getfd(2): a descriptor of a process that the caller might trace."""
    if flags:
        raise Errno(EINVAL)
    file = task.files.get(pidfd)
    if not isinstance(file, PidFile):
        raise Errno(EBADF)
    other = next((member for member in file.group.tasks.values() if member.files is not None), None)
    if other is None or file.group.zombie:
        raise Errno(ESRCH)
    theirs, mine = other.creds, task.creds
    same = {theirs.uid, theirs.euid, theirs.suid} == {mine.uid} and {theirs.gid, theirs.egid, theirs.sgid} == {mine.gid}
    if not mine.capable(CAP_SYS_PTRACE) and (not same or theirs.cap_permitted & ~mine.cap_permitted):
        raise Errno(EPERM)
    return task.files.install(other.files.get(targetfd).get(), True)
