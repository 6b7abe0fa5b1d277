# SPDX-License-Identifier: Apache-2.0
"""Wait queues: the only way in which something inside the kernel waits for something else.

An object that can become ready owns a WaitQueue and calls `wake(events)` after each change of its state. Waking is
level-less: whoever is woken looks again (a system call is attempted again from its saved registers).
"""

cimport cython


cdef class Waiter:
    """Somebody who waits. Subclasses say what a wake-up does."""

    cpdef bint wake(self, unsigned int events) except? -1:
        raise NotImplementedError


@cython.freelist(64)
cdef class WaitEntry:
    """One waiter in one queue."""


@cython.freelist(64)
cdef class WaitQueue:
    """Waiters in order of arrival: a chain of entries, so that coming, going and waking one cost nothing to speak of."""

    cpdef WaitEntry add(self, Waiter waiter, unsigned int events=0xffffffff, bint exclusive=False):
        """Put a waiter at the end of the queue; the entry is what `remove` takes."""
        cdef WaitEntry entry = WaitEntry.__new__(WaitEntry)
        entry.queue = self
        entry.waiter = waiter
        entry.events = events
        entry.exclusive = exclusive
        entry.stands = True
        entry.before = self.last
        if self.last is None:
            self.first = entry
        else:
            self.last.behind = entry
        self.last = entry
        return entry

    cpdef remove(self, WaitEntry entry):
        """Take an entry out; nothing happens if it is out already."""
        if not entry.stands or entry.queue is not self:
            return
        entry.stands = False
        if entry.before is None:
            self.first = entry.behind
        else:
            entry.before.behind = entry.behind
        if entry.behind is None:
            self.last = entry.before
        else:
            entry.behind.before = entry.before
        entry.before = entry.behind = None

    cpdef int wake(self, unsigned int events=0xffffffff, int nr_exclusive=0x7fffffff) except -1:
        """Wake who waits for any of the events: all ordinary entries, and up to nr_exclusive exclusive ones.

        Returns how many were woken.
        """
        cdef WaitEntry entry = self.first
        if entry is None:
            return 0
        if entry is not self.last:
            return self.wake_many(events, nr_exclusive)
        if not entry.events & events or entry.exclusive and nr_exclusive <= 0:
            return 0
        entry.waiter.wake(events & entry.events)
        return 1

    cdef int wake_many(self, unsigned int events, int nr_exclusive) except -1:
        """Those that stand here now and still do when it is their turn."""
        cdef WaitEntry entry = self.first
        cdef list found = []
        cdef int woken = 0
        while entry is not None:
            if entry.events & events:
                found.append(entry)
            entry = entry.behind
        for entry in found:
            if not entry.stands or entry.exclusive and nr_exclusive <= 0:
                continue
            used = entry.waiter.wake(events & entry.events)
            woken += 1
            if entry.exclusive and used:
                nr_exclusive -= 1
        return woken

    cpdef bint empty(self):
        """No waiters."""
        return self.first is None
