# SPDX-License-Identifier: Apache-2.0
"""Loads every file of system calls, which fills the table, and then what has no row is declared missing."""

MODULES = (
    "absent",
    "attributes",
    "credentials",
    "descriptor",
    "directory",
    "dup",
    "epoll",
    "eventfd",
    "futex",
    "identity",
    "inotify",
    "limits",
    "membarrier",
    "memfd",
    "memory",
    "memory_advice",
    "mempolicy",
    "message",
    "mount",
    "mqueue",
    "msg",
    "namespaces",
    "open",
    "pidfd",
    "pipe",
    "poll",
    "prctl",
    "process",
    "process_vm",
    "read_write",
    "sched",
    "seccomp",
    "sem",
    "shm",
    "signal",
    "signalfd",
    "socket",
    "splice",
    "stat",
    "time",
    "timerfd",
    "timers",
    "wait",
    "xattr",
)


def load():
    """Import them all; the table knows every call that is served."""
    for name in MODULES:
        __import__("kernel.syscalls." + name)
