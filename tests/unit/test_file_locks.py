# SPDX-License-Identifier: Apache-2.0
"""Record locks against a table of bytes, flock, deadlocks, and the release of locks at close."""

import errno
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vfs_world import AT_FDCWD, BLOCKED, FakeTask, fails

from fs.vfs.locks import FileLocks
from fs.vfs.operations import do_open
from kernel.abi.fs import F_OFD_SETLK, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, O_CREAT, O_RDWR
from kernel.syscalls.descriptor import fcntl
from kernel.syscalls.locks import sys_flock

LENGTH = 24
REQUESTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([F_RDLCK, F_WRLCK, F_UNLCK]), st.integers(0, LENGTH - 1), st.integers(1, LENGTH)),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(REQUESTS)
def test_ranges_as_a_table_of_bytes(requests):
    """For every byte: owner -> kind. A request is granted if no byte has another owner's lock that excludes it."""
    locks, table = FileLocks(), [{} for _ in range(LENGTH)]
    owners = ["first", "second", "third"]
    for number, kind, start, length in requests:
        owner, end = owners[number], min(start + length, LENGTH) - 1
        span = table[start : end + 1]
        excluded = kind != F_UNLCK and any(other != owner and F_WRLCK in (held, kind) for byte in span for other, held in byte.items())
        conflict = None if kind == F_UNLCK else locks.conflict(owner, kind, start, end)
        assert (conflict is not None) == excluded
        if not excluded:
            locks.set_range(owner, number, kind, start, end)
            for byte in span:
                byte.pop(owner, None)
                if kind != F_UNLCK:
                    byte[owner] = kind
        held = [{} for _ in range(LENGTH)]
        for lock in locks.ranges:
            for position in range(lock.start, lock.end + 1):
                assert lock.owner not in held[position]
                held[position][lock.owner] = lock.kind
        assert held == table


@pytest.fixture
def two():
    """Two processes with one file open."""
    one = FakeTask(pid=1)
    other = FakeTask(one.kernel, 2, one.fs.mounts)
    return one, other, open_file(one), open_file(other)


def open_file(task):
    return task.files.install(do_open(task, AT_FDCWD, b"/file", O_CREAT | O_RDWR, 0o644))


def lock(task, fd, kind, start, length, command=F_SETLK):
    task.copy_out(0, struct.pack("<hh4xqqi4x", kind, 0, start, length, 0))
    return fcntl(task, fd, command, 0)


def test_deadlock_is_refused(two):
    one, other, fd, other_fd = two
    assert lock(one, fd, F_WRLCK, 0, 1) == 0
    assert lock(other, other_fd, F_WRLCK, 1, 1) == 0
    assert lock(one, fd, F_WRLCK, 1, 1, F_SETLKW) == BLOCKED
    with fails(errno.EDEADLK):
        lock(other, other_fd, F_WRLCK, 0, 1, F_SETLKW)
    one.interrupted(one)
    assert lock(other, other_fd, F_WRLCK, 0, 1, F_SETLKW) == BLOCKED
    assert lock(one, fd, F_UNLCK, 0, 0) == 0
    assert lock(other, other_fd, F_WRLCK, 0, 1, F_SETLKW) == 0


def test_close_of_any_descriptor_releases_record_locks(two):
    one, other, fd, other_fd = two
    second = open_file(one)
    lock(one, fd, F_WRLCK, 0, 0)
    with fails(errno.EAGAIN):
        lock(other, other_fd, F_RDLCK, 5, 1)
    one.files.close(second)
    assert lock(other, other_fd, F_RDLCK, 5, 1) == 0


def test_locks_of_open_files_go_with_the_last_descriptor(two):
    one, other, fd, other_fd = two
    copy = one.files.install(one.files.get(fd).get())
    lock(one, fd, F_WRLCK, 0, 0, F_OFD_SETLK)
    one.files.close(fd)
    with fails(errno.EAGAIN):
        lock(other, other_fd, F_WRLCK, 0, 0)
    one.files.close(copy)
    assert lock(other, other_fd, F_WRLCK, 0, 0) == 0


def test_flock(two):
    one, other, fd, other_fd = two
    mine, yours = one.files.get(fd), other.files.get(other_fd)
    assert sys_flock(one, mine, LOCK_SH) == sys_flock(other, yours, LOCK_SH) == 0
    with fails(errno.EAGAIN):
        sys_flock(one, mine, LOCK_EX | LOCK_NB)
    assert sys_flock(one, mine, LOCK_EX) == BLOCKED
    assert sys_flock(other, yours, LOCK_UN) == 0
    assert sys_flock(one, mine, LOCK_EX) == 0
    one.files.close(fd)
    assert sys_flock(other, yours, LOCK_EX | LOCK_NB) == 0
