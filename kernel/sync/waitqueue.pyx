# SPDX-License-Identifier: Apache-2.0
"""Wait queues: the only way in which something inside the kernel waits for something else.

An object that can become ready owns a WaitQueue and calls `wake(events)` after each change of its state. Waking is
level-less: whoever is woken looks again (a system call is attempted again from its saved registers).
"""


cdef class Waiter:
    """Somebody who waits. Subclasses say what a wake-up does."""

    cpdef bint wake(self, unsigned int events) except? -1:
        raise NotImplementedError


cdef class WaitEntry:
    """One waiter in one queue."""


cdef class WaitQueue:
    """Waiters in order of arrival."""

    def __cinit__(self):
        self.entries = {}

    cpdef WaitEntry add(self, Waiter waiter, unsigned int events=0xffffffff, bint exclusive=False):
        """Put a waiter at the end of the queue; the entry is what `remove` takes."""
        cdef WaitEntry entry = WaitEntry.__new__(WaitEntry)
        entry.queue = self
        entry.waiter = waiter
        entry.events = events
        entry.exclusive = exclusive
        self.entries[entry] = None
        return entry

    cpdef remove(self, WaitEntry entry):
        """Take an entry out; nothing happens if it is out already."""
        self.entries.pop(entry, None)

    cpdef int wake(self, unsigned int events=0xffffffff, int nr_exclusive=0x7fffffff) except -1:
        """Wake who waits for any of the events: all ordinary entries, and up to nr_exclusive exclusive ones.

        Returns how many were woken.
        """
        cdef WaitEntry entry
        cdef int woken = 0
        if not self.entries:
            return 0
        for entry in list(self.entries):
            if not entry.events & events or entry not in self.entries:
                continue
            if entry.exclusive and nr_exclusive <= 0:
                continue
            used = entry.waiter.wake(events & entry.events)
            woken += 1
            if entry.exclusive and used:
                nr_exclusive -= 1
        return woken

    cpdef bint empty(self):
        """No waiters."""
        return not self.entries
