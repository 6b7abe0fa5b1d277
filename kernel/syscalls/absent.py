# SPDX-License-Identifier: Apache-2.0
"""System calls that nobody serves, by reason. What Linux refuses to a container for lack of a capability answers EPERM, the rest ENOSYS."""

from kernel.abi.errno import EOPNOTSUPP, EPERM
from kernel.syscalls.table import missing

REFUSED = "a container has no right to it"
REMOVED = "Linux itself has it no more"
MACHINE = "the machine is the host's"

for number, name, why in (
    (153, "vhangup", REFUSED),
    (163, "acct", REFUSED),
    (167, "swapon", REFUSED),
    (168, "swapoff", REFUSED),
    (169, "reboot", REFUSED),
    (172, "iopl", REFUSED),
    (173, "ioperm", REFUSED),
    (175, "init_module", REFUSED),
    (176, "delete_module", REFUSED),
    (246, "kexec_load", REFUSED),
    (304, "open_by_handle_at", REFUSED),
    (313, "finit_module", REFUSED),
    (320, "kexec_file_load", REFUSED),
    (321, "bpf", REFUSED),
):
    missing(number, name, why + ": EPERM", EPERM)

for number, name in (
    (134, "uselib"),
    (156, "_sysctl"),
    (174, "create_module"),
    (177, "get_kernel_syms"),
    (178, "query_module"),
    (180, "nfsservctl"),
    (181, "getpmsg"),
    (182, "putpmsg"),
    (183, "afs_syscall"),
    (184, "tuxcall"),
    (185, "security"),
    (205, "set_thread_area"),
    (211, "get_thread_area"),
    (212, "lookup_dcookie"),
    (214, "epoll_ctl_old"),
    (215, "epoll_wait_old"),
    (236, "vserver"),
):
    missing(number, name, REMOVED)

missing(303, "name_to_handle_at", "files have no handles: EOPNOTSUPP", EOPNOTSUPP)

for numbers, why in (
    ({101: "ptrace"}, "no tracing of one guest by another yet"),
    ({136: "ustat", 139: "sysfs"}, "superseded by statfs and /proc/filesystems"),
    ({154: "modify_ldt"}, "no local descriptor tables, as in a kernel without CONFIG_MODIFY_LDT_SYSCALL"),
    ({179: "quotactl", 443: "quotactl_fd"}, "no disk quotas, as in a kernel without CONFIG_QUOTA"),
    (
        {206: "io_setup", 207: "io_destroy", 208: "io_getevents", 209: "io_submit", 210: "io_cancel", 333: "io_pgetevents"},
        "no asynchronous I/O, as in a kernel without CONFIG_AIO; libraries fall back to threads",
    ),
    ({425: "io_uring_setup", 426: "io_uring_enter", 427: "io_uring_register"}, "no io_uring, as in a kernel without CONFIG_IO_URING"),
    ({248: "add_key", 249: "request_key", 250: "keyctl"}, "no keyrings, as in a kernel without CONFIG_KEYS"),
    ({298: "perf_event_open"}, MACHINE),
    ({308: "setns"}, "namespaces of others can't be joined"),
    ({334: "rseq"}, "guest threads are moved between processors by the host; libc does without"),
    (
        {428: "open_tree", 429: "move_mount", 430: "fsopen", 431: "fsconfig", 432: "fsmount", 433: "fspick", 442: "mount_setattr"},
        "mount(2) is there; callers fall back to it",
    ),
    (
        {444: "landlock_create_ruleset", 445: "landlock_add_rule", 446: "landlock_restrict_self"},
        "no Landlock, as in a kernel without CONFIG_SECURITY_LANDLOCK",
    ),
    ({451: "cachestat"}, "the page cache is the host's"),
    ({457: "statmount", 458: "listmount"}, "/proc/self/mountinfo is there"),
    ({459: "lsm_get_self_attr", 460: "lsm_set_self_attr", 461: "lsm_list_modules"}, "no security modules"),
):
    for number, name in numbers.items():
        missing(number, name, why)
