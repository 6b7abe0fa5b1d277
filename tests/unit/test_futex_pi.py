# SPDX-License-Identifier: Apache-2.0
"""Priority-inheriting futexes and robust lists against a word that guests change under the kernel's hands."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.abi.errno import EAGAIN, EDEADLOCK, EPERM, ESRCH, ETIMEDOUT, Errno
from kernel.abi.mm import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, HOST_CMPXCHG, MAP_PRIVATE
from kernel.mm.mm import MM, VMA
from kernel.sync import futex_pi
from kernel.sync.robust import exit_robust_list
from kernel.task.creds import Creds
from kernel.task.limits import Limits

BLOCKED = -0x100000
WORD = 0x100000
HEAD, ENTRY = 0x200000, 0x200100


class Memory:
    """Guest memory shared by all tasks of a test; `before` runs just before a compare-and-exchange, as another processor would."""

    def __init__(self):
        self.words = {}
        self.before = None

    def compare_exchange(self, address, old, new):
        if self.before is not None:
            before, self.before = self.before, None
            before()
        found = self.words.get(address, 0)
        if found == old:
            self.words[address] = new
        return found


class PiTask:
    """A task that waits by being marked."""

    def __init__(self, tid, kernel, memory, mm):
        self.tid, self.kernel, self.memory, self.mm = tid, kernel, memory, mm
        self.state, self.progress, self.timed_out, self.robust_list = 1, None, False, 0
        self.group = SimpleNamespace(limits=Limits(), pid=tid)
        self.creds, self.personality, self.files = Creds(), 0, {}
        kernel.tasks[tid] = self

    def copy_in(self, address, length):
        return b"".join(self.memory.words.get(at, 0).to_bytes(4, "little") for at in range(address, address + length, 4))

    copy_in_some = copy_in

    def copy_out_some(self, address, data):
        self.memory.words[address] = int.from_bytes(data, "little")
        return len(data)

    def host_calls(self, calls, result, then=None, failed=None):
        if calls[0][0] != HOST_CMPXCHG:
            return result
        return then(self, [(HOST_CMPXCHG, self.memory.compare_exchange(*calls[0][1:]))])

    def wait_on(self, queue):
        pass

    def block(self, deadline_ns, restart, interrupted):
        self.interrupted = interrupted
        return BLOCKED

    def lock(self, wait=True):
        return call(futex_pi.lock, self, (self.mm, WORD), WORD, -1, wait)

    def unlock(self):
        return call(futex_pi.unlock, self, (self.mm, WORD), WORD)


def call(function, *args):
    try:
        return function(*args)
    except Errno as error:
        return -error.number


def make(count):
    kicked = []
    kernel = SimpleNamespace(tasks={}, shared_futexes={}, kicked=kicked, kick=kicked.append)
    memory, mm = Memory(), MM()
    return memory, [PiTask(tid, kernel, memory, mm) for tid in range(1, count + 1)]


def test_a_free_word_is_taken_and_given_back():
    memory, (a, b) = make(2)
    assert a.lock() == 0
    assert memory.words[WORD] == 1
    assert a.lock() == -EDEADLOCK
    assert b.lock(wait=False) == -EAGAIN
    assert b.unlock() == -EPERM
    assert a.unlock() == 0
    assert memory.words[WORD] == 0


def test_the_first_waiter_gets_the_lock():
    memory, (a, b, c) = make(3)
    a.lock()
    assert b.lock() == BLOCKED
    assert c.lock() == BLOCKED
    assert memory.words[WORD] == 1 | FUTEX_WAITERS
    assert a.unlock() == 0
    assert memory.words[WORD] == 2 | FUTEX_WAITERS
    assert b.lock() == 0
    assert c.lock() == BLOCKED
    assert b.unlock() == 0
    assert c.lock() == 0
    assert c.unlock() == 0
    assert memory.words[WORD] == 0
    assert not a.mm.futexes


def test_an_unlock_without_the_kernel_is_not_lost():
    memory, (a, b) = make(2)
    a.lock()
    memory.before = lambda: memory.words.update({WORD: 0})
    assert b.lock() == 0
    assert memory.words[WORD] == 2


def test_who_queues_up_behind_a_stale_bit_is_not_left_behind():
    memory, (a, b) = make(2)
    memory.words[WORD] = 1 | FUTEX_WAITERS
    results = []
    memory.before = lambda: results.append(b.lock())
    assert a.unlock() == 0
    assert results == [BLOCKED]
    assert b.lock() == 0
    assert memory.words[WORD] & FUTEX_TID_MASK == 2


def test_waiters_that_give_up():
    memory, (a, b, c) = make(3)
    a.lock()
    b.lock()
    c.lock()
    b.timed_out = True
    assert b.lock() == -ETIMEDOUT
    assert c.interrupted(c) < 0
    assert c.progress is None
    assert a.unlock() == 0
    assert memory.words[WORD] == 0
    memory.words[WORD] = 77
    assert b.lock() == -ESRCH


def test_an_heir_that_vanishes_during_the_hand_over_is_passed_over():
    memory, (a, b, c) = make(3)
    a.lock()
    b.lock()
    c.lock()
    memory.before = lambda: b.interrupted(b)
    assert a.unlock() == 0
    assert memory.words[WORD] == 3 | FUTEX_WAITERS
    assert c.lock() == 0


def test_death_of_an_owner_hands_over():
    memory, (a, b) = make(2)
    a.lock()
    b.lock()
    exit_robust_list(a)
    assert memory.words[WORD] == 2 | FUTEX_WAITERS | FUTEX_OWNER_DIED
    assert b.lock() == 0


@pytest.mark.parametrize("waiters", [0, FUTEX_WAITERS])
def test_robust_locks_of_the_dead_are_marked(waiters):
    memory, (a, b) = make(2)
    a.robust_list = HEAD
    memory.words.update({HEAD: ENTRY, HEAD + 8: 0x10, ENTRY: HEAD, ENTRY + 0x10: 1 | waiters})
    exit_robust_list(a)
    assert memory.words[ENTRY + 0x10] == waiters | FUTEX_OWNER_DIED
    assert a.kernel.kicked == [b]


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 40).map(lambda n: HEAD + 4 * n), st.integers(0, 2**32 - 1) | st.integers(0, 40).map(lambda n: HEAD + 4 * n)
    )
)
def test_hostile_lists_end(words):
    memory, (a, _) = make(2)
    a.robust_list = HEAD
    memory.words.update(words)
    exit_robust_list(a)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["lock", "unlock", "timeout", "signal"])), max_size=60))
def test_there_is_one_owner_at_a_time(steps):
    memory, tasks = make(4)
    waiting, owner = set(), None
    for number, step in steps:
        task = tasks[number]
        if step == "unlock" and task not in waiting:
            assert task.unlock() == (0 if task is owner else -EPERM)
            owner = None if task is owner else owner
        elif step == "lock" and task is not owner:
            result = task.lock()
            waiting.discard(task)
            if result == 0:
                assert owner is None
                owner = task
            else:
                waiting.add(task)
        elif step == "timeout" and task in waiting:
            task.timed_out = True
            result = task.lock()
            task.timed_out = False
            waiting.discard(task)
            if result == 0:
                owner = task
        elif step == "signal" and task in waiting:
            waiting.discard(task)
            if task.interrupted(task) == 0:
                owner = task
    granted = [task for task in waiting if task.progress.granted]
    holder = memory.words.get(WORD, 0) & FUTEX_TID_MASK
    assert len(granted) <= 1
    assert holder == (granted[0].tid if granted else owner.tid if owner else 0)


def test_keys_of_private_memory():
    _, (a, _) = make(2)
    at = 0x300000
    a.mm.insert(VMA(at, at + 4096, 3, MAP_PRIVATE))
    from kernel.sync.futex import key_of

    assert key_of(a, at, True) == key_of(a, at, False) == (a.mm, at)
    assert call(key_of, a, at + 1, False) == -22
    assert call(key_of, a, at - 4096, False) == -14
