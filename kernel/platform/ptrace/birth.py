# SPDX-License-Identifier: Apache-2.0
"""The birth of the first traced process: fork and execve of our one-page program, in front of the sentry's filter.

It is executed from a memfd, since the jail holds no files, and starts with the address space layout that the other platform's zygote
has: no randomisation and a finite stack, so that the host's vdso lies above guest memory.
"""

import fcntl
import posix
import resource
import signal

from ptrace.ctypes_libc import libc

from kernel.platform.ptrace.code import NAME, program
from kernel.platform.ptrace.courier import SOCKET

ADDR_NO_RANDOMIZE = 0x40000
STACK_BYTES = 8 << 20
HIGH = 100  # numbers that the socket's place can't collide with
NR_DESCRIPTORS = 1 << 20
MFD_CLOEXEC, MFD_EXEC = 1, 0x10


def make_process(socket):
    """Its pid; it waits in pause(2), untraced. socket: what becomes its descriptor SOCKET."""
    executable = memfd(program())
    read_end, write_end = posix.pipe2(posix.O_CLOEXEC)
    pid = posix.fork()
    if pid == 0:
        try:
            become(executable, socket, write_end)
        finally:
            posix._exit(120)
    posix.close(write_end)
    posix.close(executable)
    posix.read(read_end, 1)  # ends with execve, or with the process
    posix.close(read_end)
    return pid


def memfd(data):
    """A program that may be executed."""
    try:
        fd = posix.memfd_create("stub", MFD_CLOEXEC | MFD_EXEC)
    except OSError:  # before Linux 6.3 there is no MFD_EXEC
        fd = posix.memfd_create("stub", MFD_CLOEXEC)
    posix.write(fd, data)
    posix.fchmod(fd, 0o555)
    return fd


def become(executable, socket, write_end):
    """In the child."""
    kept = sorted(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH) for fd in (executable, write_end))
    target = fcntl.fcntl(executable, fcntl.F_DUPFD_CLOEXEC, HIGH)
    posix.dup2(socket, SOCKET)
    first = 0
    for fd in (SOCKET, *kept, target):
        posix.closerange(first, fd)
        first = fd + 1
    posix.closerange(first, NR_DESCRIPTORS)
    libc.personality(ADDR_NO_RANDOMIZE)
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, STACK_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    posix.execve(target, [NAME], {})
