# SPDX-License-Identifier: Apache-2.0
"""Delivery of signals (signal(7)): on the way back to guest code, one after another, until nothing is left that may come.

A system call that was broken off (task.in_call) ends here if a handler is going to run: restarted for SA_RESTART, else with EINTR or with
what its `interrupted` says. If no handler runs the call simply goes on, which is what restart_syscall(2) exists for elsewhere.
"""

from kernel.abi.errno cimport EINTR, ERESTARTNOINTR, ERESTARTSYS
from kernel.abi.signal cimport (
    SA_NODEFER, SA_ONSTACK, SA_RESTART, SIG_DFL, SIG_IGN, SIGKILL, SIGSEGV, SIGSTOP, SS_DISABLE, SS_ONSTACK,
)
from kernel.signal.handlers cimport IGNORE, STOP, CONTINUE, Action, Default, Handlers, default_action
from kernel.signal.pending cimport Pending, SigInfo
from kernel.task.exit cimport group_exit
from kernel.task.task cimport DEAD, GUEST, STOPPED, WAITING

cdef unsigned long RESETHAND = 0x80000000
cdef unsigned long AUTODISARM = 0x80000000


cdef Delivery deliver(Task task) except? GO_ON:
    """Deliver all pending signals that are not blocked."""
    cdef SigInfo info
    cdef unsigned long allowed
    while task.state != DEAD:
        if task.group.stopped:
            task.state = STOPPED
            return STAY
        allowed = ~task.blocked
        info = (<Pending> task.pending).take(allowed)
        if info is None:
            info = (<Pending> task.group.pending).take(allowed)
        if info is None:
            return GO_ON
        act(task, info)
    return STAY


cdef int act(Task task, SigInfo info) except -1:
    """Carry out one signal's action."""
    cdef Handlers handlers = task.group.handlers
    cdef Action action = handlers.get(info.signo)
    cdef Default default
    if action.handler == SIG_IGN:
        return 0
    if action.handler != SIG_DFL:
        return run_handler(task, info, action)
    default = default_action(info.signo)
    if default == IGNORE or default == CONTINUE:
        return 0
    if task.group is task.kernel.init and task.kernel.protects_init and info.signo != SIGKILL:
        return 0
    if default == STOP:
        if info.signo == SIGSTOP or not task.group.pgrp.is_orphaned():
            stop_group(task, info.signo)
        return 0
    return group_exit(task.group, info.signo)


cdef int run_handler(Task task, SigInfo info, Action action) except -1:
    """End the interrupted call and push the frame."""
    cdef unsigned long mask, sp, size, ss_flags, top, flags = action.flags
    cdef bint on_stack
    cdef tuple shown
    end_call(task, action)
    mask = task.saved_blocked if task.restore_blocked else task.blocked
    task.restore_blocked = False
    sp, ss_flags, size = task.altstack
    on_stack = size and task.thread.stack_pointer() - 1 - sp < size and not ss_flags & AUTODISARM
    top = sp + size if flags & SA_ONSTACK and not ss_flags & SS_DISABLE and not on_stack else 0
    shown = (sp, ss_flags | SS_ONSTACK, size) if on_stack else task.altstack
    if not task.thread.push_signal_frame(info.signo, info.pack(), action.handler, action.restorer, mask, flags, shown, top):
        (<Handlers> task.group.handlers).set(SIGSEGV, None)
        return group_exit(task.group, SIGSEGV)
    if ss_flags & AUTODISARM and top:
        task.altstack = (0, SS_DISABLE, 0)
    task.blocked |= action.mask
    if not flags & SA_NODEFER:
        task.blocked |= 1UL << (info.signo - 1)
    task.blocked &= ~(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))
    if flags & RESETHAND:
        (<Handlers> task.group.handlers).set(info.signo, None)
    return 0


cdef int end_call(Task task, Action action) except -1:
    """A handler is going to run in the middle of a system call: restart it afterwards, or let it return."""
    if not task.in_call:
        return 0
    task.in_call = False
    cdef long result = -ERESTARTSYS
    if task.interrupted is not None:
        interrupted, task.interrupted = task.interrupted, None
        result = interrupted(task)
    if result != -ERESTARTSYS:
        task.thread.set_result(result)
    elif task.restart == ERESTARTNOINTR or task.restart == ERESTARTSYS and action.flags & SA_RESTART:
        task.thread.restart_syscall()
    else:
        task.thread.set_result(-EINTR)
    return 0


cdef int stop_group(Task task, int signo) except -1:
    """Job control: the whole process stops, its parent hears of it."""
    cdef Task other
    group = task.group
    group.stopped = True
    group.stop_signal = signo
    group.stop_reported = False
    group.continued = False
    for other in list(group.tasks.values()):
        if other is task:
            continue
        if other.state == GUEST:
            other.thread.interrupt()
        elif other.state == WAITING:
            other.leave_queues()
            other.in_call = True
            other.state = STOPPED
    from kernel.task import wait
    wait.notify_parent_stopped(group)
    return 0
