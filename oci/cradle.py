# SPDX-License-Identifier: Apache-2.0
"""The process that becomes the sentry. It is forked before anything else is done, and imports the kernel, which is most of what a start
costs, while the command reads config.json, makes the cgroup and starts the gofer.

It owns nothing and knows nothing until deliver() brings it SandboxArgs: plain values in a memfd, and the descriptors, over the handshake
socket that oci.sandbox describes. If the command ends before, the process reads the end of the socket and ends, too.

A caller who is not root must fork late, after the gofer: the host gives him no way back out of the new pid namespace, and a gofer in it
would die with the sentry, with writes in its queue.
"""

import _signal
import _socket
import gc
import marshal
import posix
import sys
from time import process_time_ns

from kernel.boot import timeline
from kernel.boot.args import SandboxArgs
from kernel.boot.profile import IS_RELEASE
from oci._host import lib
from oci.errors import OWN_FAILURE
from oci.namespaces import become_root_of_user_namespace, fork_into_new_pid_namespace
from oci.preload import preload_tree

MAX_FDS = 16
MAX_WORD = 65536
RLIMIT_NOFILE = 7
MAX_OPEN_FILES = 1 << 20
ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)


class Cradle:
    """The command's side of it: the pid, and our end of the handshake. As a context: an exception ends the process."""

    def __init__(self, common, log_fd, in_foreground=False):
        self.platform = common["platform"]
        self.log_fd = log_fd
        if log_fd < 0 and in_foreground and not IS_RELEASE and b"ASAN_OPTIONS" in posix.environ:
            self.log_fd = posix.dup(2)  # where sanitizers report
        self.owner = posix.geteuid()
        self.pid = 0
        self.socket = None
        gc.disable()  # nothing that lives so short is worth a collection
        become_root_of_user_namespace(lib)
        if self.owner == 0:
            self.fork()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self.abort()

    def fork(self):
        """Makes the process, once."""
        if self.pid:
            return
        self.socket, child_end = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        timeline.mark(f"command: forks the sentry, {process_time_ns() / 1e6:.1f} ms of processor time after its exec")
        self.pid = fork_into_new_pid_namespace(lib)
        if self.pid == 0:
            self.socket.close()
            in_child(lambda: grow_up(child_end, self.platform, self.log_fd))
        child_end.close()

    def deliver(self, args, network_fd):
        """All that the sentry needs; it goes on with it at once."""
        data = marshal.dumps((args.to_wire(), timeline.marks))
        memory = posix.memfd_create("args", posix.MFD_CLOEXEC)
        while data:
            data = data[posix.write(memory, data) :]
        fds = [memory, args.gofer_fd, args.control_fd, args.console_fd, network_fd, *args.stdio]
        present = [fd for fd in fds if fd >= 0]
        word = bytes(fd >= 0 for fd in fds)
        rights = b"".join(fd.to_bytes(4, "little") for fd in present)
        try:
            self.socket.sendmsg([word], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)], _socket.MSG_NOSIGNAL)
        except OSError:
            pass  # it is gone, which hear() will notice
        posix.close(memory)

    def say(self, word):
        """Sends a word; a sentry that is gone is noticed by hear()."""
        try:
            self.socket.send(word, _socket.MSG_NOSIGNAL)
        except OSError:
            pass

    def hear(self):
        """The next word, or b"" at the end. If it ends with a word of ours unread, the host says so once, before its own last words."""
        try:
            return self.socket.recv(MAX_WORD)
        except ConnectionResetError:
            return self.socket.recv(MAX_WORD)

    def how_it_ended(self):
        """For the message."""
        _, status = posix.waitpid(self.pid, 0)
        self.pid = 0
        if posix.WIFSIGNALED(status):
            return f": killed by signal {posix.WTERMSIG(status)}"
        return f": exit status {posix.WEXITSTATUS(status)}"

    def abort(self):
        """Kills and reaps it."""
        if self.pid > 0:
            kill_and_reap(self.pid)
            self.pid = 0
        if self.socket is not None:
            self.socket.close()


def kill_and_reap(pid):
    """Our own child."""
    try:
        posix.kill(pid, 9)
        posix.waitpid(pid, 0)
    except OSError:
        pass


def grow_up(sock, platform, log_fd):
    """In the child: import the kernel, hear what to be, close the jail, boot. Never returns."""
    import kernel.boot.sandbox as boot
    from kernel.boot import jail, platforms

    try:
        boot.prepare(platform)
    except platforms.PlatformMissing as error:
        sock.send(b"error: " + str(error).encode())
        posix._exit(OWN_FAILURE)
    preload_tree(("kernel", "fs", "net"), log_fd)
    gc.freeze()
    timeline.mark("sentry: kernel imported")
    args, network_fd = receive(sock, log_fd)
    settle(
        args,
        f"runsc-sentry {args.container_id}",
        [args.gofer_fd, args.ready_fd, args.control_fd, args.console_fd, args.log_fd, network_fd, *args.stdio],
    )

    def hand_over(word):
        sock.send(word)
        answer = sock.recv(64)
        if not answer:
            posix._exit(OWN_FAILURE)
        return answer

    try:
        if not args.unconfined:
            jail.enter(args, network_fd, hand_over, args.dies_with_parent)
        timeline.mark("sentry: jailed")
        hand_over(b"jailed")
        sock.detach()
        boot.boot(args)
    except Exception as error:
        args.report_error(f"{error}" or type(error).__name__)
        raise


def receive(sock, log_fd):
    """(SandboxArgs, descriptor of the network namespace or -1) from deliver(); ends the process if there will be none."""
    word, ancillary, _, _ = sock.recvmsg(MAX_FDS, _socket.CMSG_SPACE(MAX_FDS * 4), _socket.MSG_CMSG_CLOEXEC)
    if not word or not ancillary:
        posix._exit(OWN_FAILURE)
    rights = ancillary[0][2]
    present = [int.from_bytes(rights[i : i + 4], "little") for i in range(0, len(rights), 4)]
    fds = [present.pop(0) if has else -1 for has in word]
    values, marks = marshal.loads(read_all(fds[0]))
    timeline.marks[:] = sorted([*marks, *timeline.marks[-1:]])
    args = SandboxArgs.from_wire(values)
    args.gofer_fd, args.control_fd, args.console_fd, network_fd = fds[1:5]
    args.stdio = fds[5:]
    args.ready_fd, args.log_fd, args.host = sock.fileno(), log_fd, lib
    return args, network_fd


def read_all(memory):
    """What a memfd holds; closes it."""
    parts, position = [], 0
    while part := posix.pread(memory, 1 << 20, position):
        parts.append(part)
        position += len(part)
    posix.close(memory)
    return b"".join(parts)


def in_child(body):
    """Runs the child's life; it never returns into the command."""
    status = OWN_FAILURE
    try:
        body()
        status = 0
    except BaseException:
        sys.__excepthook__(*sys.exc_info())
    finally:
        posix._exit(status)


def forget_handlers():
    """Those of a command in the foreground: they would interrupt calls, and take note in a pipe that is closed."""
    _signal.set_wakeup_fd(-1)
    for number in range(1, 32):
        if number in ENDING or callable(_signal.getsignal(number)):
            _signal.signal(number, _signal.SIG_DFL)


def settle(args, name, keep):
    """What both children do first: own session, no signals blocked, only the descriptors they need, a name."""
    from kernel.boot import jail

    posix.setsid()
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    forget_handlers()
    null = posix.open("/dev/null", posix.O_RDWR)
    posix.dup2(null, 0)
    posix.dup2(null, 1)
    posix.dup2(args.log_fd if args.log_fd >= 0 else null, 2)
    posix.umask(0)
    jail.rename_process(lib, name.encode())
    jail.close_others(lib, [fd for fd in keep if fd >= 0])
    limit = min(lib.host_hard_limit(RLIMIT_NOFILE), MAX_OPEN_FILES)
    if limit > 0:
        lib.host_setrlimit(RLIMIT_NOFILE, limit, limit)
