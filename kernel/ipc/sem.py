# SPDX-License-Identifier: Apache-2.0
"""System V semaphore sets (semop(2)): all operations of a call happen at once or the caller waits and attempts them again.

Undo values belong to a process and are given back when it ends; that processes share them (CLONE_SYSVSEM without CLONE_THREAD) is absent.
"""

import struct

from kernel.abi.errno import ERANGE, Errno
from kernel.ipc.ids import IpcObject
from kernel.sync.waitqueue import WaitQueue

SEMVMX = 32767
SEMAEM = 32767
IPC_NOWAIT = 0o4000
SEM_UNDO = 0x1000
DS = struct.Struct("<qQqQQQQ")  # struct semid64_ds behind its ipc64_perm


class Blocked(Exception):
    """The first operation that can't be done now."""

    def __init__(self, operation):
        super().__init__()
        self.operation = operation


class SemaphoreSet(IpcObject):
    """One set: values, the process that changed each last, what is to be undone at whose end."""

    def __init__(self, creds, key, mode, count, now):
        super().__init__(creds, key, mode)
        self.values = [0] * count
        self.pids = [0] * count
        self.undo = {}  # ThreadGroup -> adjustment of each semaphore
        self.sleepers = {}  # task -> the operation it waits for
        self.waiters = WaitQueue()
        self.otime, self.ctime = 0, now
        self.removed = False

    def operate(self, group, operations, now):
        """Do them all, or raise Blocked; ERANGE. An operation is (number, change, flags)."""
        values = list(self.values)
        adjustments = list(self.undo.get(group) or [0] * len(values))
        for operation in operations:
            number, change, flags = operation
            value = values[number]
            if value + change < 0 or (change == 0 and value):
                raise Blocked(operation)
            if value + change > SEMVMX:
                raise Errno(ERANGE)
            values[number] += change
            if flags & SEM_UNDO:
                adjustments[number] -= change
                if not -SEMAEM - 1 <= adjustments[number] <= SEMAEM:
                    raise Errno(ERANGE)
        self.values = values
        self.otime = now
        for number, _, _ in operations:
            self.pids[number] = group.pid
        if any(flags & SEM_UNDO for _, _, flags in operations):
            self.undo[group] = adjustments
            group.sem_undo = (group.sem_undo or {}) | {self: None}
        if any(change for _, change, _ in operations):
            self.waiters.wake()

    def assign(self, changes, pid, now):
        """SETVAL and SETALL: {number: value}. What was to be undone there is forgotten."""
        for number, value in changes.items():
            self.values[number], self.pids[number] = value, pid
            for adjustments in self.undo.values():
                adjustments[number] = 0
        self.ctime = now
        self.waiters.wake()

    def nr_waiting(self, number, for_zero):
        """Tasks whose first impossible operation is on this semaphore."""
        waiting = [task for task, (which, change, _) in self.sleepers.items() if which == number and (change == 0) == for_zero]
        return sum(not task.killed for task in waiting)

    def process_ended(self, group):
        """Give back what its SEM_UNDO operations changed."""
        for number, change in enumerate(self.undo.pop(group, ())):
            if change and not self.removed:
                self.values[number] = min(max(self.values[number] + change, 0), SEMVMX)
                self.pids[number] = group.pid
        self.waiters.wake()

    def mark_removed(self, table):
        """IPC_RMID: whoever waits hears EIDRM."""
        table.remove(self)
        self.removed = True
        self.undo.clear()
        self.waiters.wake()

    def pack(self):
        """struct semid64_ds."""
        return self.pack_perm() + DS.pack(self.otime, 0, self.ctime, 0, len(self.values), 0, 0)

    def figures(self):
        """The rest of its line in /proc/sysvipc/sem."""
        return f"{len(self.values):10} {self.owners()} {self.otime:10} {self.ctime:10}"


def exit_undo(group):
    """A process ends."""
    sets, group.sem_undo = group.sem_undo, None
    for semaphores in sets or ():
        semaphores.process_ended(group)
