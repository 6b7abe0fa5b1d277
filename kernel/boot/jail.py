# SPDX-License-Identifier: Apache-2.0
"""How the sandbox process gives up the host, in the order that the host demands.

enter() comes first, in the freshly forked process: own ipc, uts, network and mount namespaces, a user namespace where the host allows
one, an empty read-only root, an unprivileged user, no capabilities, no new privileges. Nothing can be opened or imported after it.
Then the kernel starts its platform (the first stub is born with these final credentials; otherwise the host refuses to let us read
its memory), and calls close_jail(), which installs the filter.

The user namespace maps one user only, SANDBOX_ID or, where that can't be mapped, the caller's own. It is a second wall and optional:
some hosts forbid it. The pid namespace was made by the fork.
"""

import posix

from kernel.boot.filter import ERRNO, KILL_PROCESS, sandbox_filter
from kernel.boot.profile import IS_RELEASE

SANDBOX_ID = 65534
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_MOVE, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 0x2000, 0x4000, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_NAME, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 15, 24, 38
LAST_CAPABILITY = 40
RLIMIT_CORE, RLIMIT_NOFILE = 4, 7
SIGKILL = 9
FILTER_LOG = 2
MOUNT_POINT = b"/proc"  # any directory that every host has; it is covered only in our own mount namespace


class JailError(Exception):
    """A wall could not be put up."""


def check(result, what):
    """A result of oci._host: raises for an error."""
    if result < 0:
        raise JailError(f"{what}: {posix.strerror(-result).lower()}")
    return result


def enter(args, network_fd, hand_over, dies_with_parent):
    """Everything up to no_new_privs. hand_over(word) tells the parent how far we are and waits for its answer."""
    host = args.host
    join_namespaces(host, network_fd, args.hostname)
    has_user_namespace = host.host_unshare(CLONE_NEWUSER) == 0
    can_change_user = hand_over(b"userns") == b"mapped" if has_user_namespace else True
    empty_root(host)
    check(host.host_setrlimit(RLIMIT_CORE, 0, 0), "setrlimit")
    if can_change_user:
        become(SANDBOX_ID)
    drop_privileges(host)
    if dies_with_parent:
        check(host.host_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")


def join_namespaces(host, network_fd, hostname):
    """ipc and uts are new; so is the network, unless there is one to join."""
    if network_fd >= 0:
        check(host.host_setns(network_fd, CLONE_NEWNET), "joining the network namespace")
        posix.close(network_fd)
        check(host.host_unshare(CLONE_NEWIPC | CLONE_NEWUTS), "unshare")
    else:
        check(host.host_unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET), "unshare")
    name = hostname.encode()[:64]
    host.host_sethostname(name, len(name))  # for those who look from outside; the guest has its own


def empty_root(host):
    """A new mount namespace whose only mount is an empty tmpfs."""
    check(host.host_unshare(CLONE_NEWNS), "unshare(mount)")
    null = host.host_null()
    check(host.host_mount(b"none", b"/", null, MS_REC | MS_PRIVATE, null), "making mounts private")
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    check(host.host_mount(b"runsc", MOUNT_POINT, b"tmpfs", flags, b"size=0,nr_inodes=2,mode=555"), "mounting the empty root")
    posix.chdir(MOUNT_POINT)
    if host.host_pivot_root(b".", b".") == 0:
        check(host.host_umount2(b".", MNT_DETACH), "leaving the host's files")
    else:  # the host runs from its initial ramfs
        check(host.host_mount(b".", b"/", null, MS_MOVE, null), "moving the empty root")
        check(host.host_chroot(b"."), "chroot")
    posix.chdir("/")
    check(host.host_mount(b"none", b"/", null, MS_REMOUNT | MS_RDONLY | flags, null), "making the empty root read-only")


def become(identity):
    """The final user and group; supplementary groups go first, and can only be given up by a privileged process."""
    try:
        posix.setgroups([])
    except OSError:
        pass  # a user namespace made without privilege forbids it
    posix.setresgid(identity, identity, identity)
    posix.setresuid(identity, identity, identity)


def drop_privileges(host):
    """No capabilities, and none to be had."""
    for capability in range(LAST_CAPABILITY + 1):
        host.host_prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    check(host.host_set_capabilities(0, 0, 0), "capset")
    check(host.host_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def refuse_permissive(args):
    """A release has no unconfined sandboxes and no filter that only warns, whatever it is asked for."""
    if IS_RELEASE and (args.unconfined or args.lenient_filter):
        raise JailError("an unconfined sandbox needs a development build")


def close_jail(args):
    """Installs the filter. The first stub must have been born."""
    refuse_permissive(args)
    if args.unconfined:
        return
    program = sandbox_filter(ERRNO | 1 if args.lenient_filter else KILL_PROCESS, traces=args.platform == "ptrace")
    check(args.host.host_seccomp_filter(FILTER_LOG, program, len(program) // 8), "seccomp")


def rename_process(host, name):
    """What ps shows: comm, and the arguments' memory, which is ours to write."""
    host.host_prctl_name(name[:15])
    try:
        with_stat = posix.open("/proc/self/stat", posix.O_RDONLY | posix.O_CLOEXEC)
        text = posix.read(with_stat, 4096)
        posix.close(with_stat)
        fields = text[text.rfind(b")") + 2 :].split()
        start, end = int(fields[45]), int(fields[46])
        memory = posix.open("/proc/self/mem", posix.O_WRONLY | posix.O_CLOEXEC)
        posix.pwrite(memory, name[: end - start - 1].ljust(end - start, b"\0"), start)
        posix.close(memory)
    except (OSError, ValueError, IndexError):
        pass  # only a name


def close_others(host, keep):
    """Closes every descriptor above 2 that is not in keep."""
    first = 3
    for fd in sorted(set(keep)):
        if fd >= first:
            if fd > first:
                host.host_close_range(first, fd - 1, 0)
            first = fd + 1
    host.host_close_range(first, 0xFFFFFFFF, 0)
