# SPDX-License-Identifier: Apache-2.0
"""Loads every file of system calls, which fills the table, and then what has no row is declared missing."""

MODULES = (
    "attributes",
    "credentials",
    "descriptor",
    "directory",
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
    "message",
    "mempolicy",
    "mount",
    "open",
    "pidfd",
    "pipe",
    "poll",
    "prctl",
    "process",
    "process_vm",
    "read_write",
    "sched",
    "shm",
    "signal",
    "signalfd",
    "socket",
    "splice",
    "stat",
    "sysv",
    "time",
    "timerfd",
    "timers",
    "wait",
    "xattr",
)


def load():
    """Import them all; the table knows every call that is served."""
    for name in MODULES:
        try:
            __import__("kernel.syscalls." + name)
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("kernel.syscalls"):
                raise
