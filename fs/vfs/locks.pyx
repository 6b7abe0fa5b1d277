# SPDX-License-Identifier: Apache-2.0
"""Advisory locks: flock(2), POSIX record locks, and locks of open file descriptions (fcntl(2)).

Locks hang on the inode. A record lock belongs to a descriptor table, an OFD lock to a File; the two kinds exclude each other, and neither
knows flock's. Whoever waits stands in `waiters` and tries again. A wait for a record lock that would close a circle is refused
(EDEADLK): `blocked` says which owner waits for which.
"""

from kernel.abi.errno cimport ERESTARTSYS
from kernel.abi.fs cimport F_UNLCK, F_WRLCK, LOCK_EX, LOCK_UN

cdef enum:
    MAX_CHAIN = 64                       # owners followed in search of a circle

cdef dict blocked = {}                   # task -> (owner, owner of the lock that it waits for)


cpdef FileLocks locks_of(inode):
    """The locks of an inode, made at first use."""
    if inode.locks is None:
        inode.locks = FileLocks()
    return inode.locks


cdef class RangeLock:
    """A lock on the bytes from start to end."""

    def __init__(self, owner, int pid, int kind, long long start, long long end):
        self.owner = owner
        self.pid = pid
        self.kind = kind
        self.start = start
        self.end = end

    cdef bint overlaps(self, long long start, long long end):
        return self.start <= end and start <= self.end


cdef class FileLocks:
    """All locks of one inode."""

    def __init__(self):
        self.flocks = {}
        self.ranges = []
        self.waiters = WaitQueue()

    cpdef bint flock(self, file, int kind):
        """Set LOCK_SH, LOCK_EX or LOCK_UN for a File. False if another's lock is in the way: then the File has none."""
        old = self.flocks.pop(file, None)
        if old is not None and old != kind:
            self.waiters.wake()
        if kind == LOCK_UN:
            return True
        for other, held in self.flocks.items():
            if other is not file and (held == LOCK_EX or kind == LOCK_EX):
                return False
        self.flocks[file] = kind
        return True

    cpdef RangeLock conflict(self, owner, int kind, long long start, long long end):
        """A lock of somebody else's that forbids this one, or None."""
        cdef RangeLock lock
        for lock in self.ranges:
            if lock.owner is not owner and lock.overlaps(start, end) and (lock.kind == F_WRLCK or kind == F_WRLCK):
                return lock
        return None

    cpdef set_range(self, owner, int pid, int kind, long long start, long long end):
        """Set or (F_UNLCK) remove the owner's lock on a range that has no conflict: older ones are cut, equal neighbours joined."""
        cdef RangeLock lock
        cdef list kept = []
        for lock in self.ranges:
            if lock.owner is not owner or lock.end < start - 1 or lock.start > end and lock.start - 1 > end:
                kept.append(lock)
            elif lock.kind == kind:
                start, end = min(start, lock.start), max(end, lock.end)
            else:
                if lock.start < start:
                    kept.append(RangeLock(owner, lock.pid, lock.kind, lock.start, min(lock.end, start - 1)))
                if lock.end > end:
                    kept.append(RangeLock(owner, lock.pid, lock.kind, max(lock.start, end + 1), lock.end))
        if kind != F_UNLCK:
            kept.append(RangeLock(owner, pid, kind, start, end))
        self.ranges = kept
        if kind != F_WRLCK:
            self.waiters.wake()

    cpdef drop_file(self, file):
        """An open file is gone, and its locks with it."""
        if self.flocks.pop(file, None) is not None:
            self.waiters.wake()
        self.drop_owner(file)

    cpdef drop_owner(self, owner):
        """All ranges of an owner are unlocked."""
        cdef RangeLock lock
        cdef list kept = [lock for lock in self.ranges if lock.owner is not owner]
        if len(kept) < len(self.ranges):
            self.ranges = kept
            self.waiters.wake()


def would_deadlock(owner, RangeLock conflict):
    """Waiting for the conflicting lock would close a circle of owners that wait for each other."""
    cdef int _i
    waited_for = {who: whom for task, (who, whom) in blocked.items() if not task.killed}
    holder = conflict.owner
    for _i in range(MAX_CHAIN):
        if holder is owner:
            return True
        holder = waited_for.get(holder)
        if holder is None:
            break
    return False


def begin_wait(task, owner, RangeLock conflict):
    """The task is going to wait for a record lock."""
    for other in [other for other in blocked if other.killed]:
        del blocked[other]
    blocked[task] = (owner, conflict.owner)


def end_wait(task):
    """The task doesn't wait any longer."""
    blocked.pop(task, None)


def break_off(task):
    """For task.block(interrupted=...): a handler is going to run."""
    end_wait(task)
    return -ERESTARTSYS
