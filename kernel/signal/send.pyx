# SPDX-License-Identifier: Apache-2.0
"""Sending signals: what happens at the moment of sending (signal(7), kill(2)).

A fatal signal that nothing holds back ends the process here and now (a stopped one only SIGKILL); SIGCONT continues it; everything else
becomes pending, and one task that may take it is told to look. Delivery is kernel.signal.deliver.
"""

from kernel.abi.errno cimport EAGAIN
from kernel.abi.signal cimport SIG_DFL, SIG_IGN, SIGCONT, SIGKILL, SIGRTMIN
from kernel.signal.handlers cimport CORE, TERMINATE, Action, Default, Handlers, default_action
from kernel.signal.pending cimport Pending
from kernel.task.exit cimport group_exit
from kernel.task.task cimport DEAD, SERVING

cdef unsigned long STOP_SIGNALS = 1UL << 18 | 1UL << 19 | 1UL << 20 | 1UL << 21
cdef unsigned long BIT_CONT = 1UL << 17
cdef enum:
    POLLIN_RDNORM = 0x41


cpdef int send_to_task(Task task, SigInfo info) except -1:
    """To one thread. Returns 0, or -EAGAIN when a real-time signal can't be queued."""
    if task.state == DEAD:
        return 0
    return send(task.group, task, info)


cpdef int send_to_group(ThreadGroup group, SigInfo info) except -1:
    """To a process: any of its threads may take it."""
    if group.zombie or group.exiting:
        return 0
    return send(group, None, info)


cpdef int send_to_pgrp(ProcessGroup pgrp, SigInfo info) except -1:
    """To every process of a group."""
    for group in list(pgrp.members):
        send_to_group(group, info)
    return 0


cdef int force(Task task, SigInfo info) except -1:
    """A fault of the task itself: if it is blocked or ignored, the default action comes."""
    cdef unsigned long bit = 1UL << (info.signo - 1)
    cdef Handlers handlers = task.group.handlers
    cdef Action action = handlers.get(info.signo)
    if task.blocked & bit or action.handler == SIG_IGN:
        handlers.set(info.signo, None)
        action = handlers.get(info.signo)
        task.blocked &= ~bit
    if action.handler == SIG_DFL:
        group_exit(task.group, info.signo)
        return 0
    (<Pending> task.pending).add(info)
    return 0


cdef int send(ThreadGroup group, Task only, SigInfo info) except -1:
    cdef int signo = info.signo
    cdef unsigned long bit = 1UL << (signo - 1)
    cdef Task target
    cdef Pending pending
    if signo == SIGKILL:
        if not protected(group, info):
            group_exit(group, SIGKILL)
        return 0
    if signo == SIGCONT:
        discard(group, STOP_SIGNALS)
        continue_group(group)
    elif bit & STOP_SIGNALS:
        discard(group, BIT_CONT)
    for task in group.tasks.values() if only is None else (only,):
        (<Task> task).take_mask()
    target = only if only is not None else choose(group, bit)
    if (<Handlers> group.handlers).ignored(signo) and not (target if target is not None else group.leader).blocked & bit:
        return 0
    if signo >= SIGRTMIN and over_limit(group):
        if info.code != 0:
            return -EAGAIN
        if (<Pending> (only if only is not None else group).pending).mask & bit:
            return 0                     # kill(2) always succeeds: it is pending, and no more than that
    if target is not None and not target.blocked & bit and not group.stopped and fatal(group, signo, info):
        group_exit(group, signo)
        return 0
    pending = (only if only is not None else group).pending
    if not pending.add(info):
        return 0
    if not pending.waiters.empty():
        pending.waiters.wake(POLLIN_RDNORM)
    if target is not None and not target.blocked & bit and target.state != SERVING:
        group.kernel.kick(target)
    return 0


cdef Task choose(ThreadGroup group, unsigned long bit):
    """A thread that does not block the signal, the leader first; None if all do."""
    cdef Task task = group.leader
    if task is not None and task.state != DEAD and not task.blocked & bit:
        return task
    for task in group.tasks.values():
        if task.state != DEAD and not task.blocked & bit:
            return task
    return None


cdef bint fatal(ThreadGroup group, int signo, SigInfo info) except -1:
    """The default action ends the process, and nothing protects it."""
    cdef Action action = (<Handlers> group.handlers).get(signo)
    cdef Default default = default_action(signo)
    return action.handler == SIG_DFL and (default == TERMINATE or default == CORE) and not protected(group, info)


cdef bint protected(ThreadGroup group, SigInfo info) except -1:
    """Process 1 gets only signals that it handles; SIGKILL from the host side (marked by a negative error field) is the exception."""
    kernel = group.kernel
    return group is kernel.init and kernel.protects_init and (info.error >= 0 or info.signo != SIGKILL)


cdef bint over_limit(ThreadGroup group) except -1:
    """RLIMIT_SIGPENDING."""
    count = (<Pending> group.pending).count
    for task in group.tasks.values():
        count += (<Pending> task.pending).count
    return count >= group.limits.soft(11)


cdef int discard(ThreadGroup group, unsigned long mask) except -1:
    (<Pending> group.pending).discard(mask)
    for task in group.tasks.values():
        (<Pending> task.pending).discard(mask)
    return 0


cdef int continue_group(ThreadGroup group) except -1:
    """SIGCONT: a stopped process goes on, its parent may hear of it."""
    if not group.stopped:
        return 0
    group.stopped = False
    group.continued = True
    group.stop_reported = False
    from kernel.task import wait
    wait.notify_parent_continued(group)
    for task in list(group.tasks.values()):
        group.kernel.resume_stopped(task)
    return 0
