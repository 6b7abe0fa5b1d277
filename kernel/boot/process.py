# SPDX-License-Identifier: Apache-2.0
"""Processes that the host side asks for: the first one of a container, and every exec."""

from fs.vfs.context import FsContext
from fs.vfs.fdtable import FdTable
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import EACCES, ENOENT, Errno
from kernel.abi.signal import SIGCHLD
from kernel.abi.task import RLIMIT_NOFILE
from kernel.signal.handlers import Handlers
from kernel.signal.pending import Pending
from kernel.task.creds import Creds
from kernel.task.group import ThreadGroup
from kernel.task.limits import Limits
from kernel.task.sched import SchedAttr
from kernel.task.task import Task
from kernel.time.posix_timers import watch_cpu_limit

DEFAULT_UMASK = 0o022
DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ALL_CAPABILITIES = (1 << 41) - 1


def make_creds(process):
    """Credentials of a ProcessArgs. Without a capabilities key a process has none, root or not, as with runc."""
    creds = Creds(process.uid, process.gid, process.additional_gids)
    sets = process.capabilities or {}
    creds.cap_bounding = sets.get("bounding", 0) & ALL_CAPABILITIES
    creds.cap_permitted = sets.get("permitted", 0) & ALL_CAPABILITIES
    creds.cap_effective = sets.get("effective", 0) & ALL_CAPABILITIES
    creds.cap_inheritable = sets.get("inheritable", 0) & ALL_CAPABILITIES
    creds.cap_ambient = sets.get("ambient", 0) & creds.cap_permitted & creds.cap_inheritable
    return creds


def make_task(kernel, process, root, mounts, uts, ipc):
    """A task without a program: ids, limits, root and working directory. cwd is found with its own rights."""
    pid = kernel.new_pid()
    group = ThreadGroup(kernel, pid, None)
    task = Task(kernel, pid, group)
    task.creds = make_creds(process)
    task.fs = FsContext(root, root, DEFAULT_UMASK if process.umask is None else process.umask, mounts)
    task.files = FdTable()
    task.uts, task.ipc = uts, ipc
    task.pending, group.pending = Pending(), Pending()
    group.handlers = Handlers()
    group.limits = Limits()
    for number, soft, hard in process.rlimits:
        group.limits.set(number, soft, hard)
    task.files.limit = group.limits.soft(RLIMIT_NOFILE)
    task.sched = SchedAttr(kernel.machine.cpu_mask)
    task.no_new_privs = process.no_new_privs
    task.exit_signal = SIGCHLD
    task.comm = b""
    group.leader = task
    group.tasks[pid] = task
    kernel.tasks[pid] = task
    group.new_session()
    watch_cpu_limit(group)
    enter_directory(task, process.cwd.encode("utf-8", "surrogateescape"))
    return task


def enter_directory(task, path):
    """The working directory; it is made if it does not exist, as runc does."""
    try:
        task.fs.cwd = lookup(task, -100, path or b"/", LOOKUP_FOLLOW | LOOKUP_DIRECTORY)
    except Errno as error:
        if error.number != ENOENT:
            raise
        make_directories(task, path)
        task.fs.cwd = lookup(task, -100, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY)


def make_directories(task, path):
    """mkdir -p as the kernel itself."""
    from kernel.boot.mounts import make_directories as make

    make(task, path)


def find_program(task, argv, envv):
    """The program that argv[0] means by the process's own PATH. Errno: ENOENT, or EACCES if only unusable ones were found."""
    from fs.vfs.operations import open_exec

    name = argv[0]
    if b"/" in name:
        return name, open_exec(task, -100, name)
    search = next((value[5:] for value in envv if value.startswith(b"PATH=")), DEFAULT_PATH)
    failure = ENOENT
    for directory in search.split(b":"):
        path = (directory or b".") + b"/" + name
        try:
            return path, open_exec(task, -100, path)
        except Errno as error:
            if error.number == EACCES:
                failure = EACCES
    raise Errno(failure)
