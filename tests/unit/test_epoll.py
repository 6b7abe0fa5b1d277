# SPDX-License-Identifier: Apache-2.0
"""epoll's triggers, nesting and bookkeeping, on event counters and pipes."""

import pytest

from fs.anon.epoll import Epoll
from fs.anon.eventfd import EventFd
from fs.anon.inode import anon_inode
from fs.pipe.pipe import Pipe, PipeFile
from kernel.abi.errno import EEXIST, EINVAL, ELOOP, ENOENT, Errno
from kernel.abi.fs import O_RDONLY, O_WRONLY
from kernel.abi.poll import EPOLLET, EPOLLONESHOT, POLLHUP, POLLIN, POLLOUT
from kernel.mm.userbuffer import KernelBuffer

DATA = bytes(range(8))


def drain(file):
    return file.read(None, KernelBuffer(8), 0)


def masks(epoll):
    return [events & 0xFF for events, _ in epoll.collect(10)]


def raises(number, call, *arguments):
    with pytest.raises(Errno) as caught:
        call(*arguments)
    assert caught.value.number == number


def test_level_triggered_until_drained():
    epoll, counter = Epoll(), EventFd(0, False)
    epoll.add(3, counter, POLLIN, DATA)
    assert epoll.collect(10) == [] and not epoll.poll()
    counter.add(1)
    assert epoll.poll()
    assert epoll.collect(10)[0][1] == DATA
    assert masks(epoll) == [POLLIN]
    drain(counter)
    assert masks(epoll) == []


def test_edge_triggered_once_per_write():
    epoll, counter = Epoll(), EventFd(1, False)
    epoll.add(3, counter, POLLIN | EPOLLET, DATA)
    assert masks(epoll) == [POLLIN]
    assert masks(epoll) == []
    counter.add(1)
    assert masks(epoll) == [POLLIN]


def test_one_shot_is_armed_again_by_modify():
    epoll, counter = Epoll(), EventFd(1, False)
    epoll.add(3, counter, POLLIN | EPOLLONESHOT, DATA)
    assert masks(epoll) == [POLLIN]
    counter.add(1)
    assert masks(epoll) == []
    epoll.modify(3, counter, POLLIN, DATA)
    assert masks(epoll) == [POLLIN]


def test_fair_when_there_is_no_room_for_all():
    epoll, counters = Epoll(), [EventFd(1, False) for _ in range(3)]
    for number, counter in enumerate(counters):
        epoll.add(number, counter, POLLIN, bytes([number] * 8))
    seen = [epoll.collect(1)[0][1][0] for _ in range(6)]
    assert seen == [0, 1, 2, 0, 1, 2]


def test_release_of_the_file_removes_the_item():
    epoll, counter = Epoll(), EventFd(1, False)
    epoll.add(3, counter, POLLIN, DATA)
    counter.get()
    counter.put()
    assert masks(epoll) == [POLLIN]
    counter.put()
    assert masks(epoll) == [] and not epoll.items


def test_release_of_the_epoll_leaves_the_queues():
    epoll, counter = Epoll(), EventFd(1, False)
    epoll.add(3, counter, POLLIN, DATA)
    epoll.put()
    assert counter.waiters.empty() and not counter.epolls


def test_nested_is_ready_when_the_inner_is():
    outer, inner, counter = Epoll(), Epoll(), EventFd(0, False)
    outer.add(4, inner, POLLIN, DATA)
    inner.add(3, counter, POLLIN, DATA)
    assert masks(outer) == []
    counter.add(1)
    assert masks(outer) == [POLLIN]
    drain(counter)
    assert masks(outer) == []


def test_no_cycles_and_no_deep_nests():
    chain = [Epoll() for _ in range(6)]
    for outer, inner in zip(chain[1:5], chain[:4], strict=True):
        outer.add(3, inner, POLLIN, DATA)
    raises(ELOOP, chain[5].add, 3, chain[4], POLLIN, DATA)
    raises(ELOOP, chain[0].add, 3, chain[4], POLLIN, DATA)
    raises(EINVAL, chain[0].add, 3, chain[0], POLLIN, DATA)


def test_known_by_descriptor_and_file():
    epoll, counter = Epoll(), EventFd(0, False)
    epoll.add(3, counter, POLLIN, DATA)
    raises(EEXIST, epoll.add, 3, counter, POLLIN, DATA)
    epoll.add(4, counter, POLLIN, DATA)
    epoll.remove(3, counter)
    raises(ENOENT, epoll.remove, 3, counter)
    raises(ENOENT, epoll.modify, 5, counter, POLLIN, DATA)


def test_hang_up_needs_no_asking():
    pipe, inode = Pipe(), anon_inode(b"[test]")
    reader, writer = PipeFile(inode, pipe, O_RDONLY), PipeFile(inode, pipe, O_WRONLY)
    epoll = Epoll()
    epoll.add(3, reader, 0, DATA)
    epoll.add(4, writer, POLLOUT, DATA)
    assert masks(epoll) == [POLLOUT]
    writer.put()
    assert masks(epoll) == [POLLHUP]
