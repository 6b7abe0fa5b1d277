# SPDX-License-Identifier: Apache-2.0
"""The control socket's wire: framing, descriptors, late answers, and peers that send nonsense."""

import _socket
import os
import socket

from hypothesis import given
from hypothesis import strategies as st

from kernel.boot.args import ProcessArgs
from kernel.boot.control import Connection, ControlError, ServerConnection


class Handler:
    """Remembers what it was asked."""

    def __init__(self):
        self.requests = []
        self.closed = 0

    def op_exec(self, request):
        self.requests.append(request)
        for fd in request.take_fds():
            os.write(fd, b"here")
            os.close(fd)
        request.answer({"pid": 7})

    def op_wait(self, request):
        self.requests.append(request)

    def op_kill(self, request):
        raise ControlError("nobody there")

    def connection_closed(self, connection):
        self.closed += 1


def pair():
    ends = socket.socketpair()
    a, b = (_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, end.detach()) for end in ends)
    b.setblocking(False)
    handler = Handler()
    return Connection(a), ServerConnection(b, handler), handler


def test_request_with_a_descriptor():
    client, server, _ = pair()
    read_end, write_end = os.pipe()
    client.send({"op": "exec", "id": 1}, [write_end])
    assert server.on_readable()
    assert client.receive()[0] == {"id": 1, "pid": 7}
    assert os.read(read_end, 10) == b"here"


def test_errors_and_unknown_operations():
    client, server, _ = pair()
    for operation in ("kill", "nonsense", 3, "__class__"):
        client.send({"op": operation, "id": 2})
        server.on_readable()
        assert client.receive()[0] == {"id": 2, "error": "nobody there" if operation == "kill" else "unknown operation"}


def test_answers_may_come_late_and_in_any_order():
    client, server, handler = pair()
    client.send({"op": "wait", "id": 1})
    client.send({"op": "wait", "id": 2})
    server.on_readable()
    handler.requests[1].answer({"status": 2})
    handler.requests[0].answer({"status": 1})
    handler.requests[0].answer({"status": 9})
    assert [client.receive()[0]["status"] for _ in range(2)] == [2, 1]


def test_a_client_that_hangs_up_is_noticed_once():
    client, server, handler = pair()
    client.send({"op": "wait", "id": 1})
    server.on_readable()
    client.close()
    assert not server.on_readable()
    handler.requests[0].answer({"status": 0})
    assert handler.closed == 1


def test_a_long_answer_waits_for_the_reader():
    client, server, handler = pair()
    client.send({"op": "wait", "id": 1})
    server.on_readable()
    handler.requests[0].answer({"text": "x" * 5_000_000})
    assert server.wants_write()
    client.sock.setblocking(False)
    frame = None
    while frame is None:
        server.on_writable()
        try:
            client.fill()
        except BlockingIOError:
            pass
        frame = client.next_frame()
    assert len(frame[0]["text"]) == 5_000_000
    assert not server.wants_write()


@given(st.binary(max_size=64))
def test_nonsense_closes_the_connection_and_raises_nothing(data):
    client, server, handler = pair()
    client.sock.sendall(data)
    client.sock.shutdown(_socket.SHUT_WR)
    while server.on_readable():
        pass
    assert handler.closed == 1
    client.close()


def test_process_args_survive_the_wire():
    process = ProcessArgs(["a"], ["B=c"], "/", 1, 2, None, [3], {"effective": 5}, [[7, 1, 2]], True, False, None)
    assert ProcessArgs.from_wire(process.to_wire()).to_wire() == process.to_wire()
