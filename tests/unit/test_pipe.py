# SPDX-License-Identifier: Apache-2.0
"""Pipes against a model: a string of bytes with a capacity."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fs.anon.inode import anon_inode
from fs.pipe.pipe import Pipe, PipeFile
from kernel.abi.errno import EAGAIN, EBUSY, EPIPE
from kernel.abi.fs import O_DIRECT, O_RDONLY, O_WRONLY
from kernel.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from kernel.mm.userbuffer import KernelBuffer

PIPE_BUF = 4096


def ends(flags=0):
    pipe, inode = Pipe(), anon_inode(b"[test]")
    return PipeFile(inode, pipe, O_RDONLY), PipeFile(inode, pipe, O_WRONLY | flags)


def read(file, count):
    buf = KernelBuffer(count)
    result = file.read(None, buf, 0)
    return bytes(buf.data) if result > 0 else result


def write(file, data):
    return file.write(None, KernelBuffer(data=data), 0)


class PipeModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.reader, self.writer = ends()
        self.content = b""
        self.capacity = 65536
        self.serial = 0

    def fresh(self, length):
        self.serial += 1
        return (bytes([self.serial & 0xFF]) * length)[:length]

    @rule(length=st.one_of(st.integers(1, 10), st.integers(4090, 4100), st.integers(1, 70000)))
    def write(self, length):
        data = self.fresh(length)
        room = self.capacity - len(self.content)
        result = write(self.writer, data)
        if room <= 0 or (length <= PIPE_BUF and room < length):
            assert result == -EAGAIN
        else:
            assert result == min(room, length)
            self.content += data[:result]

    @rule(length=st.one_of(st.integers(1, 10), st.integers(1, 70000)))
    def read(self, length):
        result = read(self.reader, length)
        if not self.content:
            assert result == -EAGAIN
        else:
            assert result == self.content[:length]
            self.content = self.content[length:]

    @rule(size=st.integers(1, 1 << 20))
    def resize(self, size):
        result = self.writer.pipe.set_capacity(size, False)
        rounded = max(4096, 1 << (size - 1).bit_length())
        if rounded < len(self.content):
            assert result == -EBUSY
        else:
            assert result == rounded
            self.capacity = rounded

    @rule(length=st.integers(0, 10000))
    def peek(self, length):
        assert b"".join(self.reader.pipe.peek(length)) == self.content[:length]

    @precondition(lambda self: self.content)
    @rule(length=st.integers(0, 10000))
    def consume(self, length):
        assert self.reader.pipe.consume(length) == min(length, len(self.content))
        self.content = self.content[length:]

    @rule()
    def poll(self):
        assert bool(self.reader.poll() & POLLIN) == bool(self.content)
        assert bool(self.writer.poll() & POLLOUT) == (self.capacity - len(self.content) >= PIPE_BUF)


PipeModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPipeModel = PipeModel.TestCase


def test_end_of_file_and_broken_pipe():
    reader, writer = ends()
    assert write(writer, b"x") == 1
    writer.put()
    assert reader.poll() & (POLLIN | POLLHUP) == POLLIN | POLLHUP
    assert read(reader, 5) == b"x"
    assert read(reader, 5) == 0
    reader, writer = ends()
    reader.put()
    assert write(writer, b"x") == -EPIPE
    assert writer.poll() & POLLERR


def test_packets_keep_their_borders():
    reader, writer = ends(O_DIRECT)
    assert write(writer, b"one") == 3
    assert write(writer, b"second") == 6
    assert read(reader, 100) == b"one"
    assert read(reader, 3) == b"sec"
    assert read(reader, 100) == -EAGAIN
    assert write(writer, b"z" * 10000) == 10000
    assert [len(read(reader, 100000)) for _ in range(3)] == [4096, 4096, 1808]
