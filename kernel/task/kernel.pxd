# SPDX-License-Identifier: Apache-2.0
# The kernel of one sandbox: its event loop, and the tables of everything alive.

from kernel.platform.platform cimport GuestThread, Platform, PlatformEvents
from kernel.sync.runqueue cimport RunQueue
from kernel.task.group cimport ThreadGroup
from kernel.task.hostevents cimport HostEvents, Watch
from kernel.task.task cimport Task
from kernel.time.clock cimport Clock, Stopwatch
from kernel.time.timers cimport TimerQueue


cdef class Kernel(PlatformEvents):
    cdef public Platform platform
    cdef public Clock clock
    cdef public TimerQueue timers
    cdef RunQueue runqueue
    cdef public dict tasks               # tid -> Task, all that are not reaped
    cdef public dict groups              # pid -> ThreadGroup, zombies included
    cdef public dict pgrps               # pgid -> ProcessGroup
    cdef public int last_pid
    cdef public ThreadGroup init         # pid 1; None before it started
    cdef public bint protects_init       # process 1 gets only signals that it handles
    cdef public object machine           # kernel.boot.machine.Machine: what the guests may know of the host
    cdef public object log               # callable(str)
    cdef public bint strace
    cdef public bint finished
    cdef public int max_tasks            # that there may be, zombies counted
    cdef public int exit_status          # wait status of init
    cdef Task current                    # on whose behalf the kernel works; for event_failed only
    cdef unsigned long swept             # nr_syscalls when garbage was last looked for
    cdef HostEvents host_events
    cdef Stopwatch stopwatch             # of handlers
    cdef public dict dying               # host pid -> ThreadGroup whose last stub it is, until the host tells its end
    cdef public unsigned long slow_calls # handlers that held the kernel for more than 200 us
    cdef public dict limits              # of the platform, and vdso: for the loader
    cdef public object services          # kernel.boot.sandbox.Sandbox: what is there once a sandbox
    cdef public dict shared_futexes      # PI futexes in shared memory: see kernel.sync.futex_pi
    cdef public dict unix_names          # abstract AF_UNIX name -> its socket
    cdef public unsigned long nr_syscalls
    cdef public bint paused

    cdef int serve(self, Task task) except -1            # (re)attempt the system call of a task
    cdef int finish(self, Task task, long result) except -1
    cdef void tell_mask(self, Task task) noexcept
    cdef int back_to_guest(self, Task task, bint in_call) except -1
    cdef bint allowed(self, Task task) except? False
    cdef int serve_hot(self) except -1
    cdef int run_events(self, bint platform, bint watches, bint timers) except -1
    cdef int event_failed(self, object error) except -1
    cdef int sweep(self) except -1
    cdef int run_woken(self) except -1
    cdef int handler_failed(self, Task task, object row, str why) except -1
    cdef int trace(self, Task task, object row, long result) except -1
    cpdef resume_stopped(self, Task task)
    cpdef kick(self, Task task)                          # a signal waits: look at it soon
    cpdef long order_host_calls(self, Task task, list calls, long result, object then, object failed) except? -1
    cpdef int new_pid(self) except -1
