# SPDX-License-Identifier: Apache-2.0
"""Waiting for children: which state changes there are to report, and telling the parent (wait(2))."""

from kernel.abi.errno cimport ECHILD, Errno
from kernel.abi.signal cimport CLD_CONTINUED, CLD_STOPPED, SA_NOCLDSTOP, SIGCHLD, SIGCONT
from kernel.abi.task cimport P_ALL, P_PGID, P_PID, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED
from kernel.signal.pending cimport child_info
from kernel.signal.send cimport send_to_group
from kernel.task.exit cimport reap
from kernel.task.group cimport ThreadGroup
from kernel.task.task cimport Task

from kernel.task.exit import exit_info

cdef unsigned int WCLONE = 0x80000000
cdef unsigned int WALL = 0x40000000


cdef bint matches(ThreadGroup child, int kind, int number, unsigned int options) except -1:
    """The child is among those that the caller waits for."""
    if not options & WALL and ((<Task> child.leader).exit_signal != SIGCHLD) != (options & WCLONE != 0):
        return False
    return kind == P_ALL or (kind == P_PID and child.pid == number) or (kind == P_PGID and child.pgrp.pgid == number)


cdef tuple find_event(Task task, int kind, int number, unsigned int options):
    """(child, siginfo, wait status) of a change to report; None if there is none yet. ECHILD without any child."""
    cdef ThreadGroup child
    cdef bint found = False
    for child in task.group.children:
        if not matches(child, kind, number, options):
            continue
        found = True
        event = event_of(child, options)
        if event is not None:
            return event
    if not found:
        raise Errno(ECHILD)
    return None


cdef tuple event_of(ThreadGroup child, unsigned int options):
    """The change of one child that the options ask for."""
    if child.zombie:
        return (child, exit_info(child), child.exit_status) if options & WEXITED else None
    if child.stopped and not child.stop_reported and options & WSTOPPED:
        return child, stop_info(child), child.stop_signal << 8 | 0x7F
    if child.continued and options & WCONTINUED:
        return child, continued_info(child), 0xFFFF
    return None


cdef consume(ThreadGroup child, unsigned int options):
    """The change was reported, and is not to be reported again."""
    if options & WNOWAIT:
        return
    if child.zombie:
        reap(child)
    elif child.stopped:
        child.stop_reported = True
    else:
        child.continued = False


def wait_for(Task task, int kind, int number, unsigned int options):
    """One attempt of wait4 or waitid: an event, None with WNOHANG, or BLOCKED."""
    event = find_event(task, kind, number, options)
    if event is not None:
        consume(event[0], options)
        return event
    if options & WNOHANG:
        return None
    task.wait_on(task.group.child_events)
    return task.block()


cdef stop_info(ThreadGroup group):
    """siginfo of a stopped child."""
    return child_info(CLD_STOPPED, group.pid, group.leader.creds.uid, group.stop_signal, group.utime_ns, group.stime_ns)


cdef continued_info(ThreadGroup group):
    """siginfo of a continued child."""
    return child_info(CLD_CONTINUED, group.pid, group.leader.creds.uid, SIGCONT, group.utime_ns, group.stime_ns)


def notify_parent_stopped(group):
    """A child stopped: SIGCHLD unless SA_NOCLDSTOP, and whoever waits."""
    tell(group, stop_info(group))


def notify_parent_continued(group):
    """A child goes on."""
    tell(group, continued_info(group))


cdef tell(ThreadGroup group, info):
    parent = group.parent
    if parent is None:
        return
    if not parent.handlers.get(SIGCHLD).flags & SA_NOCLDSTOP:
        send_to_group(parent, info)
    parent.child_events.wake()
