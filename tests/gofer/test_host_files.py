# SPDX-License-Identifier: Apache-2.0
"""Host descriptors as files: they never wait, they lose no bytes, and they are watched only while somebody waits."""

import errno
import os
import select
import socket
import struct
import termios

import pytest
from gofer_support import read

from fs.host.file import HostFile
from kernel.abi.errno import Errno
from kernel.mm.userbuffer import KernelBuffer
from kernel.sync.waitqueue import Waiter

O_RDONLY, O_WRONLY, O_RDWR = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
TCGETS, TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCGPGRP = 0x5401, 0x5413, 0x5414, 0x541B, 0x540F


class FakeKernel:
    """Watches with a real epoll, run by hand."""

    def __init__(self):
        self.epoll = select.epoll()
        self.watches = {}

    def watch(self, fd, events, callback):
        (self.epoll.modify if fd in self.watches else self.epoll.register)(fd, events)
        self.watches[fd] = callback
        return fd

    def unwatch(self, fd):
        self.epoll.unregister(fd)
        del self.watches[fd]

    def run(self):
        """How many callbacks were due."""
        due = self.epoll.poll(0)
        for fd, events in due:
            self.watches[fd](events)
        return len(due)


class Recorder(Waiter):
    def __init__(self):
        self.events = []

    def wake(self, events):
        self.events.append(events)
        return True


class FakeTask:
    """Memory for ioctl."""

    def __init__(self, memory=b""):
        self.memory = bytearray(memory or 64)

    def copy_in(self, address, length):
        return bytes(self.memory[address : address + length])

    def copy_out(self, address, data):
        self.memory[address : address + len(data)] = data


@pytest.fixture
def kernel():
    return FakeKernel()


def pipe(kernel, *, blocking):
    """(reading file, writing file)."""
    fds = os.pipe()
    for fd in fds:
        os.set_blocking(fd, blocking)
    return HostFile(kernel, fds[0], O_RDONLY), HostFile(kernel, fds[1], O_WRONLY)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_never_waits_and_loses_nothing(kernel, blocking):
    reader, writer = pipe(kernel, blocking=blocking)
    assert reader.read(None, KernelBuffer(10), 0) == -errno.EAGAIN
    data = os.urandom(300_000)
    buffer, got = KernelBuffer(data=data), b""
    while len(got) < len(data):
        count = writer.write(None, buffer, 0) if buffer.left() else 0
        assert count >= 0 or count == -errno.EAGAIN
        assert buffer.done >= len(got)
        got += read(reader, 70_000)
    assert got == data
    writer.put()
    assert read(reader) == b""
    assert not kernel.watches


def test_writing_to_a_closed_pipe_is_epipe(kernel):
    reader, writer = pipe(kernel, blocking=False)
    reader.put()
    assert writer.write(None, KernelBuffer(data=b"x"), 0) == -errno.EPIPE
    assert writer.poll() & select.POLLERR
    writer.put()


def test_a_watch_lives_as_long_as_the_wait_and_fires_once(kernel):
    reader, writer = pipe(kernel, blocking=False)
    waiter = Recorder()
    reader.read(None, KernelBuffer(1), 0)
    assert not kernel.watches
    entry = reader.poll_queue().add(waiter, select.POLLIN)
    assert len(kernel.watches) == 1 and kernel.run() == 0
    writer.write(None, KernelBuffer(data=b"ab"), 0)
    assert kernel.run() == 1 and waiter.events[0] & select.POLLIN
    assert kernel.run() == 0
    assert read(reader, 1) == b"a" and kernel.run() == 0
    assert read(reader, 5) == b"b"
    assert reader.read(None, KernelBuffer(1), 0) == -errno.EAGAIN
    writer.write(None, KernelBuffer(data=b"c"), 0)
    assert kernel.run() == 1 and len(waiter.events) == 2
    reader.poll_queue().remove(entry)
    assert not kernel.watches


def test_a_watch_for_one_event_outlives_another(kernel):
    ours, theirs = socket.socketpair()
    file = HostFile(kernel, ours.detach(), O_RDWR)
    while file.write(None, KernelBuffer(data=bytes(65536)), 0) > 0:
        pass
    reads, writes = Recorder(), Recorder()
    file.poll_queue().add(reads, select.POLLIN)
    file.poll_queue().add(writes, select.POLLOUT)
    theirs.send(b"x")
    assert kernel.run() == 1 and reads.events and not writes.events
    while not writes.events:
        theirs.recv(1 << 20)
        kernel.run()
    assert kernel.run() == 0
    file.put()
    assert not kernel.watches


def test_sockets(kernel):
    ours, theirs = socket.socketpair()
    file = HostFile(kernel, ours.detach(), O_RDWR)
    assert file.read(None, KernelBuffer(10), 0) == -errno.EAGAIN
    assert file.write(None, KernelBuffer(data=b"hello"), 0) == 5 and theirs.recv(10) == b"hello"
    theirs.close()
    assert read(file) == b"" and file.poll() & select.POLLHUP
    file.put()


def test_regular_files_share_the_host_position(kernel, tmp_path):
    fd = os.open(tmp_path / "out", os.O_CREAT | os.O_RDWR)
    first, second = HostFile(kernel, fd, O_WRONLY), HostFile(kernel, os.dup(fd), O_WRONLY)
    first.write(None, KernelBuffer(data=b"one"), 0)
    second.write(None, KernelBuffer(data=b"two"), 0)
    assert (tmp_path / "out").read_bytes() == b"onetwo"
    assert first.seek(1, os.SEEK_SET) == 1 and second.seek(0, os.SEEK_CUR) == 1
    waiter = Recorder()
    first.poll_queue().add(waiter, select.POLLOUT)
    assert first.poll() & select.POLLOUT and not kernel.watches
    with pytest.raises(Errno, match=os.strerror(errno.ENODEV)):
        first.mmap_descriptor(1, 1, 0, 4096)


def test_terminals_pass_settings_through(kernel):
    master, slave = os.openpty()
    os.set_blocking(slave, False)
    file = HostFile(kernel, slave, O_RDWR)
    task = FakeTask()
    file.ioctl(task, TCGETS, 0)
    assert struct.unpack_from("I", task.memory, 12)[0] == termios.tcgetattr(slave)[3]
    file.ioctl(FakeTask(struct.pack("4H", 11, 22, 0, 0) + bytes(8)), TIOCSWINSZ, 0)
    file.ioctl(task, TIOCGWINSZ, 0)
    assert struct.unpack_from("2H", task.memory) == (11, 22)
    os.write(master, b"line\n")
    select.select([slave], [], [], 5)
    file.ioctl(task, FIONREAD, 0)
    assert struct.unpack_from("i", task.memory) == (5,)
    assert read(file) == b"line\n"
    with pytest.raises(Errno, match=os.strerror(errno.ENOTTY)):
        file.ioctl(task, TIOCGPGRP, 0)
    os.close(master)


def test_a_pipe_is_no_terminal_and_has_no_positions(kernel):
    reader, writer = pipe(kernel, blocking=False)
    writer.write(None, KernelBuffer(data=b"abc"), 0)
    task = FakeTask()
    reader.ioctl(task, FIONREAD, 0)
    assert struct.unpack_from("i", task.memory) == (3,)
    for command in (TCGETS, TIOCGWINSZ):
        with pytest.raises(Errno, match=os.strerror(errno.ENOTTY)):
            reader.ioctl(task, command, 0)
    with pytest.raises(Errno, match=os.strerror(errno.ESPIPE)):
        reader.seek(0, os.SEEK_SET)


def test_the_descriptor_is_closed_with_the_last_file(kernel):
    fds = os.pipe()
    file = HostFile(kernel, fds[1], O_WRONLY)
    again = file.inode.open(None, O_WRONLY)
    file.put()
    again.write(None, KernelBuffer(data=b"x"), 0)
    again.put()
    assert os.read(fds[0], 10) == b"x" and os.read(fds[0], 10) == b""
