# SPDX-License-Identifier: Apache-2.0
"""The birth of a sandbox: the command forks the gofer and the sentry, walks the sentry through its jail, and waits until it is ready.

Words over the handshake socket (SOCK_SEQPACKET). Down: "go" (your pid is on disk: from now on `delete` finds you), "mapped" or
"unmapped". Up: "userns", "jailed", then from the kernel "ready\\n" or "error: ...". If we die, the sentry reads the end of the
socket and ends; with it ends the gofer, which sees its client hang up. So nothing outlives a broken birth.
"""

import _signal
import _socket
import gc
import posix
import sys

from kernel.boot import jail, timeline
from kernel.boot.platforms import PlatformMissing
from oci._host import lib
from oci.errors import OWN_FAILURE, RunscError
from oci.namespaces import fork_into_new_pid_namespace
from oci.preload import preload_tree
from oci.state import write_file

RLIMIT_NOFILE = 7
MAX_OPEN_FILES = 1 << 20
OOM_SCORE_OURS = -998


class Birth:
    """A sandbox on its way: pids, and our end of the handshake."""

    def __init__(self, args, attaches, network_fd, dies_with_parent):
        self.args = args
        self.attaches = attaches
        self.network_fd = network_fd
        self.dies_with_parent = dies_with_parent
        self.pid = self.gofer_pid = 0
        self.socket = None

    def fork(self):
        """Makes both processes. The gofer closes its jail while we import the kernel; the sentry waits until we say go."""
        gc.disable()
        for_sentry, for_gofer = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self.socket, child_end = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        prepare_gofer(self.args.log_fd)
        self.gofer_pid = posix.fork()
        if self.gofer_pid == 0:
            in_child(lambda: run_gofer(for_gofer.fileno(), self.attaches.points, self.args))
        timeline.mark("gofer forked")
        prepare_sentry(self.args)
        timeline.mark("kernel imported")
        self.pid = fork_into_new_pid_namespace(lib)
        if self.pid == 0:
            self.args.gofer_fd = for_sentry.fileno()
            self.args.ready_fd = child_end.fileno()
            in_child(lambda: self.run_sentry(child_end))
        for end in (for_sentry, for_gofer, child_end):
            end.close()
        self.attaches.close()
        close_if_open(self.network_fd, self.args.control_fd, self.args.console_fd)

    def run_sentry(self, sock):
        """In the sentry: the jail, then the kernel for good."""
        args = self.args
        settle(
            args,
            f"runsc-sentry {args.container_id}",
            [args.gofer_fd, args.ready_fd, args.control_fd, args.console_fd, args.log_fd, self.network_fd, *args.stdio],
        )
        if sock.recv(64) != b"go":
            posix._exit(OWN_FAILURE)

        def hand_over(word):
            sock.send(word)
            answer = sock.recv(64)
            if not answer:
                posix._exit(OWN_FAILURE)
            return answer

        try:
            if not args.unconfined:
                jail.enter(args, self.network_fd, hand_over, self.dies_with_parent)
            timeline.mark("sentry jailed")
            hand_over(b"jailed")
            sock.detach()
            from kernel.boot.sandbox import boot

            boot(args)
        except Exception as error:
            args.report_error(f"{error}" or type(error).__name__)
            raise

    def follow(self, on_jailed):
        """Says go and follows the sentry until it is ready. on_jailed() runs when its namespaces exist, before the kernel starts.

        RunscError: what the sandbox reports, or that it ended.
        """
        self.say(b"go")
        while True:
            word = self.hear()
            if word == b"userns":
                self.say(b"mapped" if map_users(self.pid) else b"unmapped")
            elif word == b"jailed":
                on_jailed()
                self.say(b"go")
            elif word == b"ready\n":
                break
            elif word.startswith(b"error: "):
                raise RunscError(word[7:].decode("utf-8", "replace"))
            else:
                raise RunscError(f"sandbox process ended before it was ready{self.how_it_ended()}")
        self.socket.close()
        for pid in (self.pid, self.gofer_pid):
            set_oom_score(pid, OOM_SCORE_OURS)  # a container out of memory loses a guest process, not its kernel

    def say(self, word):
        """Sends a word; a sentry that is gone is noticed by hear()."""
        try:
            self.socket.send(word, _socket.MSG_NOSIGNAL)
        except OSError:
            pass

    def hear(self):
        """The next word, or b"" at the end."""
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""

    def how_it_ended(self):
        """For the message."""
        _, status = posix.waitpid(self.pid, 0)
        self.pid = 0
        if posix.WIFSIGNALED(status):
            return f": killed by signal {posix.WTERMSIG(status)}"
        return f": exit status {posix.WEXITSTATUS(status)}"

    def abort(self):
        """Kills and reaps both."""
        for pid in (self.pid, self.gofer_pid):
            if pid > 0:
                try:
                    posix.kill(pid, 9)
                    posix.waitpid(pid, 0)
                except OSError:
                    pass
        if self.socket is not None:
            self.socket.close()


def prepare_gofer(log_fd):
    """Imports what the gofer needs while files can be opened, and keeps the collector off the pages that are shared."""
    import gofer.jail
    import gofer.main

    del gofer
    preload_tree(("gofer", "kernel.abi"), log_fd)
    gc.freeze()


def prepare_sentry(args):
    """The same for the sentry. Nothing is collected: imports leave hardly any garbage, and looking for it takes milliseconds."""
    import kernel.boot.sandbox

    try:
        kernel.boot.sandbox.prepare(args.platform)
    except PlatformMissing as error:
        raise RunscError(str(error))
    preload_tree(("kernel", "fs", "net"), args.log_fd)
    gc.freeze()


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


def settle(args, name, keep):
    """What both children do first: own session, no signals blocked, only the descriptors they need, a name."""
    posix.setsid()
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    for signal in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT):
        _signal.signal(signal, _signal.SIG_DFL)
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


def run_gofer(fd, points, args):
    """In the gofer: its jail, then serve until the sentry hangs up."""
    from gofer.jail import enter
    from gofer.main import serve

    settle(args, f"runsc-gofer {args.container_id}", [fd, args.log_fd, *(point for point, _ in points)])
    if not args.unconfined:
        enter(fd, points)
    serve(fd, points)


def map_users(pid):
    """The sentry's user namespace knows one user: the unprivileged one, or our own if that is all we have."""
    try:
        write_file(f"/proc/{pid}/gid_map", b"%d %d 1" % (jail.SANDBOX_ID, jail.SANDBOX_ID), flags=0)
        write_file(f"/proc/{pid}/uid_map", b"%d %d 1" % (jail.SANDBOX_ID, jail.SANDBOX_ID), flags=0)
        return True
    except OSError:
        pass
    try:
        write_file(f"/proc/{pid}/setgroups", b"deny", flags=0)
        write_file(f"/proc/{pid}/gid_map", b"%d %d 1" % (posix.getegid(), posix.getegid()), flags=0)
        write_file(f"/proc/{pid}/uid_map", b"%d %d 1" % (posix.geteuid(), posix.geteuid()), flags=0)
    except OSError:
        pass
    return False


def set_oom_score(pid, score):
    """Best effort: lowering it needs a right that many hosts withhold."""
    try:
        write_file(f"/proc/{pid}/oom_score_adj", b"%d" % score, flags=0)
        return True
    except OSError:
        return False


def close_if_open(*fds):
    """Closes those that are descriptors."""
    for fd in fds:
        if fd >= 0:
            posix.close(fd)
