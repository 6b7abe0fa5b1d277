# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid] and /proc/[pid]/task/[tid]: a table of files and what each is made of.

Who may look: the modes, and for what tells secrets (maps, environ, mem, fd...) the rule of ptrace(2): same user, no more capabilities, or
CAP_SYS_PTRACE. Everything is made at lookup; inode numbers are computed so that the same file keeps its number.
"""

from fs.proc import maps, mounts, status
from fs.proc.fd import FdDirectory, FdInfoDirectory
from fs.proc.memory import MemFile
from fs.proc.namespaces import NsDirectory
from fs.proc.nodes import Directory, MagicLink, TextFile
from kernel.abi.errno import EACCES, EINVAL, ENOENT, EPERM, ESRCH, Errno
from kernel.abi.fs import S_IFDIR, S_IFLNK, S_IFREG
from kernel.abi.task import CAP_SYS_PTRACE, CAP_SYS_RESOURCE

DEFAULT_SLACK_NS = 50_000
FILES_OF_A_TASK = 4096  # inode numbers reserved for each


class Target:
    """Whom a directory is about: a process, or one of its threads."""

    __slots__ = ("group", "is_process", "kernel", "task")

    def __init__(self, kernel, group, task=None):
        self.kernel = kernel
        self.group = group
        self.is_process = task is None
        self.task = task if task is not None else group.leader

    @property
    def id(self):
        """pid or tid."""
        return self.group.pid if self.is_process else self.task.tid

    @property
    def mm(self):
        """The address space; None when it has gone."""
        mm = self.task.mm
        if mm is None and self.is_process:
            mm = next((task.mm for task in self.group.tasks.values() if task.mm is not None), None)
        return None if self.group.zombie else mm

    @property
    def owner(self):
        """(uid, gid) of the files: root's if the process may not be dumped."""
        if self.group.dumpable == 1 and (self.task.mm is None or self.task.mm.dumpable == 1):
            return self.task.creds.euid, self.task.creds.egid
        return 0, 0

    def alive(self):
        """Still known."""
        if self.kernel.groups.get(self.group.pid) is not self.group:
            return False
        return self.is_process or self.kernel.tasks.get(self.task.tid) is self.task

    def require(self, task):
        """ESRCH if it is gone; EACCES unless `task` might trace it."""
        if not self.alive():
            raise Errno(ESRCH)
        theirs, mine = self.task.creds, task.creds
        if task.group is self.group or mine.capable(CAP_SYS_PTRACE):
            return
        same = {theirs.uid, theirs.euid, theirs.suid} == {mine.fsuid} and {theirs.gid, theirs.egid, theirs.sgid} == {mine.fsgid}
        if not same or self.owner[0] != theirs.euid or theirs.cap_permitted & ~mine.cap_permitted:
            raise Errno(EACCES)

    def read_memory(self, start, end):
        """Bytes of its memory, as far as they can be read."""
        if self.mm is None or end <= start:
            return b""
        task = self.task if self.task.mm is not None else next(iter(self.group.tasks.values()))
        return task.copy_in_some(start, min(end - start, 1 << 20))


def cmdline(target):
    """The arguments, each with its NUL; a program may have written another text over them."""
    mm = target.mm
    if mm is None:
        return b""
    text = target.read_memory(mm.arg_start, mm.arg_end)
    if text and text[-1]:
        rest = target.read_memory(mm.env_start, mm.env_end)
        text = (text + rest).split(b"\0")[0]
    return text


def environ(target):
    return target.read_memory(target.mm.env_start, target.mm.env_end) if target.mm else b""


def comm(target):
    return target.task.comm + b"\n"


def set_comm(target, task, data):
    """Threads of the same process may give names."""
    if task.group is not target.group:
        raise Errno(EINVAL)
    target.task.comm = data.rstrip(b"\n")[:15]


def oom_score_adj(target):
    return f"{target.group.oom_score_adj}\n"


def set_oom_score_adj(target, task, data):
    """-1000 to 1000; lower than it was needs CAP_SYS_RESOURCE."""
    value = number(data)
    if not -1000 <= value <= 1000:
        raise Errno(EINVAL)
    if value < target.group.oom_score_adj and not task.creds.capable(CAP_SYS_RESOURCE):
        raise Errno(EACCES)
    target.group.oom_score_adj = value


def oom_adj(target):
    adj = target.group.oom_score_adj
    return f"{15 if adj == 1000 else adj * 17 // 1000}\n"


def timerslack(target):
    return f"{target.task.timerslack_ns}\n"


def set_timerslack(target, task, data):
    """0 stands for the default of 50 us."""
    value = number(data)
    if not 0 <= value < 1 << 64:
        raise Errno(EINVAL)
    target.task.timerslack_ns = value or DEFAULT_SLACK_NS


def id_map(target):
    """One range: the whole."""
    return "         0          0 4294967295\n"


def refuse(target, task, data):
    """The map of the initial user namespace is set already."""
    raise Errno(EPERM)


def set_loginuid(target, task, data):
    """Audit is absent; a login may set what it likes once."""
    number(data)


def number(data):
    """A decimal or hexadecimal number as kstrtoll takes it; EINVAL."""
    try:
        return int(data.split(b"\0")[0].strip(), 0)
    except ValueError:
        raise Errno(EINVAL) from None


def personality(target):
    return f"{target.task.personality:08x}\n"


def wchan(target):
    return "0"


def syscall(target):
    """The call it waits in, without its arguments."""
    return "running\n" if target.task.is_running() else f"{target.task.number} 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n"


def auxv(target):
    return target.mm.auxv if target.mm else b""


def exe(target):
    """The program's path; ENOENT for zombies."""
    mm = target.mm
    if mm is None or mm.exe is None or mm.exe.path is None:
        raise Errno(ENOENT)
    return mm.exe.path


def cwd(target):
    return place(target).cwd


def root(target):
    return place(target).root


def place(target):
    context = target.task.fs
    if context is None or target.group.zombie:
        raise Errno(ENOENT)
    return context


# name -> (mode, content(target), store(target, task, data) or None)
OPEN, SECRET = False, True
TEXTS = {
    b"stat": (0o444, status.stat, None, OPEN),
    b"status": (0o444, status.status, None, OPEN),
    b"statm": (0o444, status.statm, None, OPEN),
    b"cmdline": (0o444, cmdline, None, OPEN),
    b"comm": (0o644, comm, set_comm, OPEN),
    b"environ": (0o400, environ, None, SECRET),
    b"auxv": (0o400, auxv, None, SECRET),
    b"maps": (0o444, None, None, SECRET),
    b"smaps": (0o444, None, None, SECRET),
    b"smaps_rollup": (0o444, maps.smaps_rollup, None, SECRET),
    b"limits": (0o444, status.limits, None, OPEN),
    b"io": (0o400, status.io, None, SECRET),
    b"sched": (0o444, status.sched, None, OPEN),
    b"schedstat": (0o444, status.schedstat, None, OPEN),
    b"oom_score": (0o444, lambda target: f"{max(0, 667 + target.group.oom_score_adj * 2 // 3)}\n", None, OPEN),
    b"oom_score_adj": (0o644, oom_score_adj, set_oom_score_adj, OPEN),
    b"oom_adj": (0o444, oom_adj, None, OPEN),
    b"loginuid": (0o644, lambda target: "4294967295", set_loginuid, OPEN),
    b"sessionid": (0o444, lambda target: "4294967295", None, OPEN),
    b"wchan": (0o444, wchan, None, OPEN),
    b"syscall": (0o400, syscall, None, SECRET),
    b"personality": (0o400, personality, None, SECRET),
    b"cgroup": (0o444, lambda target: "0::/\n", None, OPEN),
    b"cpuset": (0o444, lambda target: "/\n", None, OPEN),
    b"uid_map": (0o644, id_map, refuse, OPEN),
    b"gid_map": (0o644, id_map, refuse, OPEN),
    b"setgroups": (0o644, lambda target: "allow\n", refuse, OPEN),
    b"timerslack_ns": (0o666, timerslack, set_timerslack, SECRET),
    b"coredump_filter": (0o644, lambda target: "00000033\n", refuse, OPEN),
}
LINKS = {b"exe": exe, b"cwd": cwd, b"root": root}
MOUNTS = {b"mounts": mounts.mounts, b"mountinfo": mounts.mountinfo}
DIRECTORIES = {b"fd": (FdDirectory, 0o500), b"fdinfo": (FdInfoDirectory, 0o555), b"ns": (NsDirectory, 0o511)}
PROCESS_ONLY = (b"mountstats", b"task", b"coredump_filter", b"timerslack_ns", b"net")
NAMES = (*TEXTS, *LINKS, *MOUNTS, *DIRECTORIES, b"mem", b"mountstats", b"net", b"task")
INDEX = {name: index for index, name in enumerate(NAMES, 2)}


class TaskDirectory(Directory):
    """/proc/[pid], or /proc/[pid]/task/[tid]."""

    def __init__(self, fs, target):
        self.first_ino = target_ino(target)
        Directory.__init__(self, fs, self.first_ino)
        self.target = target
        self.uid, self.gid = target.owner
        self.nlink = 9 if target.is_process else 7

    def lookup(self, name):
        target = self.target
        index = INDEX.get(name)
        if index is None or not target.alive() or (name in PROCESS_ONLY and not target.is_process):
            raise Errno(ENOENT)
        inode = self.make(name, self.first_ino + index)
        inode.uid, inode.gid = target.owner
        return inode

    def make(self, name, ino):
        """The inode behind a name of the table."""
        target, fs = self.target, self.fs
        if name in TEXTS:
            return text_file(fs, ino, target, name)
        if name in LINKS:
            return guarded_link(fs, ino, target, LINKS[name])
        if name in MOUNTS:
            content = MOUNTS[name]
            return mounts.MountsFile(fs, ino, lambda task: content(target))
        if name in DIRECTORIES:
            kind, mode = DIRECTORIES[name]
            return kind(fs, ino, target, mode)
        if name == b"mem":
            return MemFile(fs, ino, target)
        if name == b"mountstats":
            return TextFile(fs, ino, lambda task: mounts.mountstats(target), mode=0o400)
        if name == b"net":
            return fs.net
        return ThreadsDirectory(fs, ino, target)

    def readdir(self):
        if not self.target.alive():
            raise Errno(ENOENT)
        names = [name for name in NAMES if self.target.is_process or name not in PROCESS_ONLY]
        return [(name, self.first_ino + INDEX[name], kind_of(name)) for name in names]


def kind_of(name):
    if name in LINKS:
        return S_IFLNK
    return S_IFDIR if name in DIRECTORIES or name in (b"task", b"net") else S_IFREG


def target_ino(target):
    return (1 << 32) + (target.id * 2 + (not target.is_process)) * FILES_OF_A_TASK


def text_file(fs, ino, target, name):
    """A file of TEXTS, about this target."""
    mode, content, store, secret = TEXTS[name]

    def read(task):
        if secret:
            target.require(task)
        elif not target.alive():
            raise Errno(ESRCH)
        if content is None:
            return (maps.maps if name == b"maps" else maps.smaps)(target, task.fs.root)
        return content(target)

    def write(task, data):
        if not target.alive():
            raise Errno(ESRCH)
        store(target, task, data)

    return TextFile(fs, ino, read, None if store is None else write, mode)


def guarded_link(fs, ino, target, function):
    """A magic link that only those who may trace the target can follow."""

    def go(task):
        target.require(task)
        return function(target)

    return MagicLink(fs, ino, go)


class ThreadsDirectory(Directory):
    """/proc/[pid]/task."""

    def __init__(self, fs, ino, target):
        Directory.__init__(self, fs, ino)
        self.target = target
        self.nlink = 2 + len(target.group.tasks)

    def lookup(self, name):
        target = self.target
        task = target.group.tasks.get(int(name)) if name.isdigit() else None
        if task is None and name == b"%d" % target.group.pid and target.alive():
            task = target.group.leader
        if task is None:
            raise Errno(ENOENT)
        return TaskDirectory(self.fs, Target(target.kernel, target.group, task))

    def readdir(self):
        ids = sorted(self.target.group.tasks) or [self.target.group.pid]
        return [(b"%d" % tid, (1 << 32) + (tid * 2 + 1) * FILES_OF_A_TASK, S_IFDIR) for tid in ids]
