# SPDX-License-Identifier: Apache-2.0
"""The birth of a sandbox: the command forks the gofer, gives the sentry in its cradle what it is to be, walks it through its jail, and
waits until it is ready.

Words over the handshake socket (SOCK_SEQPACKET). Down: oci.cradle's delivery (your pid is on disk: from now on `delete` finds you),
"mapped" or "unmapped", "go". Up: "userns", "jailed", then from the kernel "ready\\n" or "error: ...". If we die, the sentry reads the
end of the socket and ends; with it ends the gofer, which sees its client hang up. So nothing outlives a broken birth.
"""

import _socket
import gc
import posix

from kernel.boot import jail, timeline
from oci._host import lib
from oci.cradle import in_child, kill_and_reap, settle
from oci.errors import RunscError
from oci.preload import preload_tree
from oci.state import write_file

OOM_SCORE_OURS = -998


class Birth:
    """A sandbox on its way."""

    def __init__(self, cradle, args, attaches, network_fd):
        self.cradle = cradle
        self.args = args
        self.attaches = attaches
        self.network_fd = network_fd
        self.gofer_pid = 0

    @property
    def pid(self):
        """Of the sentry."""
        return self.cradle.pid

    def fork(self):
        """Both processes are there afterwards. The gofer closes its jail; the sentry waits for its delivery."""
        args = self.args
        for_sentry, for_gofer = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        prepare_gofer(args.log_fd)
        self.gofer_pid = posix.fork()
        if self.gofer_pid == 0:
            in_child(lambda: run_gofer(for_gofer.fileno(), self.attaches.points, args))
        timeline.mark("command: gofer forked")
        for_gofer.close()
        self.attaches.close()
        self.cradle.fork()
        args.gofer_fd = for_sentry.detach()

    def follow(self, on_jailed):
        """Delivers, and follows the sentry until it is ready. on_jailed() runs when its namespaces exist, before the kernel starts.

        RunscError: what the sandbox reports, or that it ended.
        """
        args, cradle = self.args, self.cradle
        timeline.mark("command: delivers")
        cradle.deliver(args, self.network_fd)
        close_if_open(args.gofer_fd, self.network_fd, args.control_fd, args.console_fd, *args.stdio)
        while True:
            word = cradle.hear()
            if word == b"userns":
                cradle.say(b"mapped" if map_users(self.pid) else b"unmapped")
            elif word == b"jailed":
                on_jailed()
                cradle.say(b"go")
            elif word == b"ready\n":
                break
            elif word.startswith(b"error: "):
                raise RunscError(word[7:].decode("utf-8", "replace"))
            else:
                raise RunscError(f"sandbox process ended before it was ready{cradle.how_it_ended()}")
        timeline.mark("command: sandbox ready")
        cradle.socket.close()
        for pid in (self.pid, self.gofer_pid):
            set_oom_score(pid, OOM_SCORE_OURS)  # a container out of memory loses a guest process, not its kernel

    def abort(self):
        """Kills and reaps both."""
        self.cradle.abort()
        if self.gofer_pid > 0:
            kill_and_reap(self.gofer_pid)


def prepare_gofer(log_fd):
    """Imports what the gofer needs while files can be opened, and keeps the collector off the pages that are shared."""
    import gofer.jail
    import gofer.main

    del gofer
    preload_tree(("gofer", "kernel.abi"), log_fd)
    gc.freeze()


def run_gofer(fd, points, args):
    """In the gofer: its jail, then serve until the sentry hangs up."""
    from gofer.jail import enter
    from gofer.main import serve

    settle(args, f"runsc-gofer {args.container_id}", [fd, args.log_fd, *(point for point, _ in points)])
    if not args.unconfined:
        enter(fd, points)
    lib.host_forget_file_pages()  # most of it was the birth's
    timeline.mark("gofer: jailed")
    if args.debug:
        timeline.tell(2)  # the debug log, by the one descriptor of it that is left
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
