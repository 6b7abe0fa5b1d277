# SPDX-License-Identifier: Apache-2.0
"""The proc file system (proc(5)): its root, and the table of what is not about one process."""

from fs.proc import net, system
from fs.proc.namespaces import NsFileSystem
from fs.proc.nodes import Directory, Link, tree
from fs.proc.pid import Target, TaskDirectory, target_ino
from fs.proc.sysctl import Sysctl
from fs.vfs.inode import FileSystem
from kernel.abi.errno import ENOENT, Errno
from kernel.abi.fs import S_IFDIR, S_IFMT

PROC_SUPER_MAGIC = 0x9FA0
ROOT_INO = 1


class ProcFileSystem(FileSystem):
    """One instance; every mount of proc in a sandbox can show the same one."""

    def __init__(self, kernel, source="proc"):
        FileSystem.__init__(self, "proc", source)
        self.kernel = kernel
        self.cache_dentries = False
        self.made_ns = kernel.clock.realtime_ns()
        self.last_ino = ROOT_INO
        self.nsfs = NsFileSystem(self.made_ns)
        self.net = tree(self, net.layout(kernel))
        self.root = RootDirectory(self)

    def new_ino(self):
        """A number for an inode of the fixed part."""
        self.last_ino += 1
        return self.last_ino

    def statfs(self):
        return {"type": PROC_SUPER_MAGIC, "bsize": 4096, "namelen": 255, "frsize": 4096}


def layout(kernel):
    """Name -> content, as fs.proc.nodes.tree takes it."""

    def about(function):
        return lambda task: function(kernel)

    return {
        "cmdline": b"console=ttyS0\n",
        "consoles": b"",
        "cpuinfo": about(system.cpuinfo),
        "devices": system.DEVICES.encode(),
        "diskstats": b"",
        "filesystems": about(system.filesystems),
        "interrupts": about(system.interrupts),
        "loadavg": about(system.loadavg),
        "meminfo": about(system.meminfo),
        "misc": b"",
        "modules": b"",
        "mounts": "self/mounts",
        "net": "self/net",
        "partitions": b"major minor  #blocks  name\n\n",
        "stat": about(system.stat),
        "swaps": b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
        "sys": Sysctl(kernel).layout(),
        "sysvipc": {kind: sysvipc(kind) for kind in ("msg", "sem", "shm")},
        "uptime": about(system.uptime),
        "version": about(system.version),
        "vmstat": about(system.vmstat),
        "cgroups": b"#subsys_name\thierarchy\tnum_cgroups\tenabled\n",
        "buddyinfo": b"",
        "zoneinfo": b"",
        "fs": {},
        "bus": {},
        "driver": {},
        "irq": {},
        "tty": {
            "drivers": b"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
            b"/dev/console         /dev/console    5       1 system:console\n"
            b"/dev/ptmx            /dev/ptmx       5       2 system\n"
            b"pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
        },
    }


def sysvipc(kind):
    """The objects of the caller's IPC namespace."""
    return lambda task: task.ipc.listing(kind)


class RootDirectory(Directory):
    """/proc: fixed entries, self, thread-self, and a directory for each process (for each thread too, unlisted)."""

    def __init__(self, fs):
        fixed = tree(fs, layout(fs.kernel))
        Directory.__init__(self, fs, ROOT_INO, fixed.entries)
        self.nlink = fixed.nlink
        self.entries[b"self"] = Link(fs, fs.new_ino(), lambda task: b"%d" % task.group.pid)
        self.entries[b"thread-self"] = Link(fs, fs.new_ino(), lambda task: b"%d/task/%d" % (task.group.pid, task.tid))

    def lookup(self, name):
        if not name.isdigit():
            return Directory.lookup(self, name)
        kernel, number = self.fs.kernel, int(name) if len(name) < 10 and name[:1] != b"0" else 0
        group = kernel.groups.get(number)
        if group is not None:
            return TaskDirectory(self.fs, Target(kernel, group))
        task = kernel.tasks.get(number)
        if task is None:
            raise Errno(ENOENT)
        target = Target(kernel, task.group)
        target.task = task  # the whole process, but with the state of this thread
        return TaskDirectory(self.fs, target)

    def readdir(self):
        kernel = self.fs.kernel
        entries = [(name, inode.ino, inode.mode & S_IFMT) for name, inode in self.entries.items()]
        return entries + [(b"%d" % pid, target_ino(Target(kernel, kernel.groups[pid])), S_IFDIR) for pid in sorted(kernel.groups)]
