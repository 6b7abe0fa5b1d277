# SPDX-License-Identifier: Apache-2.0
"""The run queue: tasks that were woken while they waited inside a system call."""

from _collections import deque


cdef class RunQueue:
    """First woken, first served. A task stands in it at most once (it keeps track itself)."""

    def __cinit__(self):
        self.tasks = deque()

    cdef void push(self, object task):
        self.tasks.append(task)

    cdef object pop(self):
        return self.tasks.popleft() if self.tasks else None
