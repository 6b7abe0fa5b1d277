# SPDX-License-Identifier: Apache-2.0
"""runsc with a kernel that runs nothing: tests of the host's side, without a platform.

Its "programs": `exit N`, `echo WORDS...`, `cat` (copies stdin, once), `sleep` (until a signal), `pty` (writes to the console). A signal
ends a program with 128+n.
"""

import os
import select
import sys
import types

from kernel.boot.args import ProcessArgs
from kernel.boot.control import ControlError, ControlServer

STUBS = []  # host processes that stand for guests; the filter allows none to be made later
NR_STUBS = 8
PROGRAMS = ("exit", "echo", "cat", "sleep", "pty")


class Program:
    """One pretended process."""

    def __init__(self, args, fds):
        self.args, self.fds = args, fds
        self.status = None
        self.waiters = []
        self.host_pid = 0

    def start(self):
        name, *rest = self.args.argv
        self.host_pid = STUBS.pop()
        if name == "exit":
            self.end(int(rest[0]))
        elif name == "echo":
            os.write(self.fds[min(1, len(self.fds) - 1)], " ".join(rest).encode() + b"\n")
            self.end(0)
        elif name == "cat":
            os.set_blocking(self.fds[0], True)
            os.write(self.fds[1], os.read(self.fds[0], 1000))
            self.end(0)
        elif name == "pty":
            os.write(self.fds[0], b"tty=%d\n" % os.isatty(self.fds[0]))
            self.end(0)

    def end(self, status):
        self.status = status
        os.kill(self.host_pid, 9)
        os.waitpid(self.host_pid, 0)
        for fd in self.fds:
            os.close(fd)
        for request in self.waiters:
            request.answer({"status": status})


class FakeKernel:
    """The handler of the control socket."""

    def __init__(self, args):
        self.args = args
        self.programs = {1: Program(args.process, [args.console_fd] if args.console_fd >= 0 else args.stdio)}
        self.connections = {}
        self.owners = {}
        self.status = "created"

    def check(self, process):
        if process.argv[0] not in PROGRAMS:
            raise ControlError(f'exec: "{process.argv[0]}": executable file not found in $PATH')

    def op_start(self, request):
        self.status = "running"
        request.answer()
        self.programs[1].start()

    def op_kill(self, request):
        number = request.get("pid") or 1
        for pid, program in list(self.programs.items()):
            if program.status is None and (pid == number or request.get("all")):
                program.end(128 + request.get("signal"))
        request.answer()

    def op_exec(self, request):
        process = ProcessArgs.from_wire(request.get("process"))
        self.check(process)
        pid = max(self.programs) + 1
        program = self.programs[pid] = Program(process, request.take_fds())
        self.owners[request.connection] = pid
        program.start()
        request.answer({"pid": pid, "host_pid": program.host_pid})

    def op_wait(self, request):
        program = self.programs.get(request.get("pid") or 1)
        if program is None:
            raise ControlError("no such process")
        if program.status is not None:
            request.answer({"status": program.status})
        else:
            program.waiters.append(request)

    def op_ps(self, request):
        request.answer(
            {
                "processes": [
                    {
                        "pid": pid,
                        "ppid": 0,
                        "uid": 0,
                        "host_pid": program.host_pid,
                        "threads": 1,
                        "start_ns": 0,
                        "cpu_ns": 0,
                        "comm": program.args.argv[0],
                        "args": " ".join(program.args.argv),
                        "tty": "",
                    }
                    for pid, program in self.programs.items()
                    if program.status is None and program.host_pid
                ]
            }
        )

    def op_pause(self, request):
        self.status = "paused"
        request.answer()

    def op_resume(self, request):
        self.status = "running"
        request.answer()

    def op_state(self, request):
        request.answer({"status": self.status})

    def connection_closed(self, connection):
        pid = self.owners.pop(connection, 0)
        if pid and self.programs[pid].status is None:
            self.programs[pid].end(137)
        self.connections.pop(connection.number, None)

    def loop(self):
        server = ControlServer(self.args.control_fd, self)
        poll = select.poll()
        poll.register(server.fileno(), select.POLLIN)
        gofer = self.args.gofer_fd
        poll.register(gofer, select.POLLIN)
        if not self.args.wait_for_start:
            self.programs[1].start()
        while self.programs[1].status is None:
            for fd, _ in poll.poll():
                if fd == server.fileno():
                    connection = server.accept()
                    if connection:
                        connection.number = connection.fileno()
                        self.connections[connection.number] = connection
                        poll.register(connection.number, select.POLLIN)
                elif fd == gofer:
                    os._exit(128)
                elif not self.connections[fd].on_readable():
                    poll.unregister(fd)
        os._exit(self.programs[1].status)


def boot(args):
    """Stands for kernel.boot.sandbox.boot."""
    from kernel.boot.jail import close_jail

    kernel = FakeKernel(args)
    if args.process.argv[0] == "crash":
        raise ValueError("the kernel fell over")
    if args.process.argv[0] == "vanish":
        os.kill(os.getpid(), 9)
        os._exit(3)
    kernel.check(args.process)
    for _ in range(NR_STUBS):
        pid = os.fork()
        if pid == 0:
            select.select([], [], [])
        STUBS.append(pid)
    close_jail(args)
    args.report_ready()
    kernel.loop()


def serve(sock_fd, attaches):
    """Stands for gofer.main.serve."""
    while os.read(sock_fd, 100):
        pass


def install():
    """Puts the pretended kernel and gofer where the real ones would be imported from."""
    for name, functions in (
        ("kernel.boot.sandbox", {"boot": boot, "prepare": lambda platform: None}),
        ("gofer.main", {"serve": serve}),
        ("gofer.jail", {"enter": lambda *args: None}),
    ):
        module = types.ModuleType(name)
        module.__dict__.update(functions)
        sys.modules[name] = module
        package, _, short = name.rpartition(".")
        setattr(__import__(package, fromlist=["x"]), short, module)


if __name__ == "__main__":
    install()
    import runsc

    runsc.main(sys.argv)
