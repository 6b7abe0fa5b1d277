# SPDX-License-Identifier: Apache-2.0
"""The gofer's jail: what it gives up, and in what order.

After enter() the process sees an empty root, no network, no other process; it holds the trees that it serves, a view of its own
descriptors, and the capabilities to act on files as any user. /proc/self/fd comes first: it is opened as a detached copy,
so that its .. leads nowhere. The trees should be detached copies for the same reason; whoever opened them sees to that.
"""

import posix

from gofer import confine, localfs
from gofer.seccomp import gofer_filter
from kernel.abi.errno import Errno

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = (
    0x20000,
    0x2000000,
    0x4000000,
    0x8000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    0x4000,
    1 << 18,
)
PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 23, 24, 38
RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NOFILE = 1, 4, 7
RLIM_INFINITY = 0xFFFFFFFFFFFFFFFF
MAX_FILES = 1 << 20  # one for each fid
MOUNT_POINT = b"/proc"  # any directory that every host has; covered in our own mount namespace only

# (number, name, what the server does with it)
CAPABILITIES = (
    (0, "CHOWN", "files belong to the guest's users"),
    (1, "DAC_OVERRIDE", "the guest's kernel has checked permissions"),
    (2, "DAC_READ_SEARCH", "the same"),
    (3, "FOWNER", "modes, times and attributes of other users' files"),
    (4, "FSETID", "set-group-id bits of other groups' files"),
    (27, "MKNOD", "device nodes in the container's root; no one opens them on the host"),
)


def enter(sock_fd: int, attaches: list[tuple[int, bool]]) -> None:
    """Close the jail around this process, which serves `attaches` over sock_fd afterwards. Keeps 0, 1, 2 as they are."""
    localfs.use_proc()
    confine.close_all_but([sock_fd, *(fd for fd, _ in attaches), *localfs.descriptors()])
    confine.raise_limit(RLIMIT_NOFILE, MAX_FILES)
    confine.raise_limit(RLIMIT_CORE, 0)
    leave_host()
    give_up_capabilities()
    confine.prctl(PR_SET_DUMPABLE, 0)
    confine.prctl(PR_SET_NO_NEW_PRIVS, 1)
    confine.install_filter(gofer_filter())


def leave_host() -> None:
    """Own namespaces, and a root directory that is empty and read-only. The working directory stays /proc/self/fd."""
    confine.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
    try:
        confine.unshare(CLONE_NEWCGROUP)
    except Errno:
        pass  # a kernel without cgroups has none to see
    confine.mount(b"none", b"/", b"", MS_REC | MS_PRIVATE, b"")
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    confine.mount(b"runsc", MOUNT_POINT, b"tmpfs", flags, b"size=0,nr_inodes=2,mode=555")
    posix.chdir(MOUNT_POINT)
    confine.pivot_here()
    posix.chdir("/")
    confine.mount(b"none", b"/", b"", MS_REMOUNT | MS_RDONLY | flags, b"")
    localfs.return_to_proc()


def give_up_capabilities() -> None:
    """Only what is listed stays, in the bounding set too."""
    keep = 0
    for number, _, _ in CAPABILITIES:
        keep |= 1 << number
    for number in range(64):
        try:
            confine.prctl(PR_CAPBSET_READ, number)
        except Errno:
            break  # beyond the host's last
        if not keep >> number & 1:
            confine.prctl(PR_CAPBSET_DROP, number)
    confine.capset(keep)
