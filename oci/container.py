# SPDX-License-Identifier: Apache-2.0
"""A container's life on the host: make() brings it up to "created", begin() runs its program, oci.destroy removes it.

The lock of the state directory is held for short moments only: hooks and slow kernels must not keep `state` and `delete` waiting.
"""

import posix

from kernel.boot import timeline
from kernel.boot.args import ProcessArgs, SandboxArgs
from kernel.boot.profile import IS_RELEASE
from oci import cgroups, control, state
from oci.console import new_pty, send_master
from oci.destroy import destroy
from oci.errors import RunscError, UsageError
from oci.hooks import run_hooks, run_hooks_leniently
from oci.log import timestamp
from oci.mounts import Attaches, plan_mounts
from oci.namespaces import open_network
from oci.sandbox import Birth, set_oom_score
from oci.spec import parse_spec

S_IFMT, S_IFREG, S_IFSOCK, S_IFDIR = 0o170000, 0o100000, 0o140000, 0o040000
PAGE = 4096


class Making:
    """One container being made."""

    def __init__(self, common, log, cradle, container_id, bundle, config):
        self.common, self.log = common, log
        self.cradle = cradle
        self.id = container_id
        self.bundle = bundle
        self.config = config  # bytes of config.json
        self.spec = parse_spec(config, f"{bundle}/config.json")
        self.container = None
        self.birth = None
        self.wait_for_cgroup = bool  # until there is one: nothing to wait for
        self.master = -1  # of the container's pty, if we keep it
        self.wait_for_start = True
        self.protects_init = True
        self.dies_with_parent = False

    def make(self, console_socket, keeps_terminal):
        """Brings the container up to "created"; whatever fails leaves nothing behind."""
        timeline.mark("command: config.json parsed")
        try:
            self.check(console_socket, keeps_terminal)
            self.container = state.create(self.common["root"], self.id)
            self.build(console_socket)
        except BaseException:
            self.undo()
            raise

    def check(self, console_socket, keeps_terminal):
        """What can be refused before anything is made."""
        process = self.spec.process
        if process is None or not process.args:
            raise RunscError(f"{self.bundle}/config.json: process.args: must not be empty")
        if process.terminal and not console_socket and not keeps_terminal:
            raise RunscError("a terminal needs --console-socket when nobody waits")

    def build(self, console_socket):
        """The steps, in the order of what they cost to undo."""
        self.container.values = self.first_values()
        self.container.save()
        state.write_file(state.CONFIG, self.config, self.container.directory_fd)
        cgroup = self.make_cgroup()
        attaches = Attaches()
        args = self.sandbox_args(attaches, cgroup)
        if self.spec.process.terminal:
            self.give_terminal(args, console_socket)
        network_fd = open_network(self.spec)
        timeline.mark("command: cgroup and mounts ready")
        self.birth = Birth(self.cradle, args, attaches, network_fd)
        self.birth.fork()
        if cgroup is not None:
            self.wait_for_cgroup = cgroup.start_joining(self.birth.pid, self.birth.gofer_pid)
        if self.spec.process.oom_score_adj is not None and not set_oom_score(self.birth.pid, self.spec.process.oom_score_adj):
            self.log.warn("oomScoreAdj can't be set on this host")
        if not self.wait_for_start:
            self.container.values["status"] = "running"  # it will be so when the sandbox can be asked
        self.remember_processes()
        self.container.unlock()
        self.birth.follow(self.run_creation_hooks)
        self.container.lock()
        if self.wait_for_start:
            self.container.values["status"] = "created"
            self.container.save()

    def first_values(self):
        """What is known before anything exists."""
        spec = self.spec
        return {
            "id": self.id,
            "status": "creating",
            "pid": 0,
            "bundle": self.bundle,
            "created": timestamp(),
            "owner": str(self.cradle.owner),
            "rootfs": spec.root_path if spec.root_path[0] == "/" else f"{self.bundle}/{spec.root_path}",
            "annotations": spec.annotations,
            "ociVersion": spec.version,
            "platform": self.common["platform"],
        }

    def make_cgroup(self):
        """The cgroup with its limits, or None with --ignore-cgroups."""
        if self.common["ignore-cgroups"] or (self.cradle.owner != 0 and not self.spec.cgroups_path):
            return None
        path, is_absolute = cgroups.cgroup_path(self.spec.cgroups_path, self.id, self.common["systemd-cgroup"])
        cgroup = cgroups.Cgroup(cgroups.plan(cgroups.host_hierarchies(), path, is_absolute), self.log.warn)
        self.container.values["cgroup"] = cgroup.directories
        self.container.save_with_spare()
        cgroup.make()
        self.container.values["cgroup"] = cgroup.directories
        self.container.values["cgroupOwned"] = cgroup.owned
        self.container.save_with_spare()
        cgroup.limit(self.spec.resources)
        if self.spec.resources.memory_limit is None and "memory.max" not in self.spec.resources.unified:
            cgroup.bound_memory()
        return cgroup

    def sandbox_args(self, attaches, cgroup):
        """All that the kernel gets, apart from the terminal."""
        spec, common = self.spec, self.common
        args = SandboxArgs()
        args.container_id, args.hostname = self.id, spec.hostname
        args.masked_paths, args.readonly_paths = list(spec.masked_paths), list(spec.readonly_paths)
        args.dies_with_parent = self.dies_with_parent
        args.process = process_args(spec.process)
        args.overlay = overlay_of(common)
        args.mounts = plan_mounts(spec, self.bundle, attaches, args.overlay)
        args.stdio = open_stdio() if not spec.process.terminal else []
        args.control_fd = control.listen(self.container.directory_fd)
        args.wait_for_start = self.wait_for_start
        args.protects_init = self.protects_init
        args.log_fd = self.cradle.log_fd
        args.debug, args.strace = common["debug"], common["strace"]
        args.strace_names = tuple(name for name in common["strace-syscalls"].split(",") if name)
        args.platform, args.strict, args.spinning, args.window = (common[name] for name in ("platform", "strict", "spinning", "window"))
        args.syscall_patching = common["syscall-patching"] and not common["no-syscall-patching"]
        args.seccomp = spec.seccomp if common["oci-seccomp"] else None
        args.network = self.network()
        args.pids_limit = max(0, spec.resources.pids_limit or 0)
        args.total_memory = max(0, spec.resources.memory_limit or 0)
        args.nr_cpus = processors(spec.resources) if common["cpu-num-from-quota"] else 0
        args.unconfined = common["unconfined"]
        if args.unconfined and IS_RELEASE:
            raise UsageError("--unconfined: development builds only")
        return args

    def network(self):
        """What the kernel is told. The stack is not there yet; a container that expects it starts without."""
        if self.common["network"] not in ("sandbox", "host", "none"):
            raise RunscError(f"-network={self.common['network']}: expected sandbox, host or none")
        if self.common["network"] != "none":
            self.log.warn(f"-network={self.common['network']} is not supported yet: the container has a loopback interface only")
        return "none"

    def give_terminal(self, args, console_socket):
        """A pty of the host: the slave for the kernel, the master for whoever listens."""
        self.master, args.console_fd = new_pty(self.spec.process.console_size, console_socket)
        if console_socket:
            send_master(console_socket, self.master)
            posix.close(self.master)
            self.master = -1

    def remember_processes(self):
        """From now on `delete --force` finds them."""
        values = self.container.values
        values["pid"], values["goferPid"] = self.birth.pid, self.birth.gofer_pid
        values["pidStart"], values["goferStart"] = state.process_start(self.birth.pid), state.process_start(self.birth.gofer_pid)
        self.container.save_with_spare()

    def has_hooks(self, *kinds):
        """Does config.json have hooks of these kinds?"""
        return any(self.spec.hooks[kind] for kind in kinds)

    def run_creation_hooks(self):
        """The namespaces exist, the program does not. From here on what the sentry takes must count in its cgroup."""
        self.wait_for_cgroup()
        if not self.has_hooks("prestart", "createRuntime", "createContainer"):
            return
        view = self.container.public()
        view["status"] = "creating"
        for kind in ("prestart", "createRuntime", "createContainer"):
            run_hooks(self.spec, kind, view)

    def undo(self):
        """After a failure: no process, no cgroup, no state."""
        if self.birth is not None:
            self.birth.abort()
        self.cradle.abort()
        if self.container is None:
            return
        try:
            self.container.lock()
        except RunscError:
            return  # somebody deleted it meanwhile
        destroy(self.container, self.log.warn)


def begin(container, spec, log):
    """Runs the program of a created container, with the hooks around that moment. The container is locked, and stays so."""
    run_hooks(spec, "startContainer", container.public())
    client = control.Client(container.id, container.directory_fd)
    client.call("start")
    client.close()
    container.values["status"] = "running"
    container.save()
    run_hooks_leniently(spec, "poststart", container.public(), log.warn)


def process_args(process):
    """The kernel's form of a Process."""
    sets = process.capabilities or {}
    masks = {kind: sets.get(kind, 0) for kind in ("effective", "permitted", "inheritable", "bounding", "ambient")}
    return ProcessArgs(
        process.args,
        process.env,
        process.cwd,
        process.uid,
        process.gid,
        process.umask,
        process.additional_gids,
        masks,
        process.rlimits,
        process.no_new_privileges,
        process.terminal,
        process.console_size,
    )


def overlay_of(common):
    """ "none" or "root:memory". Anything kept on the host's disk is kept in memory for now, and in no case lost silently."""
    if common["overlay"]:
        return "root:memory"
    name = common["overlay2"].partition(",")[0]
    if name in ("none", ""):
        return "none"
    if name in ("root:memory", "all:memory", "root:self", "all:self"):
        return "root:memory"
    raise RunscError(f"-overlay2={common['overlay2']}: expected none, root:memory or root:self")


def processors(resources):
    """How many processors the quota pays for; 0: no quota."""
    quota, period = resources.cpu_quota, resources.cpu_period or cgroups.PERIOD_US
    return max(1, -(-quota // period)) if quota and quota > 0 else 0


def open_stdio():
    """Descriptors for the container's 0, 1, 2.

    Pipes and terminals are opened anew, so that O_NONBLOCK on ours does not surprise those who share the old one. Regular files and
    sockets are passed on as they are: the first share a position, the others can't be opened.
    """
    fds = []
    for number, access in ((0, posix.O_RDONLY), (1, posix.O_WRONLY), (2, posix.O_WRONLY)):
        try:
            kind = posix.fstat(number).st_mode & S_IFMT
        except OSError:
            fds.append(posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC))
            continue
        fd = -1
        if kind not in (S_IFREG, S_IFSOCK, S_IFDIR):
            fd = open_again(number, access)
        fds.append(fd if fd >= 0 else posix.dup(number))
    return fds


def open_again(number, access):
    """Our own open file for what a descriptor names, or -1. O_NONBLOCK, as opening a pipe without a reader would wait."""
    for mode in (posix.O_RDWR, access) if posix.isatty(number) else (access,):
        try:
            return posix.open(f"/proc/self/fd/{number}", mode | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
        except OSError:
            pass
    return -1
