# SPDX-License-Identifier: Apache-2.0
"""Signal dispositions and default actions (signal(7))."""

from kernel.abi.signal cimport (
    SIG_DFL, SIG_IGN, SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGURG, SIGWINCH, SIGXCPU, SIGXFSZ,
)


cdef Default default_action(int signo) noexcept:
    """What happens without a handler."""
    if signo in (SIGCHLD, SIGURG, SIGWINCH):
        return IGNORE
    if signo == SIGCONT:
        return CONTINUE
    if signo in (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU):
        return STOP
    if signo in (SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ):
        return CORE
    return TERMINATE


cdef class Action:
    """One struct sigaction; never changed once set."""

    def __init__(self, unsigned long handler=SIG_DFL, unsigned long flags=0, unsigned long restorer=0, unsigned long mask=0):
        self.handler, self.flags, self.restorer, self.mask = handler, flags, restorer, mask


cdef Action DEFAULT = Action()


cdef class Handlers:
    """The 64 dispositions of a process."""

    def __cinit__(self):
        self.actions = [None] * 65

    cpdef Action get(self, int signo):
        """The action; the default one if none was set."""
        action = self.actions[signo]
        return DEFAULT if action is None else action

    cpdef set(self, int signo, Action action):
        """Replace the action."""
        self.actions[signo] = action

    cpdef bint ignored(self, int signo):
        """A signal that would do nothing if it came."""
        cdef Action action = self.get(signo)
        if action.handler == SIG_DFL:
            return default_action(signo) == IGNORE
        return action.handler == SIG_IGN

    cpdef Handlers copy(self):
        """For fork."""
        cdef Handlers new = Handlers()
        new.actions = list(self.actions)
        return new

    cpdef reset_for_exec(self):
        """execve: handlers become defaults, ignored signals stay ignored."""
        cdef Action action
        for signo in range(1, 65):
            action = self.actions[signo]
            if action is not None and action.handler != SIG_IGN:
                self.actions[signo] = None
