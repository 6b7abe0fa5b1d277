# SPDX-License-Identifier: Apache-2.0
"""The options of every command, declared once, and the reader for Go's syntax of them.

-name X, --name=X, -name=false; global options before the command; the first argument that is no option ends them (so that
`exec ID ls -l` works); `--` ends them too. A letter after a comma is runc's short form. Help pages are built from the same table.
"""

import posix

from oci.errors import UsageError

BOOLS = {
    "1": True,
    "t": True,
    "true": True,
    "T": True,
    "TRUE": True,
    "True": True,
    "0": False,
    "f": False,
    "false": False,
    "F": False,
    "FALSE": False,
    "False": False,
}
UNITS_NS = {"ns": 1, "us": 1000, "ms": 1000_000, "s": 1000_000_000, "m": 60_000_000_000, "h": 3600_000_000_000}


class Flag:
    """One option. Kinds: bool, str, int, list (may be repeated), duration (ns)."""

    def __init__(self, names, kind, default, text):
        self.name, _, self.short = names.partition(",")
        self.kind, self.default, self.text = kind, default, text


class Command:
    """One command: what stands behind its name on the command line."""

    def __init__(self, arguments, least, most, text, *flags, passes=False):
        self.arguments, self.least, self.most, self.text = arguments, least, most, text
        self.flags = flags
        self.passes = passes  # what follows the first argument belongs to another program


ROOT = "/run/runsc"
GLOBALS = (
    Flag("root", "str", ROOT, "directory of the containers' state"),
    Flag("log", "str", "", "file for errors, one JSON object a line"),
    Flag("log-format", "str", "text", "text, json or json-k8s"),
    Flag("debug", "bool", False, "log what happens"),
    Flag("debug-log", "str", "", "file or directory for the debug log"),
    Flag("debug-log-format", "str", "text", "text or json"),
    Flag("debug-to-user-log", "bool", False, "repeat warnings on the container's stderr"),
    Flag("alsologtostderr", "bool", False, "send the debug log to stderr, too"),
    Flag("panic-log", "str", "", "file for a report when the sandbox breaks down"),
    Flag("platform", "str", "systrap", "systrap, or ptrace (debug builds)"),
    Flag("network", "str", "sandbox", "sandbox, host or none"),
    Flag("overlay2", "str", "none", "none, root:memory or root:self: where writes to the root go"),
    Flag("overlay", "bool", False, "the same as -overlay2=root:memory"),
    Flag("file-access", "str", "exclusive", "exclusive or shared: who else changes the root file system"),
    Flag("file-access-mounts", "str", "shared", "exclusive or shared: who else changes the bind mounts"),
    Flag("ignore-cgroups", "bool", False, "set up no cgroup"),
    Flag("systemd-cgroup", "bool", False, "cgroupsPath has systemd's form slice:prefix:name"),
    Flag("rootless", "bool", False, "run without being root"),
    Flag("strace", "bool", False, "log the guest's system calls"),
    Flag("strace-syscalls", "str", "", "names to log, separated by commas"),
    Flag("strace-log-size", "int", 1024, "bytes of data to show"),
    Flag("strict", "bool", False, "the sandbox decides about each host call for memory"),
    Flag("syscall-patching", "bool", True, "rewrite system call sites of the guest that trap often"),
    Flag("no-syscall-patching", "bool", False, "the same as -syscall-patching=false"),
    Flag("spinning", "bool", True, "while system calls come in short gaps both sides spin before they sleep"),
    Flag("window", "bool", True, "what system calls read and write travels with them"),
    Flag("host-uds", "str", "none", "none, open, create or all: Unix sockets of the host"),
    Flag("fsgofer-host-uds", "bool", False, "the same as -host-uds=open"),
    Flag("net-raw", "bool", False, "allow raw sockets"),
    Flag("oci-seccomp", "bool", False, "apply the seccomp section of config.json"),
    Flag("watchdog-action", "str", "log", "log or panic: when the kernel is silent for long"),
    Flag("num-network-channels", "int", 1, "host sockets per network interface"),
    Flag("gso", "bool", True, "segmentation offload"),
    Flag("software-gso", "bool", True, "segmentation by the network stack"),
    Flag("tx-checksum-offload", "bool", False, "leave checksums of sent packets to the host"),
    Flag("rx-checksum-offload", "bool", True, "trust the host's checksums of received packets"),
    Flag("qdisc", "str", "fifo", "queueing discipline of interfaces"),
    Flag("directfs", "bool", True, "accepted, the gofer donates descriptors anyway"),
    Flag("lisafs", "bool", True, "accepted, there is one file protocol"),
    Flag("vfs2", "bool", True, "accepted, there is one file system layer"),
    Flag("fuse", "bool", False, "accepted"),
    Flag("cpu-num-from-quota", "bool", True, "show as many processors as the CPU quota pays for"),
    Flag("ref-leak-mode", "str", "disabled", "accepted"),
    Flag("unconfined", "bool", False, "no jail for the sandbox process; development builds only"),
    Flag("version,v", "bool", False, "print the version"),
    Flag("help,h", "bool", False, "print this text"),
)

BUNDLE = Flag("bundle,b", "str", "", "directory of the bundle (default: the current one)")
PID_FILE = Flag("pid-file", "str", "", "file for the host pid")
CONSOLE = Flag("console-socket", "str", "", "Unix socket that receives the terminal")
USER_LOG = Flag("user-log", "str", "", "file for warnings to the container's user")
INTERNAL_SD = Flag("systemd", "bool", False, "accepted")
RUNC_IGNORED = (
    Flag("no-pivot", "bool", False, "accepted, the root is always empty"),
    Flag("no-new-keyring", "bool", False, "accepted, there is no host keyring inside"),
    Flag("preserve-fds", "int", 0, "must be 0"),
)

RUN_FLAGS = (BUNDLE, PID_FILE, CONSOLE, USER_LOG, *RUNC_IGNORED)
COMMANDS = {
    "run": Command(
        "ID",
        1,
        1,
        "create and start a container, and wait for its end",
        *RUN_FLAGS,
        Flag("detach,d", "bool", False, "do not wait"),
        Flag("keep", "bool", False, "leave the state when the program has ended"),
    ),
    "create": Command("ID", 1, 1, "prepare a container; `start` runs its program", *RUN_FLAGS),
    "start": Command("ID", 1, 1, "run the program of a created container"),
    "state": Command("ID", 1, 1, "print the container's state as JSON"),
    "kill": Command(
        "ID [SIGNAL]",
        1,
        2,
        "send a signal to the container's first process",
        Flag("all,a", "bool", False, "to all its processes"),
        Flag("pid", "int", 0, "to this process (a pid inside the container)"),
    ),
    "delete": Command(
        "ID...", 1, None, "remove what a container left", Flag("force,f", "bool", False, "kill it first; no error if there is none")
    ),
    "exec": Command(
        "ID COMMAND [ARGUMENT...]",
        1,
        None,
        "run another process in a container",
        Flag("process,p", "str", "", "file with an OCI process object"),
        Flag("detach,d", "bool", False, "do not wait"),
        Flag("tty,t", "bool", False, "with a terminal"),
        Flag("cwd", "str", "", "working directory"),
        Flag("env,e", "list", (), "NAME=VALUE"),
        Flag("user,u", "str", "", "UID[:GID]"),
        Flag("additional-gids,g", "list", (), "supplementary groups"),
        Flag("KGID", "int", -1, "accepted"),
        Flag("cap,c", "list", (), "add a capability"),
        Flag("no-new-privs", "bool", False, "no privileges by set-uid files"),
        Flag("internal-pid-file", "str", "", "file for the pid inside the container"),
        Flag("ignore-paused", "bool", False, "also when the container is paused"),
        Flag("preserve-fds", "int", 0, "must be 0"),
        PID_FILE,
        CONSOLE,
        passes=True,
    ),
    "list": Command(
        "",
        0,
        0,
        "list the containers",
        Flag("quiet,q", "bool", False, "ids only"),
        Flag("format,f", "str", "table", "table or json"),
        Flag("sandbox", "bool", False, "only those that own a sandbox"),
    ),
    "ps": Command(
        "ID [PS-OPTION...]",
        1,
        None,
        "list the processes of a container",
        Flag("format,f", "str", "table", "table or json (host pids)"),
        passes=True,
    ),
    "spec": Command(
        "[-- COMMAND...]",
        0,
        None,
        "write a config.json to start from",
        BUNDLE,
        Flag("cwd", "str", "/", "working directory"),
        Flag("netns", "str", "", "path of a network namespace"),
        Flag("rootless", "bool", False, "for a user who is not root"),
    ),
    "do": Command(
        "COMMAND [ARGUMENT...]",
        1,
        None,
        "run a command in a sandbox on a throw-away view of the host's files",
        Flag("root", "str", "/", "directory that becomes the root"),
        Flag("cwd", "str", "", "working directory (default: the current one)"),
        Flag("uid-map", "list", (), "not supported"),
        Flag("gid-map", "list", (), "not supported"),
        Flag("user,u", "str", "", "UID[:GID]"),
        Flag("quiet,q", "bool", False, "no messages of our own"),
        Flag("ip", "str", "", "not supported"),
        Flag("force-overlay", "bool", True, "keep writes in memory"),
        passes=True,
    ),
    "features": Command("", 0, 0, "print what this runtime supports as JSON"),
    "pause": Command("ID", 1, 1, "stop all processes of a container"),
    "resume": Command("ID", 1, 1, "let them go on"),
    "events": Command(
        "ID",
        1,
        1,
        "print resource use",
        Flag("stats", "bool", False, "once, and end"),
        Flag("interval", "duration", 5_000_000_000, "time between two reports"),
    ),
    "wait": Command(
        "ID",
        1,
        1,
        "wait for the end and print the status",
        Flag("rootpid", "int", 0, "of this process (a pid inside the sandbox)"),
        Flag("pid", "int", 0, "of this process (a pid inside the container)"),
    ),
    "update": Command(
        "ID",
        1,
        1,
        "change resource limits",
        Flag("resources,r", "str", "", "file with an OCI resources object, - is stdin"),
        *(
            Flag(name, "str", "", text)
            for name, text in (
                ("memory", "memory limit in bytes"),
                ("memory-reservation", "soft limit"),
                ("memory-swap", "memory and swap together"),
                ("cpu-shares", "relative weight"),
                ("cpu-quota", "microseconds a period"),
                ("cpu-period", "microseconds"),
                ("cpuset-cpus", "processors"),
                ("cpuset-mems", "memory nodes"),
                ("pids-limit", "number of processes"),
                ("blkio-weight", "block I/O weight"),
            )
        ),
    ),
    "checkpoint": Command(
        "ID",
        1,
        1,
        "not supported yet",
        Flag("image-path", "str", "", ""),
        Flag("work-path", "str", "", ""),
        Flag("leave-running", "bool", False, ""),
        Flag("compression", "str", "", ""),
    ),
    "restore": Command(
        "ID",
        1,
        1,
        "not supported yet",
        *RUN_FLAGS,
        Flag("image-path", "str", "", ""),
        Flag("work-path", "str", "", ""),
        Flag("detach,d", "bool", False, ""),
    ),
    "debug": Command(
        "[ID]",
        0,
        1,
        "look into a sandbox",
        Flag("stacks", "bool", False, "print the kernel's stacks"),
        Flag("ps", "bool", False, "print the processes"),
        Flag("memory", "bool", False, "print what the sandbox's memory is used for"),
        Flag("signal", "int", 0, "send a signal to the sandbox process"),
    ),
    "help": Command("[COMMAND]", 0, 1, "print help"),
    "version": Command("", 0, 0, "print the version"),
}


class Options:
    """The values of a command's options, by name: options["pid-file"]."""

    def __init__(self, flags):
        self.flags = {}
        for flag in flags:
            self.flags[flag.name] = flag
            if flag.short:
                self.flags[flag.short] = flag
        self.values = {flag.name: flag.default for flag in flags}

    def __getitem__(self, name):
        return self.values[name]

    def take(self, argv):
        """Reads options from the front of argv and returns the rest."""
        i = 0
        while i < len(argv):
            word = argv[i]
            if word == "--":
                return argv[i + 1 :]
            if len(word) < 2 or word[0] != "-":
                break
            i += self.take_one(word, argv[i + 1 : i + 2]) + 1
        return argv[i:]

    def take_one(self, word, following):
        """One option; returns how many of the following words it used."""
        name, equals, value = word[2 if word[1] == "-" else 1 :].partition("=")
        flag = self.flags.get(name)
        if flag is None:
            if name in ("help", "h"):
                self.values["help"] = True
                return 0
            raise UsageError(f"flag provided but not defined: -{name}")
        if flag.kind == "bool":
            self.set(flag, value if equals else "true")
            return 0
        if equals:
            self.set(flag, value)
            return 0
        if not following:
            raise UsageError(f"flag needs an argument: -{name}")
        self.set(flag, following[0])
        return 1

    def set(self, flag, text):
        """Checks the text against the option's kind."""
        value = text
        if flag.kind == "bool":
            value = BOOLS.get(text)
        elif flag.kind == "int":
            value = integer(text)
        elif flag.kind == "duration":
            value = duration_ns(text)
        elif flag.kind == "list":
            value = (*self.values[flag.name], text)
        if value is None:
            raise UsageError(f'invalid value "{text}" for flag -{flag.name}: expected {flag.kind}')
        self.values[flag.name] = value


def integer(text):
    """The number, in Go's notation (10, 0x1f, 0o17), or None."""
    try:
        return int(text, 0) if text[:1] != "0" or len(text) == 1 or text[1] in "xXoObB" else int(text, 8)
    except ValueError:
        return None


def duration_ns(text):
    """1m30s, 500ms, as Go writes durations; None if it is none."""
    if text in ("", "0"):
        return 0 if text else None
    total = 0.0
    while text:
        digits = leading(text, "0123456789.")
        unit = leading(text[len(digits) :], "nusmh")
        if unit not in UNITS_NS or digits.strip(".") == "" or digits.count(".") > 1:
            return None
        total += float(digits) * UNITS_NS[unit]
        text = text[len(digits) + len(unit) :]
    return int(total)


def leading(text, characters):
    """The longest start of text that consists of these characters."""
    return text[: len(text) - len(text.lstrip(characters))]


def default_root():
    """Who is not root keeps his containers in his own runtime directory."""
    directory = posix.environ.get(b"XDG_RUNTIME_DIR", b"").decode("utf-8", "surrogateescape")
    return f"{directory}/runsc" if directory and posix.geteuid() != 0 else ROOT


def parse(argv):
    """(global options, command name, its options, its arguments) from the words after the program's name."""
    common = Options(GLOBALS)
    common.values["root"] = default_root()
    rest = common.take(argv)
    if common["version"] or common["help"] or not rest:
        return common, "version" if common["version"] else "help", Options(()), []
    name = rest[0]
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(f'unknown command "{name}"')
    options = Options(command.flags)
    words = options.take(rest[1:])
    if options.values.get("help"):
        return common, "help", Options(()), [name]
    words = words if command.passes else interspersed(options, words)
    if len(words) < command.least or (command.most is not None and len(words) > command.most):
        raise UsageError(f'"{name}" takes {command.arguments or "no arguments"}')
    return common, name, options, words


def interspersed(options, words):
    """Options may follow the arguments of a command that passes none on: `delete ID --force`, as containerd never but people do."""
    found = []
    while words:
        found.append(words[0])
        words = options.take(words[1:])
    return found
