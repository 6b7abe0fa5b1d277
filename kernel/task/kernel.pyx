# SPDX-License-Identifier: Apache-2.0
"""The kernel: one thread, one loop, like a uniprocessor Unix.

Events of the platform (system calls, faults, births, deaths), host descriptors and timers come in here one at a time; a request is served
to its end or until its task waits. No other thread touches kernel objects, so nothing is locked.

Rules: a handler that raises anything but Errno kills only its own process, with a log line that names the call. A handler that holds the
kernel for more than SLOW_NS is counted. Before a request waits, pending signals are looked at.
"""

import gc

from libc.errno cimport EINTR as HOST_EINTR, errno as host_errno

from kernel.abi.errno cimport EAGAIN, ENOMEM, ENOSYS, ERESTARTNOHAND, ERESTARTSYS, Errno
from kernel.abi.signal cimport SIGKILL, SIGSEGV, SIGSYS
from kernel.abi.mm cimport MAP_PRIVATE, PROT_EXEC, PROT_READ
from kernel.mm.mm cimport VMA
from kernel.platform.platform cimport HostCall, Space
from kernel.signal.deliver cimport STAY, deliver
from kernel.signal.pending cimport fault_info
from kernel.signal.send cimport force
from kernel.mm import stack
from kernel.task import rusage
from kernel.syscalls.table cimport Row, row_of
from kernel.task cimport watchdog
from kernel.task.exit cimport end_born_dead, group_exit, space_died
from kernel.task.failure import failure_text
from kernel.task.hostcalls cimport order_calls
from kernel.task.hostevents cimport HostEvents, Watch
from kernel.task.seccomp cimport passes
from kernel.task.task cimport BLOCKED, DEAD, GUEST, ORDERED, SERVING, STOPPED, WAITING
from kernel.time.clock cimport ticks

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    struct timespec:
        long tv_sec
        long tv_nsec
    int ppoll(pollfd *fds, unsigned long count, const timespec *timeout, const void *mask)
    enum:
        POLLIN

cdef enum:
    SLOW_NS = 200000
    CALLS_A_SWEEP = 4096
    MAX_GARBAGE = 100000                 # containers made and not freed since the last collection
    PID_MAX = 32768
    MAX_TASKS = PID_MAX - 1000           # leaves numbers for groups and sessions whose leaders are gone


cdef class Kernel(PlatformEvents):
    """The kernel of a sandbox. `platform` is set by the boot code before run()."""

    def __init__(self, Clock clock, log):
        self.clock = clock
        self.log = log
        self.max_tasks = MAX_TASKS
        self.stopwatch = Stopwatch()
        self.timers = TimerQueue()
        self.runqueue = RunQueue()
        self.host_events = HostEvents(log)
        self.tasks, self.groups, self.pgrps = {}, {}, {}
        self.shared_futexes, self.unix_names, self.dying = {}, {}, {}

    def run_queue(self):
        """The queue that woken tasks stand in."""
        return self.runqueue

    def run(self):
        """Serve until pid 1 is gone; returns its wait status."""
        cdef pollfd fds[2]
        cdef timespec timeout
        cdef long long next_ns
        cdef int hot
        fds[0].fd, fds[0].events = self.platform.listener, POLLIN
        fds[1].fd, fds[1].events = self.host_events.epoll, POLLIN
        while not self.finished:
            watchdog.turns += 1
            self.run_woken()
            if self.finished:
                break
            if self.nr_syscalls - self.swept > CALLS_A_SWEEP:
                self.sweep()
            hot = self.serve_hot()
            if hot == 2:
                continue
            next_ns = self.timers.next_deadline()
            if hot:
                timeout.tv_sec = timeout.tv_nsec = 0
            elif next_ns >= 0:
                next_ns = max(next_ns - self.clock.monotonic_ns(), 0)
                timeout.tv_sec, timeout.tv_nsec = next_ns // 1000000000, next_ns % 1000000000
            if ppoll(fds, 2, &timeout if hot or next_ns >= 0 else NULL, NULL) < 0:
                if host_errno != HOST_EINTR:
                    raise OSError(host_errno, "ppoll")
                continue
            self.run_events(fds[0].revents != 0, fds[1].revents != 0, next_ns >= 0)
        return self.exit_status

    cdef int serve_hot(self) except -1:
        self.current = None
        try:
            return self.platform.serve_hot()
        except Exception as error:
            self.event_failed(error)
        return 1

    cdef int run_events(self, bint platform, bint watches, bint timers) except -1:
        """One round. What fails on behalf of a task outside its handler costs that task's process only."""
        self.current = None
        try:
            if platform:
                self.platform.dispatch()
            if watches:
                self.host_events.run()
            if timers:
                self.current = None
                self.timers.run(self.clock.monotonic_ns())
        except Exception as error:
            self.event_failed(error)
        return 0

    cdef int sweep(self) except -1:
        """Guests can make cycles (a socket sent through itself); the automatic collector, which would stop any handler, is off."""
        self.swept = self.nr_syscalls
        if gc.get_count()[0] > MAX_GARBAGE:
            gc.collect()
        return 0

    cdef int event_failed(self, object error) except -1:
        cdef Task task = self.current
        self.current = None
        if task is None:
            self.log("an event failed in the kernel\n%s" % failure_text(error))
            return 0
        self.log("task %d (%s): an event failed in the kernel; its process is killed\n%s" % (
            task.tid, task.comm.decode("ascii", "replace"), failure_text(error)))
        if task.state != DEAD:
            task.leave_queues()
            group_exit(task.group, SIGKILL)
        return 0

    def watch(self, int fd, unsigned int events, callback):
        """Call back with EPOLL* bits whenever the host descriptor has one of `events`; one watch a descriptor."""
        return self.host_events.watch(fd, events, callback)

    def unwatch(self, Watch watch):
        """Stop listening; the descriptor must still be open."""
        self.host_events.unwatch(watch)

    def reap_children(self):
        """Listen for the deaths of stubs: they are all children of this process."""
        self.host_events.watch_children(self.child_ended)

    def child_ended(self, host_pid, status, maxrss):
        """A stub is gone; what the host knows of its memory is its process's."""
        group = self.dying.pop(host_pid, None)
        if group is not None:
            rusage.add_maxrss(group, maxrss)
        self.platform.child_died(host_pid, status)

    cdef int run_woken(self) except -1:
        """Attempt again what was woken, once each."""
        cdef Task task
        while not self.finished:
            task = self.runqueue.pop()
            if task is None:
                return 0
            task.queued = False
            if task.state == WAITING:
                task.leave_queues()
                try:
                    self.serve(task)
                except Exception as error:
                    self.event_failed(error)
        return 0

    # system calls

    cdef int on_syscall(self, GuestThread thread) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        self.nr_syscalls += 1
        task.number = thread.syscall_number()
        thread.arguments(task.args)
        task.progress = None
        task.timed_out = False
        task.call_deadline_ns = -1
        if task.seccomp is not None and not self.allowed(task):
            return 0
        return self.serve(task)

    cdef bint allowed(self, Task task) except? False:
        """By the task's own filters; otherwise they have done with the call what they wanted."""
        task.state = SERVING
        self.current = task
        return passes(task)

    cdef int serve(self, Task task) except -1:
        cdef long result
        cdef Row row = row_of(task.number)
        cdef unsigned long started = ticks()
        task.state = SERVING
        self.current = task
        watchdog.serving, watchdog.caller = task.number, task.tid
        if row is None:
            result = -ENOSYS
        else:
            try:
                result = row.call(task)
            except Errno as error:
                result = -error.number
            except MemoryError:
                result = -ENOMEM
            except Exception as error:
                return self.handler_failed(task, row, failure_text(error))
        if self.stopwatch.passed(started, SLOW_NS):
            self.slow_calls += 1
        task.timed_out = False
        if self.strace:
            self.trace(task, row, result)
        if task.state == DEAD or result == ORDERED:
            return 0
        if result == BLOCKED:
            if task.signal_pending() and (task.restart or task.killed):    # restart 0: UNINTERRUPTIBLE
                task.leave_queues()
                return self.back_to_guest(task, True)
            return 0
        return self.finish(task, result)

    cdef int handler_failed(self, Task task, object row, str why) except -1:
        self.log("task %d (%s): %s(%s) failed in the kernel; its process is killed\n%s" % (
            task.tid, task.comm.decode("ascii", "replace"), row.name, row.arguments_text(task), why))
        if task.state != DEAD:
            task.leave_queues()
            group_exit(task.group, SIGKILL)
        return 0

    cdef int trace(self, Task task, object row, long result) except -1:
        name = "syscall_%d" % task.number if row is None else row.name
        shown = "" if row is None else row.arguments_text(task)
        value = {BLOCKED: "...", ORDERED: "(ordered)"}.get(result)
        self.log("[%d] %s(%s) = %s" % (task.tid, name, shown, value or result))
        return 0

    cdef int finish(self, Task task, long result) except -1:
        """The call has its result: give it, deliver signals, go on."""
        task.thread.set_result(result)
        if task.restore_blocked:
            task.restore_blocked = False
            task.blocked = task.saved_blocked
        return self.back_to_guest(task, False)

    cdef int back_to_guest(self, Task task, bint in_call) except -1:
        """Deliver what is pending; then resume, or attempt the unfinished call again (in_call), or stay stopped."""
        task.in_call = in_call
        if task.signal_pending() or task.group.stopped:
            if deliver(task) == STAY:
                return 0
        if task.in_call:
            task.in_call = False
            return self.serve(task)
        task.state = GUEST
        if task.creds is not task.told_creds:
            task.tell_ids()
        self.tell_mask(task)
        task.thread.resume()
        return 0

    cdef void tell_mask(self, Task task) noexcept:
        """While no signal waits its thread may change the mask by itself; not if each call is to be shown, or judged."""
        task.thread.tell_mask(task.blocked, not self.strace and task.seccomp is None
                              and not (task.pending.mask | task.group.pending.mask))

    cpdef resume_stopped(self, Task task):
        """SIGCONT: a stopped task goes on where it was."""
        if task.state == STOPPED:
            self.back_to_guest(task, task.in_call)

    cpdef kick(self, Task task):
        """A signal waits for the task: have it looked at soon, wherever the task is."""
        if task.state == WAITING:
            task.wake(0)
        elif task.state == GUEST:
            task.thread.interrupt()

    def result_of(self, Task task, long result):
        """A handler that answered ORDERED or waits in the middle has its result now."""
        if task.state != DEAD:
            self.finish(task, result)

    # other events of the platform

    cdef int on_foreign_syscall(self, GuestThread thread) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        self.current = task
        return self.finish(task, -ENOSYS)

    cdef int on_fault(self, GuestThread thread, int signo, int code, unsigned long address) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        task.state = SERVING
        self.current = task
        if signo == SIGSEGV:
            calls = stack.grow(task, address)
            if calls is not None:
                task.host_calls(calls, 0, self.stack_grown)
                return 0
        force(task, fault_info(signo, code, address))
        if task.state != DEAD:
            self.back_to_guest(task, False)
        return 0

    def stack_grown(self, Task task, results):
        """The instruction that needed more stack is tried again; if the host refused it faults again, for good."""
        self.back_to_guest(task, False)
        return ORDERED

    cdef int on_interrupt(self, GuestThread thread) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        task.state = SERVING
        self.current = task
        return self.back_to_guest(task, False)

    cdef int on_futex_interrupt(self, GuestThread thread) except -1:
        """A native futex wait was broken off: as ERESTARTSYS without, as EINTR with a handler."""
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        task.number = thread.syscall_number()
        thread.arguments(task.args)
        task.state = SERVING
        self.current = task
        task.restart = ERESTARTNOHAND if task.args[3] else ERESTARTSYS    # with a timeout it never restarts
        task.interrupted = None
        task.in_call = True
        if task.signal_pending() or task.group.stopped:
            if deliver(task) == STAY:
                return 0
        if task.in_call:
            task.in_call = False
            thread.restart_syscall()
        task.state = GUEST
        self.tell_mask(task)
        thread.resume()
        return 0

    cdef int on_mask(self, GuestThread thread, unsigned long mask) except -1:
        cdef Task task = <Task> thread.task
        if task is not None and not task.restore_blocked:
            task.own_mask(mask)
        return 0

    cpdef long order_host_calls(self, Task task, list calls, long result, object then, object failed) except? -1:
        """See Task.host_calls."""
        return order_calls(self, task, calls, result, then, failed)

    cdef int on_host_calls(self, GuestThread thread, HostCall *calls, int count) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        then = task.after_host_calls
        task.after_host_calls = None
        task.state = SERVING
        self.current = task
        then([(calls[i].number, calls[i].result) for i in range(count)])
        return 0

    cdef int on_clone(self, GuestThread thread, long error) except -1:
        cdef Task task = <Task> thread.task
        if task.state == DEAD:
            return end_born_dead(thread)
        self.current = task
        from kernel.task import clone
        return clone.host_clone_ended(self, task, error)

    cdef int on_born(self, GuestThread thread) except -1:
        cdef Task task = <Task> thread.task
        if task is None or task.state == DEAD:
            return end_born_dead(thread)
        self.current = task
        if task.born_action is not None:
            action, task.born_action = task.born_action, None
            action(task)
            return 0
        if task.mm.space is None:
            task.mm.space = thread.space
        return self.back_to_guest(task, False)

    cdef int code_protection(self, GuestThread thread, unsigned long start, unsigned long end) noexcept:
        cdef Task task = <Task> thread.task
        cdef VMA vma
        if task is None or task.mm is None:
            return 0
        vma = task.mm.find(start)
        if vma is None or vma.end < end or not vma.flags & MAP_PRIVATE or vma.prot != PROT_READ | PROT_EXEC:
            return 0
        return vma.prot

    cdef int page_protection(self, GuestThread thread, unsigned long page) noexcept:
        cdef Task task = <Task> thread.task
        cdef VMA vma = None if task is None or task.mm is None else task.mm.find(page)
        return -1 if vma is None else vma.prot

    cdef int on_breach(self, GuestThread thread, str what) except -1:
        cdef Task task = <Task> thread.task
        if task is None:
            self.log("a stub broke the protocol: %s; killed" % what)
            return 0
        self.log("task %d (%s) broke the protocol: %s; its process is killed" % (task.tid, task.comm.decode("ascii", "replace"), what))
        if task.state != DEAD:
            group_exit(task.group, SIGSYS)
        return 0

    cdef int on_space_dead(self, Space space, int wait_status) except -1:
        return space_died(self, space, wait_status)

    cpdef int new_pid(self) except -1:
        """A process number that is free: the next after the last one given out."""
        cdef int pid = self.last_pid
        for _ in range(PID_MAX):
            pid = pid + 1 if pid + 1 < PID_MAX else 300
            if pid not in self.tasks and pid not in self.groups and pid not in self.pgrps:
                self.last_pid = pid
                return pid
        raise Errno(EAGAIN)
