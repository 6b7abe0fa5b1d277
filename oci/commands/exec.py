# SPDX-License-Identifier: Apache-2.0
"""exec: another process in a running container."""

import posix

from oci import state
from oci.console import new_pty, send_master
from oci.control import Client
from oci.errors import NotRunning, RunscError
from oci.execprocess import wanted_process
from oci.pidfile import write_pid_file


def run(common, options, arguments, log):
    """The exit status is the process's; with --detach a waiter process stays behind, whose pid and status stand for it."""
    container = state.peek(common["root"], arguments[0])
    status = container.status()
    if status == "paused" and not options["ignore-paused"]:
        raise RunscError(f'container "{container.id}" is paused')
    if status == "creating" or not container.is_alive():
        raise NotRunning(container.id)
    process = wanted_process(container, options, arguments[1:])
    execution = Execution(container, process, options)
    return execution.detach() if options["detach"] else execution.wait()


class Execution:
    """One process of an exec, and who waits for it."""

    def __init__(self, container, process, options):
        self.container, self.process, self.options = container, process, options
        self.master = -1
        self.slave = -1  # kept by the waiter of a process with a terminal
        self.client = None
        self.guest_pid = 0

    def descriptors(self):
        """What the process gets as its stdio: ours, or a terminal."""
        if not self.process.terminal:
            from oci.container import open_stdio

            return open_stdio()
        socket_path = self.options["console-socket"]
        if not socket_path and self.options["detach"]:
            raise RunscError("a terminal needs --console-socket when nobody waits")
        self.master, slave = new_pty(self.process.console_size, socket_path)
        if socket_path:
            send_master(socket_path, self.master)
            posix.close(self.master)
            self.master = -1
        return [slave]

    def begin(self, keeps_slave=False):
        """Sends the request; afterwards the sandbox holds the descriptors."""
        self.client = Client(self.container.id, self.container.directory_fd)
        fds = self.descriptors()
        answer = self.client.call("exec", fds, process=self.process.to_wire(), tty=self.process.terminal)
        if keeps_slave and self.process.terminal:
            self.slave = fds.pop()
        for fd in fds:
            posix.close(fd)
        self.guest_pid = answer["pid"]
        if self.options["internal-pid-file"]:
            write_pid_file(self.options["internal-pid-file"], self.guest_pid)
        return self.client.send("wait", pid=self.guest_pid)

    def wait(self):
        """In the foreground."""
        from oci.waiting import Foreground

        foreground = Foreground()
        number = self.begin()
        write_pid_file(self.options["pid-file"], posix.getpid())
        terminal = 0 if self.master >= 0 and posix.isatty(0) else -1
        return foreground.wait_for_answer(self.client, number, self.guest_pid, self.master, terminal)

    def detach(self):
        """Forks the waiter; returns when the process runs and the pid file is there."""
        read_end, write_end = posix.pipe2(posix.O_CLOEXEC)
        pid = posix.fork()
        if pid == 0:
            posix.close(read_end)
            posix._exit(self.be_waiter(write_end))
        posix.close(write_end)
        text = read_all(read_end)
        if text != b"ok":
            posix.waitpid(pid, 0)
            raise RunscError(text.decode("utf-8", "replace") or "the process could not be started")
        write_pid_file(self.options["pid-file"], pid)
        return 0

    def be_waiter(self, report):
        """In the waiter: its life is the process's. Signals are passed on; its own death kills the process (the connection ends).

        The process's terminal is the waiter's controlling one, so that the waiter hears of its size.
        """
        from oci.console import control_terminal, leave_terminal
        from oci.waiting import Foreground

        try:
            foreground = Foreground()
            posix.setsid()
            number = self.begin(keeps_slave=True)
            control_terminal(self.slave)
        except (RunscError, OSError) as error:
            posix.write(report, str(error).encode("utf-8", "replace"))
            return 1
        self.master = -1
        let_go_of_stdio()
        posix.write(report, b"ok")
        posix.close(report)
        try:
            return foreground.wait_for_answer(self.client, number, self.guest_pid, terminal=self.slave)
        except RunscError:
            return 137  # the whole sandbox is gone
        finally:
            leave_terminal(self.slave)


def let_go_of_stdio():
    """The process has its own; readers of ours must see the end when it ends."""
    null = posix.open("/dev/null", posix.O_RDWR)
    for fd in range(3):
        posix.dup2(null, fd)
    posix.close(null)


def read_all(fd):
    """Until the other side closes."""
    text = b""
    while part := posix.read(fd, 4096):
        text += part
    posix.close(fd)
    return text
