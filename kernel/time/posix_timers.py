# SPDX-License-Identifier: Apache-2.0
"""Timers of a process: interval timers (setitimer(2)) and POSIX timers (timer_create(2)).

All of them are deadlines of the kernel's TimerQueue. Timers on CPU time look at the process's use when the time that is left could have
been used up, and wait for the rest, longer and longer while nothing is used: nothing ticks. RLIMIT_CPU is such a timer. A POSIX timer has
at most one signal pending; what expires meanwhile is its overrun.
"""

from kernel.abi.signal import SI_TIMER, SIGALRM, SIGKILL, SIGPROF, SIGVTALRM, SIGXCPU
from kernel.abi.task import RLIMIT_CPU
from kernel.signal.pending import SigInfo, kernel_info
from kernel.signal.send import send_to_group, send_to_task
from kernel.task.cputime import used
from kernel.task.exit import group_exit
from kernel.task.limits import RLIM_INFINITY

ITIMER_SIGNALS = (SIGALRM, SIGVTALRM, SIGPROF)
CLOCK_PROCESS, CLOCK_THREAD = 2, 3
CLOSEST_CPU_NS = 1000000  # a CPU timer looks again no sooner
FOR_EVER_S = 1 << 32  # of processor time: more would not fit a long of ns
IDLE_CPU_NS = 1000000000  # nor later, unless more is left
NS = 1000000000
MAX_OVERRUN = 0x7FFFFFFF


class Countdown:
    """A deadline with an interval, on wall time or on the CPU time of a process. `expired(count)` is called when it is over."""

    def __init__(self, group, on_cpu, expired):
        self.group = group
        self.kernel = group.kernel
        self.on_cpu = on_cpu
        self.expired = expired
        self.deadline_ns = 0  # in its own time; 0: disarmed
        self.interval_ns = 0
        self.timer = None
        self.seen_ns = self.wait_ns = 0  # on CPU time: its use at the last look, and how long the wait was

    def now(self):
        """Its own time in ns."""
        return sum(used(self.group)) if self.on_cpu else self.kernel.clock.monotonic_ns()

    def left(self):
        """ns until it expires, at least 1; 0 if it is disarmed."""
        return max(self.deadline_ns - self.now(), 1) if self.deadline_ns else 0

    def set(self, deadline_ns, interval_ns):
        """Arm, or disarm with 0."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.deadline_ns, self.interval_ns = deadline_ns, interval_ns
        if deadline_ns:
            self.arm()

    def arm(self):
        if self.on_cpu:
            self.timer = self.kernel.timers.add(self.kernel.clock.monotonic_ns() + self.next_look(), self.fire)
        else:
            self.timer = self.kernel.timers.add(self.deadline_ns, self.fire)

    def next_look(self):
        """ns until its CPU time may be used up, by all threads at once; twice as long as before if nothing was used."""
        now = self.now()
        wait = max((self.deadline_ns - now) // max(len(self.group.tasks), 1), CLOSEST_CPU_NS)
        if now == self.seen_ns:
            wait = max(wait, min(2 * self.wait_ns, IDLE_CPU_NS))
        self.seen_ns, self.wait_ns = now, wait
        return wait

    def fire(self):
        """The kernel's timer went off."""
        self.timer = None
        now = self.now()
        if now < self.deadline_ns:
            self.arm()
            return
        count = 1
        if self.interval_ns:
            count += (now - self.deadline_ns) // self.interval_ns
            self.deadline_ns += count * self.interval_ns
            self.arm()
        else:
            self.deadline_ns = 0
        self.expired(count)


class PosixTimer:
    """One timer of timer_create(2)."""

    def __init__(self, number, group, clock_id, event):
        self.number = number
        self.group = group
        self.clock_id = clock_id
        self.event = event  # kernel.syscalls.timers.Event
        self.countdown = Countdown(group, clock_id < 0 or clock_id in (CLOCK_PROCESS, CLOCK_THREAD), self.expired)
        self.is_pending = False
        self.overrun = 0  # of the signal that is pending
        self.last_overrun = 0  # of the signal delivered last

    def expired(self, count):
        """Send the signal, or count."""
        if self.event.signo == 0:
            return
        if self.is_pending:
            self.overrun = min(self.overrun + count, MAX_OVERRUN)
            return
        self.is_pending = True
        self.overrun = count - 1
        info = SigInfo()
        info.signo, info.code, info.timer = self.event.signo, SI_TIMER, self
        info.fields = self.fields(self.overrun)
        if self.event.task is None:
            send_to_group(self.group, info)
        else:
            send_to_task(self.event.task, info)

    def fields(self, overrun):
        """si_timerid, si_overrun, si_value."""
        return self.number.to_bytes(4, "little") + overrun.to_bytes(4, "little") + self.event.value.to_bytes(8, "little")

    def delivered(self, info):
        """The signal is on its way to a handler: what was missed meanwhile goes with it."""
        self.is_pending = False
        self.last_overrun = self.overrun
        info.fields = self.fields(self.overrun)
        info.timer = None
        return info


class ProcessTimers:
    """The timers of one process."""

    def __init__(self, group):
        self.group = group
        self.intervals = [Countdown(group, which > 0, lambda _count, which=which: self.interval_over(which)) for which in range(3)]
        self.cpu_limit = Countdown(group, True, self.cpu_limit_over)
        self.timers = {}
        self.last_number = -1

    def interval_over(self, which):
        """SIGALRM and its kin."""
        send_to_group(self.group, kernel_info(ITIMER_SIGNALS[which]))

    def watch_cpu_limit(self):
        """RLIMIT_CPU is new: SIGXCPU at the soft limit and every second of use after it, the end at the hard one."""
        soft, hard = self.group.limits.soft(RLIMIT_CPU), self.group.limits.hard(RLIMIT_CPU)
        self.cpu_limit.set(0 if soft == RLIM_INFINITY else max(min(soft, hard, FOR_EVER_S), 1) * NS, 0)

    def cpu_limit_over(self, _count):
        used_ns = self.cpu_limit.now()
        hard = self.group.limits.hard(RLIMIT_CPU)
        if used_ns >= hard * NS:
            group_exit(self.group, SIGKILL)
            return
        self.cpu_limit.set(min(used_ns + NS, hard * NS), 0)
        send_to_group(self.group, kernel_info(SIGXCPU))

    def new_number(self):
        """The id of a new timer."""
        self.last_number += 1
        return self.last_number

    def exec(self):
        """execve deletes POSIX timers and keeps interval timers."""
        for timer in self.timers.values():
            timer.countdown.set(0, 0)
        self.timers.clear()

    def drop(self):
        """The process is over."""
        self.exec()
        for countdown in (*self.intervals, self.cpu_limit):
            countdown.set(0, 0)


def timers_of(group):
    """The process's timers, made when first used."""
    if group.timers is None:
        group.timers = ProcessTimers(group)
    return group.timers


def watch_cpu_limit(group):
    """RLIMIT_CPU was set or inherited."""
    if group.timers is not None or group.limits.soft(RLIMIT_CPU) != RLIM_INFINITY:
        timers_of(group).watch_cpu_limit()
