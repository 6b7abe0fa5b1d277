# SPDX-License-Identifier: Apache-2.0
"""The kernel of a sandbox, put together: boot() runs in the jailed process and does not return.

Order (each step needs the one before): the platform's zygote is born with the final credentials, the filter closes, then file systems, the
first process with its descriptors, the control socket. The first program is loaded before `create` returns, so that a missing one is
an error of create; it runs when `start` says so.
"""

import gc
import posix

from fs.devpts.console import take_terminal
from fs.gofer.connection import Connection
from fs.tmpfs.storage import set_reopen_read_only
from kernel.abi.errno import EACCES, ENOENT, Errno
from kernel.boot import filesystems, jail, machine, platforms, stdio, tables, timeline
from kernel.boot.mounts import MountBuilder
from kernel.boot.process import ALL_CAPABILITIES, find_program, make_task
from kernel.boot.seccomp_profile import compile_profile
from kernel.boot.service import Service, shell_status
from kernel.ipc.namespace import IpcNamespace
from kernel.syscalls.copies import pieces
from kernel.task import watchdog
from kernel.task.creds import Creds
from kernel.task.execve import execute
from kernel.task.failure import failure_text
from kernel.task.kernel import Kernel
from kernel.task.measured import MeasuredKernel
from kernel.task.namespaces import UtsNamespace
from kernel.task.program import load_image
from kernel.time.clock import Clock

HOST = None  # the Machine; prepare() reads it while the host's files can be seen
PLATFORM = None  # the class of the chosen platform
PIECES = ()  # what system calls read and write; for the platform


def prepare(platform):
    """Before the fork: everything that needs the host's files. PlatformMissing."""
    global HOST, PLATFORM, PIECES
    PLATFORM = platforms.find(platform)
    tables.load()
    PIECES = pieces()
    HOST = machine.read_host()


class BootTask:
    """Looks up and creates for the boot code, with all rights, before there are tasks."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.creds = Creds(0, 0, (), ALL_CAPABILITIES)
        self.fs = None  # set with the mounts
        self.files = None


class Sandbox:
    """One container's kernel and what belongs to it."""

    def __init__(self, args):
        self.args = args
        self.log_fd = args.log_fd
        self.started = False
        self.init = None  # ThreadGroup of the first process
        self.image = None  # its program, loaded and not started
        self.consoles = {}
        self.seccomp = None  # the Filter of config.json
        self.kernel = (MeasuredKernel if args.debug else Kernel)(Clock(), self.log)
        self.kernel.machine = HOST or machine.read_host()
        self.kernel.machine.limit_memory(args.total_memory)
        self.kernel.strace = args.strace
        if args.pids_limit:
            self.kernel.max_tasks = min(args.pids_limit, self.kernel.max_tasks)
        self.kernel.protects_init = args.protects_init
        self.kernel.services = self

    def log(self, text):
        """A line for the debug log."""
        if self.log_fd >= 0:
            posix.write(self.log_fd, text.encode("utf-8", "replace") + b"\n")

    def birth(self):
        """Platform, jail, files, first process."""
        args, kernel = self.args, self.kernel
        if self.log_fd >= 0:
            watchdog.start(self.log_fd)
        platform = PLATFORM or platforms.find(args.platform)
        kernel.platform = platform() if args.platform == "ptrace" else platform(args.strict, args.spinning, args.syscall_patching)
        if not kernel.platform.reaps:
            kernel.reap_children()
        kernel.platform.start(kernel)
        if args.window:
            kernel.platform.describe(PIECES)
        timeline.mark("sentry: zygote born")
        kernel.limits = {**kernel.platform.limits(), "vdso": kernel.platform.vdso()}
        if args.console_fd >= 0 and not kernel.platform.reaps:  # stubs that are traced would stop for the terminal's signals
            take_terminal(args.console_fd)
        jail.close_jail(args)
        timeline.mark("sentry: filter closed")
        self.connection = Connection(args.gofer_fd)
        set_reopen_read_only(self.connection.reopen_read_only)
        self.uts, self.ipc = UtsNamespace(args.hostname.encode() or b"localhost"), IpcNamespace()
        boot_task = BootTask(kernel)
        filesystems.begin(self, boot_task)
        self.mounts = MountBuilder(self, self.connection, boot_task).build(args.mounts)
        self.root = boot_task.fs.root
        self.boot_task = boot_task
        filesystems.apply_paths(self, boot_task, args)
        timeline.mark("sentry: files mounted")
        self.seccomp = compile_profile(args.seccomp) if args.seccomp is not None else None
        task = self.new_process(args.process, args.stdio, args.console_fd)
        self.init = task.group
        kernel.init = task.group
        self.image = self.load_program(task, args.process)
        if args.control_fd >= 0:
            self.service = Service(self, args.control_fd)

    def new_process(self, process, fds, console_fd):
        """A task with its descriptors, without a program yet."""
        task = make_task(self.kernel, process, self.root, self.mounts, self.uts, self.ipc)
        task.seccomp = self.seccomp
        stdio.give(self, task, process, fds, console_fd)
        return task

    def load_program(self, task, process):
        """Find and load what the process is to run."""
        argv = [text.encode("utf-8", "surrogateescape") for text in process.argv]
        envv = [text.encode("utf-8", "surrogateescape") for text in process.envv]
        path, file = find_program(task, argv, envv)
        return load_image(task, path, file, argv, envv)

    def start(self):
        """`start`: the first program runs."""
        if not self.started:
            self.started = True
            execute(self.init.leader, self.image)
            self.image = None

    def exec_process(self, process, fds, tty):
        """Another process; returns its group. Errno if its program can't be run."""
        task = self.new_process(process, [] if tty else fds, fds[0] if tty else -1)
        try:
            image = self.load_program(task, process)
        except Errno:
            self.discard(task)
            raise
        execute(task, image)
        return task.group

    def terminals(self):
        """The devpts instance; there is one even if nobody mounted it."""
        return filesystems.devpts(self, "devpts", [])

    def discard(self, task):
        """A process that never ran."""
        from kernel.task.exit import group_exit

        group_exit(task.group, 0)

    def resize(self, pid, rows, columns):
        """A terminal that is no host pty has another size."""
        console = self.consoles.get(pid) or self.consoles.get(0)
        if console is not None:
            console.set_size(rows, columns)

    def run(self):
        """Serve until the first process is gone; the exit status of this process."""
        try:
            status = self.kernel.run()
        except BaseException as error:
            self.log(f"the kernel failed; the sandbox ends\n{failure_text(error)}")
            posix._exit(128)
        if self.args.control_fd >= 0:
            self.service.init_ended(status)
        for console in self.consoles.values():
            console.drain()
        if self.args.debug:
            self.log(self.kernel.platform.statistics())
            for line in self.kernel.report():
                self.log(line)
        return shell_status(status)


def boot(args):
    """In the jailed process: make the sandbox, report, run, exit with the first process's status."""
    sandbox = Sandbox(args)
    try:
        sandbox.birth()
    except Errno as error:
        sandbox.log(failure_text(error))
        args.report_error(describe(args, error))
        posix._exit(128)
    except Exception as error:
        sandbox.log(failure_text(error))
        args.report_error(f"{type(error).__name__}: {error}")
        posix._exit(128)
    timeline.mark("sentry: program loaded")
    args.report_ready()
    gc.collect()
    gc.freeze()
    timeline.mark("sentry: garbage collected")
    args.host.host_forget_file_pages()  # most code and every module's text was needed once, at birth
    timeline.mark("sentry: file pages forgotten")
    if args.debug:
        timeline.tell(args.log_fd)
    if not args.wait_for_start:
        sandbox.start()
    posix._exit(sandbox.run())


def describe(args, error):
    """The wording that Docker turns into 127, 126 or 125."""
    name = args.process.argv[0] if args.process.argv else ""
    if error.number == ENOENT and "/" not in name:
        return f'exec: "{name}": executable file not found in $PATH'
    if error.number == EACCES:
        return f'exec: "{name}": permission denied'
    return f'exec: "{name}": {error}'.lower() if error.number == ENOENT else f'"{name}": {error}'
