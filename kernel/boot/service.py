# SPDX-License-Identifier: Apache-2.0
"""What the control socket can ask of a running sandbox (kernel.boot.control describes the operations)."""

import posix

from kernel.abi.errno import ENOENT, Errno
from kernel.boot.args import ProcessArgs
from kernel.boot.control import ControlError, ControlServer
from kernel.signal.pending import kill_info
from kernel.signal.send import send_to_group
from kernel.task.cputime import used

EPOLLIN, EPOLLOUT = 1, 4
SIGCONT, SIGSTOP = 18, 19  # the host's
BIRTHS_END_NS = (10_000_000, 100_000_000)
FROM_HOST = -1  # marks a signal that process 1 can't refuse


def shell_status(wait_status):
    """A wait status as a shell shows it."""
    return 128 + (wait_status & 0x7F) if wait_status & 0x7F else wait_status >> 8 & 0xFF


class Service:
    """The handler behind the control socket of one sandbox."""

    def __init__(self, sandbox, listen_fd):
        self.sandbox = sandbox
        self.kernel = sandbox.kernel
        self.server = ControlServer(listen_fd, self)
        self.watches = {}
        self.waiters = {}  # pid -> [Request]
        self.execs = {}  # connection -> [ThreadGroup]
        self.ended = {}  # pid of an exec -> shell status, until somebody asks
        self.kernel.watch(self.server.fileno(), EPOLLIN, self.on_client)

    # connections

    def on_client(self, _events):
        """Somebody connects."""
        connection = self.server.accept()
        if connection is not None:
            fd = connection.fileno()
            self.watches[connection] = self.kernel.watch(fd, EPOLLIN, lambda events: self.on_event(connection, events))

    def on_event(self, connection, events):
        """A client sent something, or can take more."""
        watch = self.watches.get(connection)
        alive = connection.on_writable() if events & EPOLLOUT else True
        if alive and events & ~EPOLLOUT:
            alive = connection.on_readable()
        if alive and watch is not None:
            wanted = EPOLLIN | (EPOLLOUT if connection.wants_write() else 0)
            self.watches[connection] = self.kernel.watch(connection.fileno(), wanted, watch.callback)

    def connection_closed(self, connection):
        """A client is gone: its execs end."""
        watch = self.watches.pop(connection, None)
        if watch is not None:
            self.kernel.unwatch(watch)
        for group in self.execs.pop(connection, []):
            if not group.zombie:
                self.signal_group(group, 9)

    # operations

    def op_start(self, request):
        """The first program runs."""
        self.sandbox.start()
        request.answer()

    def op_state(self, request):
        """created, running or paused."""
        request.answer({"status": "paused" if self.kernel.paused else "running" if self.sandbox.started else "created"})

    def signal_group(self, group, signo):
        """A signal from the host: process 1 gets it too."""
        info = kill_info(signo, 0, 0, 0)
        info.error = FROM_HOST
        send_to_group(group, info)

    def op_kill(self, request):
        """To one process or all."""
        pid, signo = request.get("pid", 0), request.get("signal")
        if request.get("all"):
            targets = list(self.kernel.groups.values())
        else:
            group = self.kernel.groups.get(pid) if pid else self.sandbox.init
            if group is None or group.zombie:
                raise ControlError(f"process {pid} does not exist")
            targets = [group]
        if not self.sandbox.started and signo in (9, 15):
            self.kernel.finished, self.kernel.exit_status = True, signo
        for group in targets:
            self.signal_group(group, signo)
        request.answer()

    def op_exec(self, request):
        """Another process in the container."""
        process = ProcessArgs.from_wire(request.get("process"))
        fds = request.take_fds()
        try:
            group = self.sandbox.exec_process(process, fds, bool(request.get("tty")))
        except Errno as error:
            name = process.argv[0] if process.argv else ""
            if error.number == ENOENT and "/" not in name:
                raise ControlError(f'exec: "{name}": executable file not found in $PATH') from None
            raise ControlError(f'exec: "{name}": {error}'.lower()) from None
        self.execs.setdefault(request.connection, []).append(group)
        group.on_exit = self.exec_ended
        request.answer({"pid": group.pid, "host_pid": 0})

    def exec_ended(self, group, wait_status):
        """The process of an exec is over."""
        requests = self.waiters.pop(group.pid, [])
        for request in requests:
            request.answer({"status": shell_status(wait_status)})
        if not requests:
            self.ended[group.pid] = shell_status(wait_status)

    def op_wait(self, request):
        """The end of a process, now or later."""
        pid = request.get("pid", 0)
        if pid in self.ended:
            request.answer({"status": self.ended.pop(pid)})
        elif pid == 0 or pid in self.kernel.groups:
            self.waiters.setdefault(pid, []).append(request)
        else:
            raise ControlError(f"process {pid} does not exist")

    def init_ended(self, wait_status):
        """The container is over: everybody who waits for it hears so."""
        for request in self.waiters.pop(0, []):
            request.answer({"status": shell_status(wait_status)})

    def op_ps(self, request):
        """All processes."""
        request.answer({"processes": [self.describe(group) for group in self.kernel.groups.values() if not group.zombie]})

    def describe(self, group):
        """One row of ps."""
        task = group.leader
        mm = next(iter(group.tasks.values())).mm
        args = task.comm
        if mm is not None and mm.arg_end > mm.arg_start:
            args = task.copy_in_some(mm.arg_start, min(mm.arg_end - mm.arg_start, 4096)).rstrip(b"\0").replace(b"\0", b" ") or args
        return {
            "pid": group.pid,
            "ppid": group.parent.pid if group.parent is not None else 0,
            "uid": task.creds.uid,
            "host_pid": mm.space.host_pid if mm is not None and mm.space is not None else 0,
            "threads": len(group.tasks),
            "start_ns": group.start_ns,
            "cpu_ns": sum(used(group)),
            "comm": task.comm.decode("utf-8", "replace"),
            "args": args.decode("utf-8", "replace"),
            "tty": "?" if group.pgrp.session.tty is None else str(group.pgrp.session.tty.name),
        }

    def op_winsize(self, request):
        """The terminal of `runsc do` or exec has another size."""
        self.sandbox.resize(request.get("pid", 0), request.get("rows"), request.get("columns"))
        request.answer()

    def op_pause(self, request):
        """The host stops the stubs; what they asked for before is answered when they go on."""
        self.kernel.paused = True
        self.stop_stubs()
        for delay_ns in BIRTHS_END_NS:
            self.kernel.timers.add(self.kernel.clock.monotonic_ns() + delay_ns, self.stop_stubs)
        request.answer()

    def stop_stubs(self):
        """Those too that were being born when the others stopped."""
        if self.kernel.paused:
            self.signal_stubs(SIGSTOP)

    def op_resume(self, request):
        """The inverse of pause."""
        self.kernel.paused = False
        self.signal_stubs(SIGCONT)
        request.answer()

    def signal_stubs(self, signo):
        """A signal of the host's, which guests do not see."""
        spaces = {task.mm.space for task in self.kernel.tasks.values() if task.mm is not None and task.mm.space is not None}
        for space in spaces:
            if space.host_pid and not space.dead:
                posix.kill(space.host_pid, signo)

    def op_stats(self, request):
        """CPU time, memory and tasks."""
        groups = list(self.kernel.groups.values())
        total, free = self.kernel.machine.memory(self.kernel)
        request.answer({"cpu_ns": sum(sum(used(group)) for group in groups), "memory": total - free, "pids": len(self.kernel.tasks)})

    def op_stacks(self, request):
        """What every task is doing, for debugging."""
        tasks = self.kernel.tasks.values()
        lines = [f"{task.tid} {task.comm.decode('utf-8', 'replace')} state {task.state} call {task.number}" for task in tasks]
        request.answer({"text": "\n".join(lines) + "\n"})
