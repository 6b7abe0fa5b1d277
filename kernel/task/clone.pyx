# SPDX-License-Identifier: Apache-2.0
"""clone(2) in all its forms: a new task, in a new process or not.

The host side is the parent's own host thread: it forks the stub, or makes a host thread in it (threads, and children that share memory:
vfork). The child's registers are prepared here; it says hello and goes on with them.
"""


from kernel.abi.errno cimport EAGAIN, EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.task cimport (
    CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC,
    CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SETTLS,
    CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, RLIMIT_NPROC,
)
from kernel.signal.handlers cimport Handlers
from kernel.signal.pending cimport Pending
from kernel.task.exit cimport end_task
from kernel.task.group cimport ThreadGroup
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport GUEST, ORDERED, ORDERING, Task

from kernel.time.posix_timers import watch_cpu_limit

cdef unsigned long CLEAR_SIGHAND = 0x100000000
cdef enum:
    NEW_NAMESPACES_MISSING = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP
    NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC
    O_CLOEXEC = 0o2000000


def check_flags(Task task, unsigned long flags):
    """The combinations that Linux refuses (kernel/fork.c, copy_process)."""
    if flags & CLONE_SIGHAND and not flags & CLONE_VM:
        raise Errno(EINVAL)
    if flags & CLONE_THREAD and not flags & CLONE_SIGHAND:
        raise Errno(EINVAL)
    if flags & CLONE_FS and flags & (CLONE_NEWNS | CLONE_NEWUSER):
        raise Errno(EINVAL)
    if flags & CLONE_THREAD and flags & (CLONE_NEWUSER | CLONE_NEWPID):
        raise Errno(EINVAL)
    if flags & CLEAR_SIGHAND and flags & CLONE_SIGHAND:
        raise Errno(EINVAL)
    if flags & CLONE_PARENT and task.group is task.kernel.init:
        raise Errno(EINVAL)
    if flags & NEW_NAMESPACES_MISSING:
        raise Errno(EINVAL)
    if flags & NEW_NAMESPACES and not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)


def check_limit(Task task):
    """The sandbox's own limit is for all; RLIMIT_NPROC counts the tasks of a real user."""
    if max(len(task.kernel.tasks), len(task.kernel.groups)) >= task.kernel.max_tasks:
        raise Errno(EAGAIN)
    limit = task.group.limits.soft(RLIMIT_NPROC)
    if limit >= 0x7fffffff or task.creds.uid == 0 or task.creds.capable(CAP_SYS_RESOURCE):
        return
    if sum([1 for other in task.kernel.tasks.values() if other.creds.uid == task.creds.uid]) >= limit:
        raise Errno(EAGAIN)


cpdef long do_clone(Task task, unsigned long flags, int exit_signal, unsigned long stack, unsigned long parent_tid, unsigned long child_tid,
                    unsigned long tls, unsigned long pidfd) except? -1:
    """Make a child. Returns ORDERED; the child's tid (or an error) becomes the result. stack: 0 keeps the parent's."""
    cdef Task child
    if task.progress is not None:
        return wait_for_vfork(task)
    check_flags(task, flags)
    check_limit(task)
    child = new_task(task, flags, exit_signal)
    try:
        if flags & CLONE_PIDFD:
            give_pidfd(task, child, pidfd)
        if flags & CLONE_PARENT_SETTID:
            task.copy_out_some(parent_tid, child.tid.to_bytes(4, "little"))
    except Exception:
        forget(child)
        raise
    prepare_thread(task, child, flags, stack, tls)
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = child_tid
    if flags & CLONE_CHILD_SETTID:
        if flags & CLONE_VM:
            task.copy_out_some(child_tid, child.tid.to_bytes(4, "little"))
        else:
            child.progress = child_tid
    if not flags & CLONE_VM:
        child.born_action = forked_child_born
    return order(task, child, flags)


cdef Task new_task(Task task, unsigned long flags, int exit_signal):
    """The child as a kernel object: what is shared, what is copied."""
    cdef Kernel kernel = task.kernel
    cdef int tid = kernel.new_pid()
    cdef ThreadGroup group
    cdef Task child
    if flags & CLONE_THREAD:
        group = task.group
    else:
        group = new_group(task, tid, flags)
    child = Task(kernel, tid, group)
    child.exit_signal = 0 if flags & CLONE_THREAD else (task.group.leader.exit_signal if flags & CLONE_PARENT else exit_signal)
    child.creds = task.creds
    child.files = task.files.add_user() if flags & CLONE_FILES else task.files.clone()
    child.fs = task.fs if flags & CLONE_FS else task.fs.copy()
    if flags & CLONE_NEWNS:
        child.fs.new_namespace()
    child.uts = task.uts.copy() if flags & CLONE_NEWUTS else task.uts
    child.ipc = task.ipc.new() if flags & CLONE_NEWIPC else task.ipc
    child.comm = task.comm
    child.blocked = task.saved_blocked if task.restore_blocked else task.blocked
    child.pending = Pending()
    if not flags & CLONE_VM or flags & CLONE_VFORK:
        child.altstack = task.altstack
    child.no_new_privs, child.keep_caps, child.personality = task.no_new_privs, task.keep_caps, task.personality
    child.nice, child.sched, child.seccomp, child.timerslack_ns = task.nice, task.sched, task.seccomp, task.timerslack_ns
    group.tasks[tid] = child
    if group.leader is None:
        group.leader = child
    kernel.tasks[tid] = child
    return child


cdef ThreadGroup new_group(Task task, int pid, unsigned long flags):
    cdef ThreadGroup old = task.group
    cdef ThreadGroup group = ThreadGroup(task.kernel, pid, old.parent if flags & CLONE_PARENT else old)
    group.join(old.pgrp)
    if flags & CLONE_SIGHAND:
        group.handlers = old.handlers
    else:
        group.handlers = (<Handlers> old.handlers).copy()
        if flags & CLEAR_SIGHAND:
            (<Handlers> group.handlers).reset_for_exec()
    group.pending = Pending()
    group.limits = old.limits.copy()
    watch_cpu_limit(group)
    group.dumpable = old.dumpable
    group.oom_score_adj = old.oom_score_adj
    return group


def give_pidfd(Task task, Task child, unsigned long address):
    """CLONE_PIDFD."""
    from fs.anon.pidfd import PidFile
    fd = task.files.install(PidFile(child.group), True)
    try:
        task.copy_out(address, fd.to_bytes(4, "little"))
    except Errno:
        task.files.close(fd)
        raise


cdef int prepare_thread(Task task, Task child, unsigned long flags, unsigned long stack, unsigned long tls) except -1:
    """The child's address space and registers."""
    cdef Kernel kernel = task.kernel
    if flags & CLONE_VM:
        child.mm = task.mm
        child.mm.users += 1
        child.thread = kernel.platform.new_thread(task.mm.space)
    else:
        child.mm = task.mm.fork()
        child.mm.users = 1
        child.mm.born_with = child.creds
        child.thread = kernel.platform.new_thread(None)
        child.thread.space.mm = child.mm
    child.thread.task = child
    child.thread.copy_state(task.thread)
    if stack:
        child.thread.set_stack(stack)
    if flags & CLONE_SETTLS:
        child.thread.set_tls(tls)
    return 0


cdef long order(Task task, Task child, unsigned long flags) except? -1:
    cdef bint straight = not flags & CLONE_VFORK
    task.forked = child
    if straight:
        task.thread.set_result(child.tid)
        task.state = GUEST
    else:
        child.vfork_parent = task
        task.state = ORDERING
    if flags & CLONE_VM:
        task.thread.clone_thread(child.thread, straight)
    else:
        task.thread.fork(child.thread, straight)
    if straight and task.signal_pending():
        task.thread.interrupt()
    return ORDERED


def forked_child_born(Task child):
    """The first act of a child with memory of its own: CLONE_CHILD_SETTID, and what its parent asked madvise for."""
    child.mm.space = child.thread.space
    if child.progress is not None:
        child.copy_out_some(child.progress, child.tid.to_bytes(4, "little"))
    calls, child.mm.birth_calls = child.mm.birth_calls, None
    if calls:
        child.host_calls(calls, 0)
    else:
        (<Kernel> child.kernel).back_to_guest(child, False)


def host_clone_ended(Kernel kernel, Task task, long error):
    """The host clone failed, or (vfork) was made and the parent is back to wait for its child."""
    cdef Task child = task.forked
    task.forked = None
    if error < 0:
        if child is not None:
            child.vfork_parent = None
            forget(child)
        kernel.finish(task, -EAGAIN if error != -ENOMEM else error)
        return 0
    task.progress = child
    task.saved_blocked, task.blocked, task.restore_blocked = task.blocked, 0xffffffffffffffff, True
    kernel.serve(task)
    return 0


cdef long wait_for_vfork(Task task) except? -1:
    """The parent of a vfork sleeps until the child has its own memory; only SIGKILL ends it sooner."""
    cdef Task child = task.progress
    if child.vfork_parent is None:
        return child.tid
    return task.block()


def forget(Task child):
    """Undo a child that never ran."""
    cdef ThreadGroup group = child.group
    child.vfork_parent = None
    end_task(child, True)
    child.kernel.tasks.pop(child.tid, None)
    if group.leader is child:
        group.zombie = True
        group.leave()
