# SPDX-License-Identifier: Apache-2.0
"""What the host's side hands to the kernel at birth, and for each exec: plain values, checked before.

Descriptors in here are the only things of the host that the sandbox process still holds.
"""

import posix


class ProcessArgs:
    """A program to run: init of a container, or an exec. Numbers only, names were resolved outside."""

    FIELDS = (
        "argv",
        "envv",
        "cwd",
        "uid",
        "gid",
        "umask",
        "additional_gids",
        "capabilities",
        "rlimits",
        "no_new_privs",
        "terminal",
        "console_size",
    )

    def __init__(self, argv, envv, cwd, uid, gid, umask, additional_gids, capabilities, rlimits, no_new_privs, terminal, console_size):
        self.argv = argv  # list of str (surrogateescape)
        self.envv = envv  # list of "NAME=VALUE"
        self.cwd = cwd  # absolute
        self.uid, self.gid = uid, gid
        self.umask = umask  # int or None (022)
        self.additional_gids = additional_gids  # list of int
        self.capabilities = capabilities  # {"effective": mask, "permitted", "inheritable", "bounding", "ambient"} or None
        self.rlimits = rlimits  # list of (RLIMIT number, soft, hard)
        self.no_new_privs = no_new_privs
        self.terminal = terminal
        self.console_size = console_size  # (rows, columns) or None

    def to_wire(self):
        """As an object for the control socket."""
        return {name: getattr(self, name) for name in self.FIELDS}

    @classmethod
    def from_wire(cls, values):
        """The inverse of to_wire()."""
        return cls(**{name: values[name] for name in cls.FIELDS})


class MountArgs:
    """One mount of the container, in order; the first is the root."""

    def __init__(self, destination, fstype, source, options, attach, readonly):
        self.destination = destination  # absolute path in the container, not normalised, may hold symlinks
        self.fstype = fstype  # "root", "bind", "proc", "tmpfs", "sysfs", "devpts", "mqueue", "cgroup", ...
        self.source = source
        self.options = options  # list of str
        self.attach = attach  # index of the gofer's attach point, or None
        self.readonly = readonly
        self.is_directory = True  # of the attached object: a bind mount may be of a file

    @classmethod
    def from_wire(cls, values):
        """From its own fields."""
        mount = cls.__new__(cls)
        vars(mount).update(values)
        return mount


class SandboxArgs:
    """All that boot() needs."""

    def __init__(self):
        self.container_id = ""
        self.process = None  # ProcessArgs of the first program
        self.hostname = ""
        self.gofer_fd = -1  # socket to the gofer
        self.mounts = []  # MountArgs
        self.overlay = "none"  # "none" or "root:memory"
        self.stdio = []  # three descriptors; those of pipes and terminals are our own open files, O_NONBLOCK
        self.console_fd = -1  # slave of a host pty, or -1
        self.control_fd = -1  # listening Unix socket (kernel.boot.control)
        self.ready_fd = -1  # see report_ready
        self.wait_for_start = True  # the first program waits for `start`
        self.protects_init = True  # process 1 gets only signals that it handles, as in every pid namespace
        self.log_fd = -1  # debug log, or -1
        self.debug = False
        self.strace = False
        self.strace_names = ()  # empty: all
        self.platform = "systrap"
        self.syscall_patching = True  # this and the next two are optimisations; see kernel/platform
        self.spinning = True
        self.window = True
        self.strict = False
        self.masked_paths, self.readonly_paths = [], []
        self.seccomp = None  # linux.seccomp, to be applied to the container's processes, or None
        self.dies_with_parent = False  # of the process that made us
        self.network = "none"
        self.pids_limit = 0  # most guest tasks; 0: no limit
        self.nr_cpus = 0  # processors to show; 0: the host's
        self.total_memory = 0  # bytes to show; 0: the host's
        self.unconfined = False  # development: no jail
        self.lenient_filter = False  # development: a call outside the filter's table fails with EPERM
        self.host = None  # oci._host.lib

    def to_wire(self):
        """Plain values for marshal; descriptors and `host` are the receiver's own."""
        values = vars(self).copy()
        del values["host"]
        values["process"] = self.process.to_wire()
        values["mounts"] = [vars(mount) for mount in self.mounts]
        return values

    @classmethod
    def from_wire(cls, values):
        """The inverse of to_wire()."""
        args = cls()
        vars(args).update(values)
        args.process = ProcessArgs.from_wire(values["process"])
        args.mounts = [MountArgs.from_wire(mount) for mount in values["mounts"]]
        return args

    def report_ready(self):
        """The container is complete; its first program waits, or runs."""
        posix.write(self.ready_fd, b"ready\n")
        posix.close(self.ready_fd)
        self.ready_fd = -1

    def report_error(self, text):
        """The container can't be made. The caller ends the process."""
        if self.ready_fd >= 0:
            posix.write(self.ready_fd, b"error: " + text.encode("utf-8", "replace")[:60000])
