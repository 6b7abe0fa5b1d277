# SPDX-License-Identifier: Apache-2.0
"""The kernel of a sandbox with a debug log: it also counts the attempts to serve each system call, and knows the longest's processor time.

While one is served no other task is, so the longest say who holds the kernel. Time of the host's other programs is not in it. What a call
has done in timers, host events and after calls of the guest's own thread is not in it either.
"""

from kernel.syscalls.table cimport Row, row_of
from kernel.task.task cimport Task

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *time)

cdef enum:
    CLOCK_THREAD_CPUTIME_ID = 3

SHOWN = 12


cdef class MeasuredKernel(Kernel):
    """As Kernel; report() is for the end of the log."""

    def __init__(self, clock, log):
        Kernel.__init__(self, clock, log)
        self.longest, self.attempts = {}, {}

    cdef int serve(self, Task task) except -1:
        cdef int number = task.number
        cdef long long started = processor_ns(), spent
        Kernel.serve(self, task)
        spent = processor_ns() - started
        if spent > <long long> self.longest.get(number, 0):
            self.longest[number] = spent
        self.attempts[number] = self.attempts.get(number, 0) + 1
        return 0

    def report(self):
        """Lines: how many calls held the kernel for long and the longest attempts in us of processor time; how often each was tried."""
        worst = sorted(self.longest.items(), key=lambda entry: -entry[1])[:SHOWN]
        shown = ", ".join(f"{name_of(number)} {spent // 1000}" for number, spent in worst)
        attempts = ", ".join(f"{name_of(number)} {count}" for number, count in sorted(self.attempts.items()))
        return (
            f"{self.slow_calls} of {self.nr_syscalls} system calls held the kernel for more than 200 us; longest in us: {shown}",
            f"system calls were attempted so often: {attempts}",
        )


cdef str name_of(int number):
    cdef Row row = row_of(number)
    return f"syscall_{number}" if row is None else row.name


cdef long long processor_ns():
    cdef timespec now
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return now.tv_sec * 1000000000LL + now.tv_nsec
