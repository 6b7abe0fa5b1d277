# SPDX-License-Identifier: Apache-2.0
"""The kernel's timers: a heap of deadlines. No clock in here: the time is an argument."""

from _heapq import heappop, heappush


cdef class Timer:
    """One deadline."""

    cpdef cancel(self):
        """It will not be called."""
        self.callback = None


cdef class TimerQueue:
    """Timers by deadline; cancelled ones are dropped when they come to the top."""

    def __cinit__(self):
        self.heap = []

    cpdef Timer add(self, long long deadline_ns, object callback):
        """Call back once the monotonic clock reaches deadline_ns."""
        cdef Timer timer = Timer()
        timer.deadline_ns = deadline_ns
        timer.callback = callback
        self.sequence += 1
        heappush(self.heap, (deadline_ns, self.sequence, timer))
        return timer

    cpdef long long next_deadline(self):
        """The earliest deadline in ns, or -1."""
        while self.heap and (<Timer> self.heap[0][2]).callback is None:
            heappop(self.heap)
        return self.heap[0][0] if self.heap else -1

    cpdef int run(self, long long now_ns) except -1:
        """Call every timer that is due. A timer added meanwhile for the past waits for the next run.

        If one fails, those behind it stand in the queue again.
        """
        cdef list due = []
        count = 0
        while self.heap and self.heap[0][0] <= now_ns:
            due.append(heappop(self.heap))
        due.reverse()
        try:
            while due:
                count += call(due.pop()[2])
        finally:
            for entry in due:
                heappush(self.heap, entry)
        return count


cdef int call(Timer timer) except -1:
    callback, timer.callback = timer.callback, None
    if callback is None:
        return 0
    callback()
    return 1
