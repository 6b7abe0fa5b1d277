# SPDX-License-Identifier: Apache-2.0
"""Priority-inheriting futexes: FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI (Documentation/locking/pi-futex.rst).

The word holds the owner's tid, FUTEX_WAITERS and FUTEX_OWNER_DIED. The guest changes it without us as long as nobody waits; we
change it only by an atomic compare-and-exchange that the guest's own thread makes. Waiters queue here; whoever unlocks hands the
lock to the first.
Absent: the inheritance itself (the host schedules), FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI.
"""

from kernel.abi.errno import EAGAIN, EDEADLOCK, EPERM, ERESTARTNOINTR, ERESTARTSYS, ESRCH, ETIMEDOUT, Errno
from kernel.abi.mm import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, HOST_CMPXCHG
from kernel.sync.futex import word_at
from kernel.sync.waitqueue import WaitQueue

DEAD = 5  # kernel.task.task.TaskState


class PiState:
    """The waiters of one futex, first come first served."""

    __slots__ = ("owner", "waiters")

    def __init__(self):
        self.owner = None
        self.waiters = []

    def first(self):
        """The first waiter that is alive, or None."""
        while self.waiters and self.waiters[0].task.state == DEAD:
            self.waiters.pop(0)
        return self.waiters[0] if self.waiters else None


class PiWaiter:
    """A task that waits for the lock."""

    __slots__ = ("address", "again", "deadline_ns", "granted", "key", "queue", "state", "task")

    def __init__(self, task, key, address, state, deadline_ns):
        self.task, self.key, self.address, self.state, self.deadline_ns = task, key, address, state, deadline_ns
        self.queue = WaitQueue()
        self.granted = self.again = False

    def leave(self):
        """Wait no longer."""
        if self in self.state.waiters:
            self.state.waiters.remove(self)
        table = table_of(self.task, self.key)
        if not self.state.waiters and table.get(self.key) is self.state:
            del table[self.key]
        self.task.progress = None


def table_of(task, key):
    """Where the PiState of a key is kept: with the address space, or with the kernel for shared memory."""
    if key[0] is task.mm:
        if task.mm.futexes is None:
            task.mm.futexes = {}
        return task.mm.futexes
    return task.kernel.shared_futexes


def compare_exchange(task, address, old, new, success, retry):
    """Have the word changed from old to new; then success() or, if it was something else, retry()."""

    def done(task, results):
        found = results[-1][1]
        if found < 0:
            return found
        return success() if found == old else retry()

    return task.host_calls([(HOST_CMPXCHG, address, old, new)], 0, done)


def lock(task, key, address, deadline_ns, wait):
    """FUTEX_LOCK_PI, or with wait False FUTEX_TRYLOCK_PI."""
    if task.progress is not None:
        return go_on(task, task.progress)
    return attempt(task, key, address, deadline_ns, wait)


def attempt(task, key, address, deadline_ns, wait):
    """Take the word if it is free, else announce that somebody waits and do so."""
    word = word_at(task, address)
    owner = word & FUTEX_TID_MASK
    if owner == task.tid:
        raise Errno(EDEADLOCK)
    state = table_of(task, key).get(key)

    def retry():
        return attempt(task, key, address, deadline_ns, wait)

    if owner == 0:
        waiters = FUTEX_WAITERS if state is not None and state.first() is not None else 0

        def taken():
            if state is not None:
                state.owner = task
            return 0

        return compare_exchange(task, address, word, task.tid | word & FUTEX_OWNER_DIED | waiters, taken, retry)
    if not wait:
        raise Errno(EAGAIN)
    holder = task.kernel.tasks.get(owner)
    if holder is None or holder.state == DEAD:
        raise Errno(ESRCH)
    if word & FUTEX_WAITERS:
        return join(task, key, address, deadline_ns, holder)
    return compare_exchange(task, address, word, word | FUTEX_WAITERS, lambda: join(task, key, address, deadline_ns, holder), retry)


def join(task, key, address, deadline_ns, holder):
    """Queue up behind the others."""
    state = table_of(task, key).setdefault(key, PiState())
    state.owner = holder
    waiter = PiWaiter(task, key, address, state, deadline_ns)
    state.waiters.append(waiter)
    task.progress = waiter
    return go_on(task, waiter)


def go_on(task, waiter):
    """Woken, or about to sleep."""
    if waiter.granted:
        task.progress = None
        return 0
    if waiter.again:
        waiter.leave()
        return attempt(task, waiter.key, waiter.address, waiter.deadline_ns, True)
    if task.timed_out:
        waiter.leave()
        raise Errno(ETIMEDOUT)
    task.wait_on(waiter.queue)
    return task.block(waiter.deadline_ns, ERESTARTNOINTR, interrupted)


def interrupted(task):
    """A signal handler is going to run: the call is made again afterwards, unless the lock has just come."""
    waiter = task.progress
    if waiter is None:
        return -ERESTARTSYS
    if waiter.granted:
        task.progress = None
        return 0
    waiter.leave()
    return -ERESTARTSYS


def unlock(task, key, address):
    """FUTEX_UNLOCK_PI."""
    word = word_at(task, address)
    if word & FUTEX_TID_MASK != task.tid:
        raise Errno(EPERM)
    return hand_over(task, key, address, word)


def hand_over(task, key, address, word):
    """From `word` to the first waiter, or to nobody."""
    state = table_of(task, key).get(key)
    heir = state.first() if state is not None else None

    def handed():
        if heir is not None and heir in heir.state.waiters and heir.task.state != DEAD:
            grant(heir)
        elif heir is not None:
            return hand_over(task, key, address, heir.task.tid | FUTEX_WAITERS)
        else:
            look_again(task, key)
        return 0

    new = 0 if heir is None else heir.task.tid | FUTEX_WAITERS
    return compare_exchange(task, address, word, new, handed, lambda: unlock(task, key, address))


def grant(heir):
    """The lock is the waiter's."""
    task, state = heir.task, heir.state
    heir.granted = True
    state.waiters.remove(heir)
    state.owner = task
    table = table_of(task, heir.key)
    if not state.waiters and table.get(heir.key) is state:
        del table[heir.key]
    heir.queue.wake()


def look_again(task, key):
    """Who queued up while the lock was being set free tries again."""
    state = table_of(task, key).get(key)
    heir = state.first() if state is not None else None
    if heir is not None:
        heir.again = True
        heir.queue.wake()


def owner_died(task):
    """exit: locks that the task still holds go to their first waiters, marked FUTEX_OWNER_DIED."""
    tables = [task.kernel.shared_futexes]
    if task.mm is not None:
        tables.append(task.mm.futexes)
    for table in filter(None, tables):
        for state in list(table.values()):
            heir = state.first() if state.owner is task else None
            if heir is not None:
                word = (heir.task.tid | FUTEX_WAITERS | FUTEX_OWNER_DIED).to_bytes(4, "little")
                heir.task.copy_out_some(heir.address, word)
                grant(heir)
