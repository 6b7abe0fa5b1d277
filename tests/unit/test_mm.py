# SPDX-License-Identifier: Apache-2.0
"""Address spaces: the VMA tree against a page dictionary, and mmap, munmap, mprotect, mremap, brk against Linux itself."""

import ctypes
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.abi import mm as abi
from kernel.abi.errno import EACCES, EAGAIN, EBADF, EEXIST, EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.task import CAP_IPC_LOCK, RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK
from kernel.mm import advise, lock, names, stack
from kernel.mm.mm import MM, VMA
from kernel.syscalls import memory, memory_advice
from tests.unit import mm_world
from tests.unit.mm_world import HIGH, LOW, HostFile, NoFile, World

PAGE = 4096
REGION = 0x500000000000
PAGES = 24
ANON = abi.MAP_PRIVATE | abi.MAP_ANONYMOUS
SHARED = abi.MAP_SHARED | abi.MAP_ANONYMOUS
MOVES_SPAN = tuple(int(word) for word in os.uname().release.split(".")[:2]) >= (6, 17)
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
page = st.integers(0, PAGES - 1)
count = st.integers(0, 6)
prot = st.sampled_from([0, 1, 3, 5, 7])
operation = st.one_of(
    st.tuples(st.just("mmap"), page, count, prot, st.sampled_from([ANON, SHARED, ANON | abi.MAP_FIXED_NOREPLACE])),
    st.tuples(st.just("munmap"), page, count),
    st.tuples(st.just("mprotect"), page, count, prot),
    st.tuples(st.just("mremap"), page, count, count, st.sampled_from([0, 2, 3]), page),
    st.tuples(st.just("madvise"), page, count, st.sampled_from([0, 1, 4, 8, 10, 11, 18, 19, 77])),
    st.tuples(st.just("mlock"), page, count),
    st.tuples(st.just("munlock"), page, count),
)


def call(function, *args):
    """The result, or -errno."""
    try:
        return function(*args) or 0
    except Errno as error:
        return -error.number


def host(number, *args):
    result = libc.syscall(number, *[ctypes.c_ulong(arg) for arg in args])
    return -ctypes.get_errno() if result == -1 else result


def perform(task, step):
    """One step in our tree and on Linux: both results."""
    name, *args = step
    at = REGION + args[0] * PAGE
    length = args[1] * PAGE
    if name == "mmap":
        flags = args[3] if args[3] & abi.MAP_FIXED_NOREPLACE else args[3] | abi.MAP_FIXED
        if at + length > REGION + PAGES * PAGE:
            return 0, 0
        return call(mm_world.sys_mmap, task, at, length, args[2], flags, -1, 0), host(9, at, length, args[2], flags, 1 << 64 - 1, 0)
    if name == "munmap":
        return call(mm_world.sys_munmap, task, at, length), host(11, at, length)
    if name == "mprotect":
        return call(mm_world.sys_mprotect, task, at, length, args[2]), host(10, at, length, args[2])
    if name == "mremap":
        target = REGION + args[4] * PAGE
        if target + args[2] * PAGE > REGION + PAGES * PAGE:
            return 0, 0
        if args[3] == 0 and args[2] > args[1] and at + args[2] * PAGE > REGION + PAGES * PAGE:
            return 0, 0
        if args[1] == args[2] and args[3] == 3 and not MOVES_SPAN:
            return 0, 0
        ours = call(memory.sys_mremap, task, at, length, args[2] * PAGE, args[3], target)
        return ours, host(25, at, length, args[2] * PAGE, args[3], target)
    if name == "madvise":
        return call(memory_advice.sys_madvise, task, at, length, args[2]), host(28, at, length, args[2])
    if name == "mlock":
        return call(memory_advice.sys_mlock2, task, at, length, 1), host(325, at, length, 1)
    return call(memory_advice.sys_munlock, task, at, length), host(150, at, length)


def shown(mm):
    """(start, end, permissions) as /proc/self/maps has them."""
    letters = [("r", 1), ("w", 2), ("x", 4)]
    return [
        (vma.start, vma.end, "".join(letter if vma.prot & bit else "-" for letter, bit in letters) + "ps"[vma.flags & 1]) for vma in mm.vmas
    ]


def shown_by_linux():
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [(*(int(x, 16) for x in line[0].split("-")), line[1]) for line in lines]
    return [entry for entry in ranges if REGION <= entry[0] < REGION + PAGES * PAGE]


@settings(max_examples=150, deadline=None)
@given(st.lists(operation, max_size=25))
def test_the_tree_is_what_linux_has(steps):
    task = World(capabilities=1 << CAP_IPC_LOCK)
    libc.syscall(11, ctypes.c_ulong(REGION), ctypes.c_ulong(PAGES * PAGE))
    for step in steps:
        ours, linux = perform(task, step)
        assert ours == linux, (step, shown(task.mm))
        assert shown(task.mm) == shown_by_linux(), step
        check_counts(task.mm)


def check_counts(mm):
    """The sums that are kept up to date."""
    assert mm.total() == sum(vma.end - vma.start for vma in mm.vmas)
    assert mm.locked_vm == sum(vma.end - vma.start for vma in mm.vmas if vma.locked)
    assert mm.data_vm == sum(vma.end - vma.start for vma in mm.vmas if vma.prot & 2 and not vma.flags & 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["insert", "cut", "isolate", "find"]), page, st.integers(1, 8), prot), max_size=40))
def test_tree_against_a_page_dictionary(steps):
    mm, pages = MM(LOW, HIGH), {}
    for name, first, length, value in steps:
        start, end = LOW + first * PAGE, LOW + (first + length) * PAGE
        mine = range(first, first + length)
        if name == "insert":
            mm.cut(start, end)
            mm.insert(VMA(start, end, value, abi.MAP_PRIVATE))
            pages.update(dict.fromkeys(mine, value))
        elif name == "cut":
            gone = mm.cut(start, end)
            assert sum(vma.end - vma.start for vma in gone) // PAGE == sum(number in pages for number in mine)
            for number in mine:
                pages.pop(number, None)
        elif name == "isolate":
            assert all(start <= vma.start and vma.end <= end for vma in mm.isolate(start, end))
            mm.merge(start, end)
        assert mm.covered(start, end) == all(number in pages for number in mine)
        assert mm.accessible(start, end - start, 2) == all(pages.get(number, 0) & 2 for number in mine)
        assert (mm.find_intersection(start, end) is not None) == any(number in pages for number in mine)
    seen = {at // PAGE - LOW // PAGE: vma.prot for vma in mm.vmas for at in range(vma.start, vma.end, PAGE)}
    assert seen == pages
    assert all(a.end < b.start or a.prot != b.prot for a, b in zip(mm.vmas, mm.vmas[1:], strict=False))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 30)), max_size=60))
def test_gaps_are_free_and_the_highest(steps):
    """With little room below mmap_base, so that the cache of skipped gaps is put to use."""
    mm = MM(LOW, LOW + 64 * PAGE)
    mm.mmap_base = LOW + 60 * PAGE
    for take, length, which in steps:
        if take:
            free = [at for at in range(LOW, mm.mmap_base - length * PAGE + 1, PAGE) if mm.find_intersection(at, at + length * PAGE) is None]
            found = mm.find_gap(length * PAGE)
            if free:
                assert found == max(free)
            if found:
                mm.insert(VMA(found, found + length * PAGE, which % 3, abi.MAP_PRIVATE))
        elif mm.vmas:
            vma = mm.vmas[which % len(mm.vmas)]
            mm.cut(vma.start, vma.start + length * PAGE)


def test_thousands_of_mappings_stay_quick():
    task = World()
    for i in range(20000):
        mm_world.sys_mmap(task, 0, PAGE, 1 + (i & 1) * 2, ANON, -1, 0)
    assert len(task.mm.vmas) == 20000
    assert task.mm.vmas[-1].end == task.mm.mmap_base


def test_hints_and_refusals():
    task = World()
    at = mm_world.sys_mmap(task, 0x123456789000, PAGE, 3, ANON, -1, 0)
    assert at == 0x123456789000
    assert mm_world.sys_mmap(task, at, PAGE, 3, ANON, -1, 0) != at
    assert mm_world.sys_mmap(task, 0x1234, PAGE, 3, ANON, -1, 0) == LOW
    assert call(mm_world.sys_mmap, task, 0, PAGE, 3, ANON | abi.MAP_FIXED, -1, 0) == -EPERM
    assert call(mm_world.sys_mmap, task, HIGH - PAGE, 2 * PAGE, 3, ANON | abi.MAP_FIXED, -1, 0) == -ENOMEM
    assert call(mm_world.sys_mmap, task, at, PAGE, 3, ANON | abi.MAP_FIXED_NOREPLACE, -1, 0) == -EEXIST
    assert call(mm_world.sys_mmap, task, 0, PAGE, 3, ANON | abi.MAP_HUGETLB, -1, 0) == -ENOMEM
    assert call(mm_world.sys_mmap, task, 0, PAGE, 3, ANON | abi.MAP_HUGETLB | 5 << 26, -1, 0) == -EINVAL
    assert call(mm_world.sys_mmap, task, 0, 1 << 60, 3, ANON, -1, 0) == -ENOMEM
    assert mm_world.sys_mmap(task, 0, PAGE, 3, ANON | abi.MAP_32BIT, -1, 0) < 1 << 31
    assert mm_world.sys_mmap(task, 0, 4 << 20, 3, ANON, -1, 0) % (2 << 20) == 0


def test_every_host_call_has_a_shape_that_stubs_may_use(tmp_path):
    task = World()
    (tmp_path / "f").write_bytes(b"x" * 10000)
    task.files.install_at(3, HostFile(tmp_path / "f", os.O_RDWR))
    mm_world.sys_mmap(task, 0, 3 * PAGE, 7, ANON | abi.MAP_POPULATE | abi.MAP_STACK | abi.MAP_LOCKED | abi.MAP_NORESERVE, -1, 0)
    mm_world.sys_mmap(task, 0, 3 * PAGE, 3, SHARED, -1, 0)
    mm_world.sys_mmap(task, 0, 2 * PAGE, 3, abi.MAP_SHARED, 3, PAGE)
    mm_world.sys_mmap(task, 0, 2 * PAGE, 3, abi.MAP_PRIVATE, 3, 0)
    for number, *args in task.calls:
        assert number == abi.HOST_MMAP
        kind = args[3] & ~(abi.MAP_NORESERVE | abi.MAP_POPULATE)
        if len(args) == 6:
            assert kind == ANON | abi.MAP_FIXED
            assert args[4] == abi.NO_FD
        else:
            assert kind in (abi.MAP_SHARED | abi.MAP_FIXED, abi.MAP_PRIVATE | abi.MAP_FIXED)
            assert args[6] >= 0


def test_files_obey_their_open_mode(tmp_path):
    task = World()
    (tmp_path / "f").write_bytes(b"x" * 10000)
    for fd, flags in ((3, os.O_RDONLY), (4, os.O_WRONLY), (5, os.O_RDWR)):
        task.files.install_at(fd, HostFile(tmp_path / "f", flags))
    task.files.install_at(6, NoFile())
    assert call(mm_world.sys_mmap, task, 0, PAGE, 3, abi.MAP_SHARED, 3, 0) == -EACCES
    assert call(mm_world.sys_mmap, task, 0, PAGE, 1, abi.MAP_PRIVATE, 4, 0) == -EACCES
    assert call(mm_world.sys_mmap, task, 0, PAGE, 1, abi.MAP_PRIVATE, 3, 7) == -EINVAL
    at = mm_world.sys_mmap(task, 0, 4 * PAGE, 1, abi.MAP_SHARED, 3, 0)
    assert call(mm_world.sys_mprotect, task, at, PAGE, 3) == -EACCES
    assert task.files.get(3).refs == 2
    mm_world.sys_munmap(task, at + PAGE, PAGE)
    assert task.files.get(3).refs == 3
    assert [vma.offset for vma in task.mm.vmas] == [0, 2 * PAGE]
    mm_world.sys_munmap(task, at, 4 * PAGE)
    assert task.files.get(3).refs == 1
    private = mm_world.sys_mmap(task, 0, PAGE, 1, abi.MAP_PRIVATE, 3, 0)
    assert call(mm_world.sys_mprotect, task, private, PAGE, 3) == 0


def test_limits():
    task = World()
    task.group.limits.set(RLIMIT_AS, 10 * PAGE, 10 * PAGE)
    at = mm_world.sys_mmap(task, 0, 8 * PAGE, 3, ANON, -1, 0)
    assert call(mm_world.sys_mmap, task, 0, 3 * PAGE, 3, ANON, -1, 0) == -ENOMEM
    assert call(mm_world.sys_mmap, task, at, 8 * PAGE, 3, ANON | abi.MAP_FIXED, -1, 0) == at
    task.group.limits.set(RLIMIT_DATA, 9 * PAGE, 9 * PAGE)
    assert call(mm_world.sys_mmap, task, 0, 2 * PAGE, 3, ANON, -1, 0) == -ENOMEM
    assert call(mm_world.sys_mmap, task, 0, 2 * PAGE, 1, ANON, -1, 0) > 0
    task.group.limits.set(RLIMIT_MEMLOCK, 2 * PAGE, 2 * PAGE)
    assert call(memory_advice.sys_mlock, task, at, 2 * PAGE) == 0
    assert call(memory_advice.sys_mlock, task, at, 3 * PAGE) == -ENOMEM
    task.group.limits.set(RLIMIT_AS, 1 << 30, 1 << 30)
    assert call(mm_world.sys_mmap, task, 0, PAGE, 1, ANON | abi.MAP_LOCKED, -1, 0) == -EAGAIN
    task.group.limits.set(RLIMIT_MEMLOCK, 0, 0)
    assert call(memory_advice.sys_mlock, task, at, PAGE) == -EPERM
    assert call(lock.mlockall, task, 1) == -EPERM


def test_brk():
    task = World()
    start = task.mm.start_brk
    assert mm_world.sys_brk(task, 0) == start
    assert mm_world.sys_brk(task, start + 10000) == start + 10000
    assert shown(task.mm) == [(start, start + 3 * PAGE, "rw-p")]
    assert mm_world.sys_brk(task, start - 1) == start + 10000
    assert mm_world.sys_brk(task, start + 20) == start + 20
    assert shown(task.mm) == [(start, start + PAGE, "rw-p")]
    mm_world.sys_mmap(task, start + 4 * PAGE, PAGE, 3, ANON | abi.MAP_FIXED, -1, 0)
    assert mm_world.sys_brk(task, start + 4 * PAGE) == start + 20
    task.group.limits.set(RLIMIT_DATA, 2 * PAGE, 2 * PAGE)
    assert mm_world.sys_brk(task, start + 2 * PAGE + 1) == start + 20


def test_a_refusal_of_the_host_leaves_the_tree_as_it_was():
    task = World()
    at = mm_world.sys_mmap(task, 0, 8 * PAGE, 3, ANON, -1, 0)
    before = shown(task.mm)
    for function, args in (
        (mm_world.sys_mmap, (0, 4 * PAGE, 1, ANON, -1, 0)),
        (mm_world.sys_munmap, (at + PAGE, PAGE)),
        (mm_world.sys_mprotect, (at + PAGE, PAGE, 1)),
        (memory.sys_mremap, (at, 8 * PAGE, 20 * PAGE, 1, 0)),
        (memory.sys_mremap, (at, 8 * PAGE, 2 * PAGE, 0, 0)),
    ):
        task.refusal = -ENOMEM
        assert function(task, *args) == -ENOMEM
        assert shown(task.mm) == before, function
        check_counts(task.mm)
    task.refusal = -ENOMEM
    assert mm_world.sys_brk(task, task.mm.start_brk + PAGE) == task.mm.start_brk
    assert shown(task.mm) == before


def test_mremap_dontunmap_and_copies_of_shared_memory():
    task = World()
    at = mm_world.sys_mmap(task, 0, 2 * PAGE, 3, ANON, -1, 0)
    moved = memory.sys_mremap(task, at, 2 * PAGE, 2 * PAGE, 5, 0)
    assert task.mm.covered(at, at + 2 * PAGE)
    assert task.mm.covered(moved, moved + 2 * PAGE)
    shared = mm_world.sys_mmap(task, 0, 4 * PAGE, 3, SHARED, -1, 0)
    again = memory.sys_mremap(task, shared, 0, 4 * PAGE, 1, 0)
    assert task.mm.find(again).file is task.mm.find(shared).file
    assert call(memory.sys_mremap, task, at, 0, PAGE, 1, 0) == -EINVAL


def test_fork_copies_the_tree():
    task = World()
    at = mm_world.sys_mmap(task, 0, 6 * PAGE, 3, ANON, -1, 0)
    shared = mm_world.sys_mmap(task, 0, PAGE, 3, SHARED, -1, 0)
    advise.madvise(task, at, PAGE, abi.MADV_DONTFORK)
    advise.madvise(task, at + PAGE, PAGE, abi.MADV_WIPEONFORK)
    lock.mlock(task, at + 2 * PAGE, PAGE, 0)
    child = task.mm.fork()
    assert not child.covered(at, at + PAGE)
    assert child.covered(at + PAGE, at + 6 * PAGE)
    assert child.locked_vm == 0
    assert child.birth_calls == [(abi.HOST_MUNMAP, at, PAGE), (abi.HOST_MADVISE, at + PAGE, PAGE, abi.MADV_DONTNEED)]
    file = task.mm.find(shared).file
    assert file.refs == 2
    task.mm.drop()
    assert file.refs == 1
    child.drop()
    assert file.fd == -1


def test_ranges_on_their_way_out_are_not_given_to_others():
    task, other = World(), World()
    other.mm = task.mm
    task.mm.users = 2
    at = mm_world.sys_mmap(task, 0, PAGE, 3, ANON, -1, 0)
    task.state = 0
    mm_world.sys_munmap(task, at, PAGE)
    assert mm_world.sys_mmap(other, 0, PAGE, 3, ANON, -1, 0) != at
    assert mm_world.sys_mmap(task, 0, PAGE, 3, ANON, -1, 0) == at
    mm_world.sys_munmap(task, at, PAGE)
    task.state = 2
    assert mm_world.sys_mmap(other, 0, PAGE, 1, ANON, -1, 0) == at


def test_sealed_memory_stays(tmp_path):
    task = World()
    at = mm_world.sys_mmap(task, 0, 3 * PAGE, 1, ANON, -1, 0)
    assert memory.sys_mseal(task, at + PAGE, PAGE, 0) == 0
    assert call(mm_world.sys_munmap, task, at, 3 * PAGE) == -EPERM
    assert call(mm_world.sys_mprotect, task, at + PAGE, PAGE, 3) == -EPERM
    assert call(memory.sys_mremap, task, at + PAGE, PAGE, 2 * PAGE, 1, 0) == -EPERM
    assert call(mm_world.sys_mmap, task, at, 3 * PAGE, 3, ANON | abi.MAP_FIXED, -1, 0) == -EPERM
    assert call(memory_advice.sys_madvise, task, at + PAGE, PAGE, abi.MADV_DONTNEED) == -EPERM
    assert mm_world.sys_munmap(task, at, PAGE) == 0


def test_names_divide_memory():
    task = World()
    task.copy_in_string = lambda address, limit: b"arena"
    at = mm_world.sys_mmap(task, 0, 3 * PAGE, 3, ANON, -1, 0)
    names.set_anon_name(task, at + PAGE, PAGE, 1)
    assert [vma.name for vma in task.mm.vmas] == [None, "arena", None]
    names.set_anon_name(task, at + PAGE, PAGE, 0)
    assert len(task.mm.vmas) == 1
    shared = mm_world.sys_mmap(task, 0, PAGE, 3, SHARED, -1, 0)
    assert call(names.set_anon_name, task, shared, PAGE, 1) == -EBADF


def test_a_stack_grows_by_faults():
    task = World()
    top = 0x7FFD00000000
    task.group.limits.set(RLIMIT_STACK, 16 << 20, 16 << 20)
    task.mm.insert(VMA(top - (8 << 20), top, 3, abi.MAP_PRIVATE | abi.MAP_GROWSDOWN))
    assert stack.grow(task, top - (8 << 20) - 100)[0][2] == 1 << 20
    assert len(task.mm.vmas) == 1
    assert stack.grow(task, top - (16 << 20) + 5) is not None
    assert task.mm.vmas[0].start == top - (16 << 20)
    assert stack.grow(task, top - (16 << 20) - 1) is None
    assert stack.grow(task, 0x1000) is None
    assert stack.grow(task, top - 100) is None


def test_the_gap_below_a_stack_is_kept():
    task = World()
    task.mm.insert(VMA(0x7FEF00000000, 0x7FF000000000, 3, abi.MAP_PRIVATE | abi.MAP_GROWSDOWN))
    assert mm_world.sys_mmap(task, 0, PAGE, 3, ANON, -1, 0) == 0x7FEF00000000 - (1 << 20) - PAGE
    assert mm_world.sys_mmap(task, 0x7FEF00000000 - PAGE, PAGE, 3, ANON, -1, 0) != 0x7FEF00000000 - PAGE


@pytest.mark.parametrize("flags", [0, abi.MAP_SHARED | abi.MAP_GROWSDOWN, abi.MAP_SHARED_VALIDATE, 9])
def test_anonymous_kinds_that_make_no_sense(flags):
    assert call(mm_world.sys_mmap, World(), 0, PAGE, 3, flags | abi.MAP_ANONYMOUS, -1, 0) == -EINVAL
