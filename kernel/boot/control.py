# SPDX-License-Identifier: Apache-2.0
"""The wire of the sandbox's control socket, both ends: framed JSON objects over a Unix stream socket, descriptors beside them.

A frame is its length and the number of its descriptors (both u32, little endian), then the text; descriptors travel with the frame's
first byte. A request is {"op": name, "id": n, ...}; its answer {"id": n, ...} or {"id": n, "error": text}, in any order, now or later.
Nothing here blocks on the server's side, and nothing here knows the kernel: a handler object has one method per operation.

Operations (method op_<name>(connection, request), fields of the request -> of the answer):
  start                                  {} -> {}                          the first program runs
  kill     {signal, all, pid}            -> {}                             pid 0: the first process; all: every one
  exec     {process, tty} + 3 fds or 1   -> {pid, host_pid}                then the client waits by `wait`; when the connection that asked
                                                                           closes before the end, the process is killed
  wait     {pid}                         -> {status}                       pid 0: the container; status as of a shell: code or 128+n
  ps                                     -> {processes: [{pid, ppid, uid, host_pid, threads, start_ns, cpu_ns, comm, args, tty}]}
  winsize  {pid, rows, columns}          -> {}                             only where the terminal is no host pty
  pause, resume                          -> {}
  state                                  -> {status}                       "created", "running", "paused"
  stats                                  -> {cpu_ns, memory, pids}
  stacks                                 -> {text}
host_pid is a pid in the sandbox process's own pid namespace.
"""

import _socket
import posix

from kernel.abi.json import JsonError, dumps, loads

HEADER = 8
MAX_FRAME = 16 << 20  # an exec may carry 2 MiB of arguments; JSON can take six bytes for one
MAX_FDS = 8
FD_SIZE = 4
OPERATIONS = frozenset(("start", "kill", "exec", "wait", "ps", "winsize", "pause", "resume", "state", "stats", "stacks"))


class ControlError(Exception):
    """An operation failed; the text goes to the client."""


class Connection:
    """One end of a connection: framing, and descriptors. Does not block if the socket does not."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()
        self.fds = []
        self.unsent = bytearray()

    def fileno(self):
        """The socket's descriptor, for poll."""
        return self.sock.fileno()

    def close(self):
        """Closes the socket, and descriptors that nobody took."""
        for fd in self.fds:
            posix.close(fd)
        self.fds = []
        self.sock.close()

    def send(self, message, fds=()):
        """Sends a frame; what the socket does not take now waits in `unsent` for flush()."""
        text = dumps(message)
        frame = len(text).to_bytes(4, "little") + len(fds).to_bytes(4, "little") + text
        if fds:
            rights = b"".join(fd.to_bytes(FD_SIZE, "little") for fd in fds)
            sent = self.sock.sendmsg([frame], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)], _socket.MSG_NOSIGNAL)
            frame = frame[sent:]
        self.unsent += frame
        self.flush()

    def flush(self):
        """Sends more of `unsent`; true when nothing is left."""
        while self.unsent:
            try:
                del self.unsent[: self.sock.send(self.unsent, _socket.MSG_NOSIGNAL)]
            except BlockingIOError:
                return False
        return True

    def fill(self):
        """Receives what is there; false at the end of the stream."""
        room = _socket.CMSG_SPACE(MAX_FDS * FD_SIZE)
        data, ancillary, _, _ = self.sock.recvmsg(65536, room, _socket.MSG_CMSG_CLOEXEC)
        for level, kind, rights in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                for i in range(0, len(rights) - FD_SIZE + 1, FD_SIZE):
                    self.fds.append(int.from_bytes(rights[i : i + FD_SIZE], "little"))
        if len(self.fds) > MAX_FDS:
            raise ControlError("too many descriptors")
        self.received += data
        return bool(data)

    def next_frame(self):
        """(object, its descriptors), or None if no frame is complete. ControlError: the peer breaks the protocol."""
        if len(self.received) < HEADER:
            return None
        length = int.from_bytes(self.received[:4], "little")
        count = int.from_bytes(self.received[4:8], "little")
        if length > MAX_FRAME:
            raise ControlError("frame too long")
        if len(self.received) < HEADER + length:
            return None
        if count > len(self.fds):
            raise ControlError("descriptors are missing")
        text = bytes(self.received[HEADER : HEADER + length])
        del self.received[: HEADER + length]
        fds, self.fds = self.fds[:count], self.fds[count:]
        try:
            message = loads(text)
        except JsonError as error:
            raise ControlError(str(error)) from None
        if type(message) is not dict:
            raise ControlError("a frame holds no object")
        return message, fds

    def receive(self):
        """The next frame, waiting for it (clients); None at the end of the stream."""
        while True:
            frame = self.next_frame()
            if frame is not None:
                return frame
            if not self.fill():
                return None


class Request:
    """One request in the server: `values` and `fds` of it; answer() or fail() once, now or later."""

    def __init__(self, connection, values, fds):
        self.connection, self.values, self.fds = connection, values, fds
        self.is_answered = False

    def get(self, name, default=None):
        """A field of the request."""
        return self.values.get(name, default)

    def take_fds(self):
        """The descriptors, now the caller's."""
        fds, self.fds = self.fds, []
        return fds

    def answer(self, values=None):
        """Sends the answer. A client that is gone does not matter."""
        if self.is_answered:
            return
        self.is_answered = True
        self.connection.reply({"id": self.values.get("id", 0), **(values or {})})

    def fail(self, text):
        """Sends an error."""
        self.answer({"error": text})


class ServerConnection(Connection):
    """A client as the sandbox sees it. The event loop calls on_readable() and on_writable()."""

    def __init__(self, sock, handler):
        super().__init__(sock)
        self.handler = handler
        self.is_closed = False

    def wants_write(self):
        """Is there something left to send?"""
        return bool(self.unsent) and not self.is_closed

    def on_readable(self):
        """Serves what has arrived; false when the connection is over (and closed)."""
        try:
            if not self.fill():
                return self.hang_up()
            while not self.is_closed:
                frame = self.next_frame()
                if frame is None:
                    break
                self.serve(*frame)
        except BlockingIOError:
            return True
        except (OSError, ControlError):
            return self.hang_up()
        return not self.is_closed

    def on_writable(self):
        """Sends what is left; false when the connection is over."""
        try:
            self.flush()
        except OSError:
            return self.hang_up()
        return not self.is_closed

    def serve(self, values, fds):
        """Calls the handler's method for one request."""
        request = Request(self, values, fds)
        name = values.get("op")
        try:
            if type(name) is not str or name not in OPERATIONS:
                raise ControlError("unknown operation")
            getattr(self.handler, "op_" + name)(request)
        except ControlError as error:
            request.fail(str(error))
        finally:
            for fd in request.take_fds():
                posix.close(fd)

    def reply(self, message):
        """Sends, if the client is still there."""
        if self.is_closed:
            return
        try:
            self.send(message)
        except OSError:
            self.hang_up()

    def hang_up(self):
        """Closes, and tells the handler: connection_closed(connection)."""
        if not self.is_closed:
            self.is_closed = True
            self.close()
            self.handler.connection_closed(self)
        return False


class ControlServer:
    """The listening end: accept() when fileno() is readable."""

    def __init__(self, listen_fd, handler):
        self.sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, listen_fd)
        self.handler = handler

    def fileno(self):
        """The listening descriptor, for poll."""
        return self.sock.fileno()

    def accept(self):
        """A ServerConnection for a client that has come, or None."""
        try:
            fd, _ = self.sock._accept()
        except OSError:
            return None
        posix.set_blocking(fd, False)
        return ServerConnection(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd), self.handler)
