# SPDX-License-Identifier: Apache-2.0
"""Making and ending tasks: fork, vfork, clone, clone3, execve, execveat, exit, exit_group, and what a task knows of itself."""

from kernel.abi.errno cimport E2BIG, EINVAL, EPERM, Errno
from kernel.abi.signal cimport SIGCHLD
from kernel.abi.task cimport CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_THREAD, CLONE_VFORK, CLONE_VM
from kernel.syscalls.table cimport define
from kernel.task.clone cimport do_clone
from kernel.task.exit cimport group_exit, task_exit
from kernel.task.task cimport ORDERED, Task

from kernel.syscalls.kinds import Fd, Int, Path, Ptr, Size
from kernel.syscalls.table import syscall

cdef enum:
    CSIGNAL = 0xff
    CLONE_DETACHED = 0x400000
    CLONE_ARGS_MIN = 64
    CLONE_ARGS_KNOWN = 88
    PAGE = 4096
    ARCH_SET_GS = 0x1001
    ARCH_SET_FS = 0x1002
    ARCH_GET_FS = 0x1003
    ARCH_GET_GS = 0x1004

cdef unsigned long ADDRESS_END = 0x7ffffffff000


cdef long sys_getpid(Task task, const unsigned long *args) except? -1:
    """getpid(2)."""
    return task.group.pid


define(39, "getpid()", sys_getpid)


cdef long sys_gettid(Task task, const unsigned long *args) except? -1:
    """gettid(2)."""
    return task.tid


define(186, "gettid()", sys_gettid)


cdef long sys_getppid(Task task, const unsigned long *args) except? -1:
    """getppid(2): 0 if the parent is not inside."""
    return task.group.parent.pid if task.group.parent is not None else 0


define(110, "getppid()", sys_getppid)


cdef long sys_clone(Task task, const unsigned long *args) except? -1:
    """clone(2) with the argument order of x86-64: flags, stack, parent_tid, child_tid, tls."""
    cdef unsigned long flags = args[0]
    if flags & CLONE_PIDFD and flags & (CLONE_PARENT_SETTID | CLONE_DETACHED):
        raise Errno(EINVAL)
    return do_clone(task, flags & ~(<unsigned long> CSIGNAL), flags & CSIGNAL, args[1], args[2], args[3], args[4], args[2])


define(56, "clone(flags: ULong, stack: Ptr, parent_tid: Out, child_tid: Out, tls: ULong)", sys_clone,
       partial="no new user, pid, net, cgroup or time namespace")


cdef long sys_fork(Task task, const unsigned long *args) except? -1:
    """fork(2)."""
    return do_clone(task, 0, SIGCHLD, 0, 0, 0, 0, 0)


define(57, "fork()", sys_fork)


cdef long sys_vfork(Task task, const unsigned long *args) except? -1:
    """vfork(2)."""
    return do_clone(task, CLONE_VFORK | CLONE_VM, SIGCHLD, 0, 0, 0, 0, 0)


define(58, "vfork()", sys_vfork)


@syscall(435, partial="no set_tid, no CLONE_INTO_CGROUP; namespaces as clone")
def sys_clone3(Task task, arguments: Ptr, size: Size):
    """clone3(2)."""
    if size < CLONE_ARGS_MIN:
        raise Errno(EINVAL)
    if size > PAGE:
        raise Errno(E2BIG)
    data = task.copy_in(arguments, size)
    if any(data[CLONE_ARGS_KNOWN:]):
        raise Errno(E2BIG)
    words = [int.from_bytes(data[i:i + 8], "little") for i in range(0, min(size, CLONE_ARGS_KNOWN), 8)] + [0, 0, 0]
    flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size = words[:10]
    if flags & (CSIGNAL | CLONE_DETACHED) or flags >> 34 or flags & 0x200000000:
        raise Errno(EINVAL)
    if exit_signal > 64 or (flags & CLONE_THREAD and exit_signal) or (stack == 0) != (stack_size == 0):
        raise Errno(EINVAL)
    if set_tid_size or set_tid:
        raise Errno(EPERM if set_tid_size else EINVAL)
    return do_clone(task, flags, exit_signal, stack + stack_size, parent_tid, child_tid, tls, pidfd)


cdef long sys_exit(Task task, const unsigned long *args) except? -1:
    """exit(2) of the calling thread."""
    task_exit(task, <int> args[0])
    return ORDERED


define(60, "exit(status: Int)", sys_exit)


cdef long sys_exit_group(Task task, const unsigned long *args) except? -1:
    """exit_group(2)."""
    group_exit(task.group, (<int> args[0] & 0xff) << 8)
    return ORDERED


define(231, "exit_group(status: Int)", sys_exit_group)


cdef long sys_set_tid_address(Task task, const unsigned long *args) except? -1:
    """set_tid_address(2)."""
    task.clear_child_tid = args[0]
    return task.tid


define(218, "set_tid_address(address: Ptr)", sys_set_tid_address)


@syscall(59)
def sys_execve(Task task, path: Path, argv: Ptr, envp: Ptr):
    """execve(2)."""
    from kernel.task import program
    return program.exec_path(task, -100, path, argv, envp, 0)


@syscall(322)
def sys_execveat(Task task, directory: Fd, path: Path, argv: Ptr, envp: Ptr, flags: Int):
    """execveat(2)."""
    from kernel.task import program
    if flags & ~0x1100:
        raise Errno(EINVAL)
    return program.exec_path(task, directory, path, argv, envp, flags)


cdef long sys_arch_prctl(Task task, const unsigned long *args) except? -1:
    """arch_prctl(2): the fs and gs bases."""
    cdef int code = <int> args[0]
    cdef unsigned long base
    if code == ARCH_SET_FS or code == ARCH_SET_GS:
        if args[1] >= ADDRESS_END:
            return -EPERM
        if code == ARCH_SET_FS:
            task.thread.set_tls(args[1])
        else:
            task.thread.set_gs(args[1])
        return 0
    if code == ARCH_GET_FS or code == ARCH_GET_GS:
        base = task.thread.tls() if code == ARCH_GET_FS else task.thread.gs()
        task.put(args[1], &base, sizeof(base))
        return 0
    return -EINVAL


define(158, "arch_prctl(code: Int, address: Ptr)", sys_arch_prctl)


@syscall(219)
def sys_restart_syscall(Task task):
    """restart_syscall(2): nothing ever needs it here; called by hand it answers EINTR, as in Linux."""
    return -4
