# SPDX-License-Identifier: Apache-2.0
# Signal dispositions of a process (sighand_struct): shared by CLONE_SIGHAND, copied by fork.

cdef class Action:
    cdef public unsigned long handler    # SIG_DFL, SIG_IGN or an address
    cdef public unsigned long flags      # SA_*
    cdef public unsigned long restorer
    cdef public unsigned long mask


cdef class Handlers:
    cdef public list actions             # by signal number, 1..64; None stands for the default
    cpdef Action get(self, int signo)
    cpdef set(self, int signo, Action action)
    cpdef bint ignored(self, int signo)  # SIG_IGN, or the default action is to ignore
    cpdef Handlers copy(self)
    cpdef reset_for_exec(self)


cdef enum Default:
    TERMINATE, IGNORE, CORE, STOP, CONTINUE

cdef Default default_action(int signo) noexcept
