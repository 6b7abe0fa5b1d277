# SPDX-License-Identifier: Apache-2.0
"""A host terminal in front of a sandbox: its size travels in at once, and it is left as it was found, even when the sandbox is killed."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pytest


class Terminal:
    """A command behind a pseudo-terminal of ours."""

    def __init__(self, argv):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 20, 50, 0, 0))
            os.execv(argv[0], argv)
        self.text = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def expect(self, wanted, timeout_s=20):
        """Read until it has been said."""
        end = time.monotonic() + timeout_s
        while wanted not in self.text:
            assert time.monotonic() < end, f"no {wanted!r} in {self.text!r}"
            if select.select([self.master], [], [], 0.5)[0]:
                self.text += os.read(self.master, 4096)

    def end(self):
        os.close(self.master)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(runsc, guest):
    terminal = Terminal([str(runsc), "--network=none", "do", str(guest("tty/window")), "@watch"])
    yield terminal
    terminal.end()


def test_a_program_that_only_waits_hears_of_each_change(terminal):
    terminal.expect(b"size 20 50\r\n")
    for rows in (31, 32, 33):
        terminal.resize(rows, 80)
        terminal.expect(b"size %d 80\r\n" % rows)


def sentry_of(pid):
    """The child of the command that has no command line of its own."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            with open(f"/proc/{child}/comm") as comm:
                if comm.read().startswith("runsc-sentry"):
                    return int(child)
    raise AssertionError("no sentry")


def test_a_killed_sandbox_leaves_the_terminal_as_it_was(terminal):
    before = termios.tcgetattr(terminal.master)
    terminal.expect(b"size 20 50\r\n")
    assert termios.tcgetattr(terminal.master) != before
    os.kill(sentry_of(terminal.pid), signal.SIGKILL)
    for _ in range(200):
        if termios.tcgetattr(terminal.master) == before:
            break
        time.sleep(0.05)
    assert termios.tcgetattr(terminal.master) == before
    assert not fcntl.fcntl(terminal.master, fcntl.F_GETFL) & os.O_NONBLOCK
