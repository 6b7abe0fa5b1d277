# SPDX-License-Identifier: Apache-2.0
"""Processes, process groups and sessions (credentials(7), setpgid(2), setsid(2)): who belongs to whom.

Only the relations live here; what happens at exit is kernel.task.exit, what signals do is kernel.signal.
"""


cdef class ProcessGroup:
    """Processes that the terminal and kill(2) address together."""

    def __init__(self, int pgid, Session session):
        self.pgid = pgid
        self.session = session
        self.members = {}
        session.groups[self] = None

    def is_orphaned(self):
        """No member has a parent in another group of the same session (POSIX job control)."""
        cdef ThreadGroup member
        for member in self.members:
            parent = member.parent
            if not member.zombie and parent is not None and parent.pgrp is not self and parent.pgrp.session is self.session:
                return False
        return True


cdef class Session:
    """Process groups with one controlling terminal."""

    def __init__(self, int sid, ThreadGroup leader):
        self.sid = sid
        self.leader = leader
        self.groups = {}


cdef class ThreadGroup:
    """A process."""

    def __init__(self, kernel, int pid, ThreadGroup parent):
        self.kernel = kernel
        self.pid = pid
        self.tasks = {}
        self.children = {}
        self.child_events = WaitQueue()
        self.exit_event = WaitQueue()
        self.dumpable = 1
        self.start_ns = kernel.clock.boottime_ns()
        self.set_parent(parent)
        kernel.groups[pid] = self

    def set_parent(self, ThreadGroup parent):
        """Become a child of parent (None: of nobody inside)."""
        if self.parent is not None:
            self.parent.children.pop(self, None)
        self.parent = parent
        if parent is not None:
            parent.children[self] = None

    def join(self, ProcessGroup pgrp):
        """Move to a process group; an emptied one disappears."""
        old = self.pgrp
        self.pgrp = pgrp
        pgrp.members[self] = None
        self.kernel.pgrps[pgrp.pgid] = pgrp
        if old is not None and old is not pgrp:
            old.members.pop(self, None)
            self.drop_if_empty(old)

    def leave(self):
        """The process is reaped: out of its group and session."""
        pgrp = self.pgrp
        if pgrp is not None:
            pgrp.members.pop(self, None)
            self.drop_if_empty(pgrp)
        self.set_parent(None)
        self.kernel.groups.pop(self.pid, None)

    def drop_if_empty(self, ProcessGroup pgrp):
        if not pgrp.members:
            if self.kernel.pgrps.get(pgrp.pgid) is pgrp:
                del self.kernel.pgrps[pgrp.pgid]
            pgrp.session.groups.pop(pgrp, None)

    def new_session(self):
        """setsid(2): a session and a group of its own, without a terminal."""
        session = Session(self.pid, self)
        self.join(ProcessGroup(self.pid, session))
        return session
