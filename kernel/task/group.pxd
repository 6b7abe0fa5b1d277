# SPDX-License-Identifier: Apache-2.0
# A process: the thread group, as Linux's signal_struct.

from kernel.signal.handlers cimport Handlers
from kernel.signal.pending cimport Pending
from kernel.sync.waitqueue cimport WaitQueue
from kernel.task.limits cimport Limits


cdef class ProcessGroup:
    cdef public int pgid
    cdef public Session session
    cdef public dict members             # ThreadGroup -> None


cdef class Session:
    cdef public int sid
    cdef public ThreadGroup leader
    cdef public object tty               # controlling terminal: fs.devpts.tty.Tty; None
    cdef public dict groups              # ProcessGroup -> None


cdef class ThreadGroup:
    cdef public int pid
    cdef public object leader            # Task
    cdef public dict tasks               # tid -> Task, the living ones
    cdef public ThreadGroup parent
    cdef public dict children            # ThreadGroup -> None, zombies included
    cdef public ProcessGroup pgrp
    cdef public object kernel
    cdef public Handlers handlers        # shared by CLONE_SIGHAND
    cdef public Pending pending          # of the process
    cdef public Limits limits
    cdef public object timers            # kernel.time.posix_timers.ProcessTimers; None until used
    cdef public WaitQueue child_events   # woken when a child's state changes
    cdef public WaitQueue exit_event     # woken when this process becomes a zombie (pidfd)
    cdef public int exit_status          # wait status of the zombie
    cdef public bint exiting             # exit_group, a fatal signal, or exec ending the other threads
    cdef public int group_exit_status
    cdef public bint zombie
    cdef public bint stopped             # job control
    cdef public int stop_signal
    cdef public bint stop_reported       # wait has seen the stop
    cdef public bint continued           # WCONTINUED not seen yet
    cdef public bint is_subreaper
    cdef public int dumpable
    cdef public bint execed              # has called execve since fork (setpgid: EACCES)
    cdef public bint no_stop_notification
    cdef public long long utime_ns       # of dead threads and what is known of the living
    cdef public long long stime_ns
    cdef public long long cutime_ns
    cdef public long long cstime_ns
    cdef public long maxrss
    cdef public long maxrss_children
    cdef public dict sem_undo            # kernel.ipc.sem.SemaphoreSet -> None: what to undo at its end; None
    cdef public object on_exit           # callback(group, wait status) of the host side (exec); None
    cdef public int oom_score_adj
    cdef public long long start_ns
    cdef public object exec_in_progress  # kernel.task.execve.Exec; None
