# SPDX-License-Identifier: Apache-2.0
"""The sandbox process's filter, installed in a child: what goes on, what is refused, what ends it."""

import _thread
import ctypes
import errno
import mmap
import os
import signal
import socket

import pytest

from kernel.boot.filter import ALLOWED, REFUSED, sandbox_filter
from oci._host import lib


def in_filter(body, traces=False):
    """Runs body in a child under the filter; its wait status as an exit code, or -signal."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            program = sandbox_filter(traces=traces)
            lib.host_prctl(38, 1, 0, 0, 0)
            if lib.host_seccomp_filter(0, program, len(program) // 8) == 0:
                status = body()
        finally:
            os._exit(status if isinstance(status, int) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(call):
    def body():
        try:
            call()
        except PermissionError:
            return 7
        return 1

    return body


def everyday_work():
    a, b = os.pipe()
    os.write(b, b"x")
    assert os.read(a, 1) == b"x"
    memory = os.memfd_create("m")
    os.ftruncate(memory, 4096)
    mmap.mmap(-1, 1 << 20).close()
    os.getrandom(8)
    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(done.release, ())  # as the pool's threads are made
    done.acquire()
    return 5


def test_what_the_kernel_does_all_day():
    assert in_filter(everyday_work) == 5


@pytest.mark.parametrize(
    "call",
    [lambda: open("/etc/passwd"), lambda: os.stat("/"), lambda: os.readlink("/proc/self/exe"), socket.socket],
    ids=["open", "stat", "readlink", "socket"],
)
def test_what_tracebacks_try_is_refused(call):
    assert in_filter(refused(call)) == 7


@pytest.mark.parametrize(
    "call",
    [
        lambda: os.execv("/bin/true", ["true"]),
        os.fork,
        lambda: os.mkdir("/tmp/x"),
        lambda: os.unlink("/tmp/x"),
        lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_EXEC | mmap.PROT_READ),
        lambda: os.setuid(0),
        lambda: os.chdir("/"),
        lambda: lib.host_unshare(0x10000000),
        lambda: lib.host_umount2(b"", 0),
    ],
    ids=["execve", "fork", "mkdir", "unlink", "mmap", "setuid", "chdir", "unshare", "mount"],
)
def test_everything_else_is_the_end(call):
    assert in_filter(call) == -signal.SIGSYS


@pytest.mark.parametrize("request_", [7, 31, 0x4207], ids=["CONT", "SYSEMU", "INTERRUPT"])
def test_tracing_is_for_the_ptrace_platform(request_):
    """A stranger's thread answers ESRCH; attaching to one is the end in any case."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace

    def ask(request):
        ptrace(request, 1, 0, 0)
        return 3 if ctypes.get_errno() == errno.ESRCH else 4

    assert in_filter(lambda: ask(request_), traces=True) == 3
    assert in_filter(lambda: ask(request_)) == -signal.SIGSYS
    assert in_filter(lambda: ask(16), traces=True) == -signal.SIGSYS


def test_the_table_names_each_call_once():
    numbers = [row[0] for row in (*ALLOWED, *REFUSED)] + [9, 10, 16, 56, 72]
    assert len(numbers) == len(set(numbers))
    assert all(reason for _, _, reason in ALLOWED)


def test_numbers_belong_to_the_names():
    """Against the host's own header."""
    path = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
    if not os.path.exists(path):
        pytest.skip("no kernel headers")
    numbers = dict(line.split()[1:3] for line in open(path) if line.startswith("#define __NR_"))
    for number, name, _ in (*ALLOWED, *REFUSED):
        assert numbers[f"__NR_{name}"] == str(number), name
