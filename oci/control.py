# SPDX-License-Identifier: Apache-2.0
"""The command's end of a sandbox's control socket."""

import _socket
import posix

from kernel.boot.control import Connection, ControlError
from oci.errors import NotRunning, RunscError

SOCKET_NAME = "control"
BACKLOG = 64


def socket_path(directory_fd):
    """A short path for bind and connect: a state directory's own name may be longer than sun_path."""
    return f"/proc/self/fd/{directory_fd}/{SOCKET_NAME}"


def listen(directory_fd):
    """A listening control socket in a state directory; returns its descriptor."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    sock.bind(socket_path(directory_fd))
    sock.listen(BACKLOG)
    return sock.detach()


class Client:
    """A connection to a running sandbox."""

    def __init__(self, container_id, directory_fd, timeout=None):
        self.container_id = container_id
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        sock.settimeout(timeout)
        try:
            sock.connect(socket_path(directory_fd))
        except OSError:
            sock.close()
            raise NotRunning(container_id) from None
        self.connection = Connection(sock)
        self.sequence = 0
        self.answers = {}

    def close(self):
        """Ends the connection."""
        self.connection.close()

    def fileno(self):
        """The socket, for poll."""
        return self.connection.fileno()

    def send(self, operation, fds=(), **fields):
        """Sends a request; its number is for answer()."""
        self.sequence += 1
        try:
            self.connection.send({"op": operation, "id": self.sequence, **fields}, fds)
        except OSError:
            raise NotRunning(self.container_id) from None
        return self.sequence

    def answer(self, number):
        """Waits for the answer to a request. RunscError: what the sandbox says; NotRunning: it is gone."""
        while number not in self.answers:
            try:
                frame = self.connection.receive()
            except (OSError, ControlError):
                frame = None
            if frame is None:
                raise NotRunning(self.container_id)
            self.answers[frame[0].get("id")] = frame[0]
        found = self.answers.pop(number)
        if "error" in found:
            raise RunscError(str(found["error"]))
        return found

    def call(self, operation, fds=(), **fields):
        """Request and answer."""
        return self.answer(self.send(operation, fds, **fields))

    def poll_answer(self, number):
        """The answer if it has arrived (call when fileno() is readable), None if not yet."""
        if number not in self.answers:
            try:
                alive = self.connection.fill()
                frame = self.connection.next_frame()
            except (OSError, ControlError):
                alive, frame = False, None
            while frame is not None:
                self.answers[frame[0].get("id")] = frame[0]
                frame = self.connection.next_frame()
            if number not in self.answers:
                if not alive:
                    raise NotRunning(self.container_id)
                return None
        return self.answer(number)


def duplicate_stdio():
    """Descriptors 0, 1 and 2 as a list to send; closed ones become /dev/null."""
    fds = []
    for fd in range(3):
        try:
            posix.fstat(fd)
            fds.append(fd)
        except OSError:
            fds.append(posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC))
    return fds
