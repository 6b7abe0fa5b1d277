# SPDX-License-Identifier: Apache-2.0
"""How tasks and processes end (exit(2), wait(2)).

The zombie is there as soon as the last task is gone; its stub is killed at the same moment and never waited for. A stub that two processes
share (vfork) lives until the last of them has left it: the others' host threads are told to exit, now if the kernel holds their request,
else at their next request.
"""

from kernel.abi.signal cimport CLD_DUMPED, CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, SIG_IGN, SIGCHLD, SIGCONT, SIGHUP, SIGKILL
from kernel.mm.mm cimport MM
from kernel.signal.handlers cimport Action, Handlers
from kernel.signal.pending cimport child_info, kernel_info, kill_info
from kernel.task import cputime, rusage
from kernel.task.task cimport DEAD

cdef enum:
    POLLIN_HUP = 0x11


cpdef int group_exit(ThreadGroup group, int status) except -1:
    """The whole process ends with this wait status. Does nothing if it is ending already."""
    cdef Task task
    if group.exiting:
        return 0
    group.exiting = True
    group.exit_status = status
    cputime.collect(group)
    for task in list(group.tasks.values()):
        end_task(task, True)
    if group.exec_in_progress is not None:
        group.exec_in_progress.abandon()
    become_zombie(group)
    return 0


cpdef int task_exit(Task task, int code) except -1:
    """exit(2): this thread ends; with the last one the process."""
    cdef ThreadGroup group = task.group
    if len(group.tasks) == 1:
        return group_exit(group, (code & 0xff) << 8)
    end_task(task, True)
    if task is group.leader:
        group.exit_status = (code & 0xff) << 8
    else:
        group.kernel.tasks.pop(task.tid, None)
    return 0


cpdef int end_task(Task task, bint host_thread_exits) except -1:
    """A task is over: give back what it holds. Its number stays taken while its process needs it."""
    if task.state == DEAD:
        return 0
    task.leave_queues()
    task.find_robust_list()
    if task.mm is not None and (task.robust_list or task.mm.users > 1):
        from kernel.sync.robust import exit_robust_list
        exit_robust_list(task)
    task.state = DEAD
    task.killed = True
    task.group.tasks.pop(task.tid, None)
    if task is not task.group.leader:
        task.kernel.tasks.pop(task.tid, None)
    files, task.files = task.files, None
    if files is not None:
        files.release_user()
    release_vfork_parent(task)
    if task.tracer is not None:
        task.tracer.tracee_died(task)
    if host_thread_exits:
        drop_thread(task)
    return 0


cpdef release_vfork_parent(Task task):
    """Its memory is its parent's alone again."""
    parent, task.vfork_parent = task.vfork_parent, None
    if parent is not None:
        parent.wake(0)


cdef int drop_thread(Task task) except -1:
    """The task leaves its address space: the stub is killed by the last user; else only the host thread ends."""
    cdef GuestThread thread = task.thread
    cdef MM mm = task.mm
    if mm is None or thread is None:
        return 0
    mm.users -= 1
    task.mm = None
    if mm.users == 0:
        rusage.note_maxrss(task.group, mm)
        if mm.space is not None:
            task.kernel.dying[mm.space.host_pid] = task.group
            mm.space.kill()
        mm.drop()
        forget_thread(task, thread)
    elif thread.held:
        thread.exit(task.clear_child_tid)
        forget_thread(task, thread)
    else:
        thread.interrupt()
    return 0


cdef int end_born_dead(GuestThread thread) except -1:
    """A request of a thread whose task is over: its host thread ends."""
    cdef Task task = <Task> thread.task
    if task is None:
        thread.space.kill()
        return 0
    if thread.space.mm is not None and (<MM> thread.space.mm).users > 0:
        thread.exit(task.clear_child_tid)
    else:
        thread.space.kill()
    forget_thread(task, thread)
    return 0


cdef int forget_thread(Task task, GuestThread thread) except -1:
    """A dead task lives on in a circle with its process until garbage is collected: without what the platform kept for it."""
    if task.thread is thread:
        task.thread = None
    task.kernel.platform.release(thread)
    return 0


cdef int space_died(object kernel, Space space, int wait_status) except -1:
    """A stub is gone. If it was not us who ended it, its processes die of what it died of."""
    cdef Task task
    status = wait_status if wait_status & 0x7f else SIGKILL
    for task in list(kernel.tasks.values()):
        if task.state != DEAD and task.mm is not None and task.mm.space is space:
            kernel.log("process %d (%s): its host process ended by itself (status %#x)" % (
                task.group.pid, task.comm.decode("ascii", "replace"), wait_status))
            group_exit(task.group, status & 0x7f)
    return 0


cdef int become_zombie(ThreadGroup group) except -1:
    """No task is left: children get a new parent, the parent hears of it."""
    kernel = group.kernel
    if group.timers is not None:
        group.timers.drop()
    if group.sem_undo is not None:
        from kernel.ipc import sem
        sem.exit_undo(group)
    leave_session(group)
    group.zombie = True
    orphan_children(group)
    group.exit_event.wake(POLLIN_HUP)
    if group.on_exit is not None:
        group.on_exit(group, group.exit_status)
    if group is kernel.init:
        return end_of_init(kernel, group)
    if group.parent is None:
        return reap(group)
    return tell_parent(group)


cdef int end_of_init(kernel, ThreadGroup init) except -1:
    """Process 1 is gone: so is everybody else."""
    kernel.exit_status = init.exit_status
    for group in list(kernel.groups.values()):
        if group is not init:
            group_exit(group, SIGKILL)
    kernel.finished = True
    return 0


cdef int tell_parent(ThreadGroup group) except -1:
    """SIGCHLD and wait(2); a parent that ignores SIGCHLD has its children reaped."""
    from kernel.signal.send import send_to_group
    cdef ThreadGroup parent = group.parent
    cdef Action action = (<Handlers> parent.handlers).get(SIGCHLD)
    signo = group.leader.exit_signal
    autoreap = signo == SIGCHLD and (action.handler == SIG_IGN or action.flags & SA_NOCLDWAIT)
    if 0 < signo <= 64 and not (autoreap and action.handler == SIG_IGN):    # clone(2) takes any byte
        info = exit_info(group)
        info.signo = signo
        send_to_group(parent, info)
    if autoreap:
        reap(group)
    parent.child_events.wake()
    return 0


def exit_info(ThreadGroup group):
    """siginfo of the end of a child."""
    status = group.exit_status
    if status & 0x7f:
        code, value = CLD_DUMPED if status & 0x80 else CLD_KILLED, status & 0x7f
    else:
        code, value = CLD_EXITED, status >> 8 & 0xff
    return child_info(code, group.pid, group.leader.creds.uid, value, group.utime_ns, group.stime_ns)


cpdef int reap(ThreadGroup group) except -1:
    """The zombie was waited for: its times go to the parent, its number is free."""
    parent = group.parent
    if parent is not None:
        parent.cutime_ns += group.utime_ns + group.cutime_ns
        parent.cstime_ns += group.stime_ns + group.cstime_ns
        parent.maxrss_children = max(parent.maxrss_children, group.maxrss, group.maxrss_children)
    group.leave()
    group.kernel.tasks.pop(group.pid, None)
    return 0


cdef int orphan_children(ThreadGroup group) except -1:
    """Children go to the nearest subreaper above, or to process 1."""
    from kernel.signal.send import send_to_group
    cdef ThreadGroup child, parent = group.parent
    if not group.children:
        return 0
    while parent is not None and (parent.zombie or not parent.is_subreaper):
        parent = parent.parent
    if parent is None:
        parent = group.kernel.init
    for child in list(group.children):
        was_orphaned = child.pgrp.is_orphaned()
        child.set_parent(None if parent is group else parent)
        for task in list(child.tasks.values()):
            task.tell_ids()
        signo = child.leader.pdeath_signal
        if signo and not child.zombie:
            send_to_group(child, kill_info(signo, 0, group.pid, 0))
        if child.parent is not None:
            child.leader.exit_signal = SIGCHLD
            if child.zombie:
                tell_parent(child)
        if not was_orphaned and child.pgrp.is_orphaned():
            hang_up_stopped(child.pgrp)
    return 0


def hang_up_stopped(pgrp):
    """A process group became orphaned: if one of it is stopped, all get SIGHUP and SIGCONT (POSIX)."""
    from kernel.signal.send import send_to_pgrp
    if any([member.stopped and not member.zombie for member in pgrp.members]):
        send_to_pgrp(pgrp, kernel_info(SIGHUP))
        send_to_pgrp(pgrp, kernel_info(SIGCONT))


cdef int leave_session(ThreadGroup group) except -1:
    """A session leader that exits gives up its terminal: the foreground group gets SIGHUP and SIGCONT."""
    session = group.pgrp.session if group.pgrp is not None else None
    if session is None or session.leader is not group:
        return 0
    session.leader = None
    if session.tty is not None:
        tty, session.tty = session.tty, None
        tty.session_leader_exited(session)
    return 0
