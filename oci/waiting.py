# SPDX-License-Identifier: Apache-2.0
"""A command that stands in the foreground for a process in the sandbox: signals go to it, its end is ours.

Signals are blocked and read as data (sigwait's relative, a wake-up descriptor), so there is no moment at which one is lost.
"""

import _signal
import posix
import select

from oci.control import Client
from oci.errors import RunscError
from oci.names import SIGNALS

SIGCHLD, SIGWINCH, SIGKILL = 17, 28, 9
KEPT = {SIGNALS[name] for name in "KILL STOP CHLD SEGV BUS ILL FPE TRAP SYS ABRT URG PROF TSTP TTIN TTOU PIPE WINCH".split()}
FORWARDED = tuple(sorted(set(range(1, 32)) - KEPT))


def nothing():
    """Nobody needs to be told."""


class Foreground:
    """Catches signals from its making on."""

    def __init__(self):
        self.wake_read, self.wake_write = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
        for number in (*FORWARDED, SIGCHLD, SIGWINCH):
            _signal.signal(number, take_note)
        _signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)

    def signals(self):
        """Numbers of the signals that came since."""
        try:
            return posix.read(self.wake_read, 512)
        except BlockingIOError:
            return b""

    def wait_for_child(self, pid, container, master=-1):
        """Until our child, the sandbox, has ended; its exit status as a shell has it. master: its pty, relayed to our terminal."""

        def forward(number):
            try:
                client = Client(container.id, container.directory_fd, 3.0)
                client.call("kill", signal=number, all=False, pid=0)
                client.close()
            except RunscError:
                pass  # it is about to end

        def ended():
            found, status = posix.waitpid(pid, posix.WNOHANG)
            return exit_status(status) if found else None

        return self.loop(ended, forward, master)

    def wait_for_answer(self, client, number, guest_pid, master=-1, terminal=-1):
        """Until the sandbox answers a `wait` request for a process of an exec. terminal: whose size is the process's, too."""

        def forward(signal):
            client.send("kill", signal=signal, all=False, pid=guest_pid)

        def resized():
            try:
                columns, rows = posix.get_terminal_size(terminal)
            except OSError:
                return  # hung up meanwhile
            client.send("winsize", pid=guest_pid, rows=rows, columns=columns)

        def ended():
            answer = client.poll_answer(number) if is_readable(client) else None
            return None if answer is None else int(answer.get("status", 0)) & 0xFF

        return self.loop(ended, forward, master, client.fileno(), resized if terminal >= 0 else nothing)

    def loop(self, ended, forward, master, also=-1, resized=nothing):
        """Waits for signals, terminal and what `ended` looks at."""
        from oci.console import Relay

        poll = select.poll()
        poll.register(self.wake_read, select.POLLIN)
        if also >= 0:
            poll.register(also, select.POLLIN)
        relay = Relay(master) if master >= 0 else None
        if relay is None:
            return self.turn(poll, ended, forward, None, resized)
        with relay:
            relay.register(poll)
            status = self.turn(poll, ended, forward, relay, resized)
            relay.drain()
            return status

    def turn(self, poll, ended, forward, relay, resized):
        """The loop itself."""
        while True:
            status = ended()
            if status is not None:
                return status
            for fd, _ in poll.poll():
                if relay is not None and fd in (0, relay.master):
                    relay.serve(fd, poll)
            for number in self.signals():
                if number == SIGWINCH:
                    if relay is not None:
                        relay.resize()
                    resized()
                elif number != SIGCHLD:
                    forward(number)


def is_readable(client):
    """Has something arrived?"""
    poll = select.poll()
    poll.register(client.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def take_note(number, frame):
    """The wake-up descriptor has the number; nothing to do here."""


def exit_status(status):
    """A wait status as a shell shows it."""
    return 128 + posix.WTERMSIG(status) if posix.WIFSIGNALED(status) else posix.WEXITSTATUS(status)
