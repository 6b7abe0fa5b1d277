# SPDX-License-Identifier: Apache-2.0
"""What a call that moves bytes keeps between its attempts: how far it is, what the pool does for it, what it has for itself.

Rule: a transfer that is served in several pieces has its file position, and a writer its inode, for itself until it has ended, as under
Linux's f_pos_lock and i_rwsem: pieces of two writes do not mix. A holder whose task has died or does something else by now holds nothing.
"""

from kernel.sync.waitqueue cimport WaitQueue
from kernel.task.task cimport DEAD

cdef dict holders = {}                   # file or inode -> Moved


cdef class Moved:
    """Progress of a read, a write, a transfer."""

    def __cinit__(self):
        self.deadline_ns = -1

    cdef int hold(self, Task task, list objects) except -1:
        """Have the objects alone from now on; the caller has asked holder_of()."""
        global nr_held
        if self.held is not None:
            return 0
        self.task, self.held, self.queue = task, objects, WaitQueue()
        for key in objects:
            holders[key] = self
        nr_held = len(holders)
        return 0

    cdef int let_go(self) except -1:
        """The call has ended."""
        global nr_held
        if self.held is None:
            return 0
        for key in self.held:
            if holders.get(key) is self:
                del holders[key]
        nr_held = len(holders)
        self.held = None
        self.task = None
        self.queue.wake()
        return 0


cdef Moved holder_of(Task task, object held):
    """The call of another task that has the object for itself; None."""
    cdef Moved holder = holders.get(held)
    if holder is None or holder.task is task:
        return None
    if holder.task.state == DEAD or holder.task.progress is not holder:
        holder.let_go()
        return None
    return holder
