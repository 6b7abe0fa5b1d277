# SPDX-License-Identifier: Apache-2.0
"""The system call table against the C library's list of numbers: names, arguments, reasons, and no gaps among the everyday calls."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import kernel.syscalls
from kernel.syscalls import table

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
NEWER_THAN_SOME_HEADERS = {
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
}
EVERYDAY = """read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl
    pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise dup dup2 pause nanosleep getitimer alarm
    setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername
    socketpair setsockopt getsockopt clone fork vfork execve exit wait4 kill uname fcntl flock fsync fdatasync truncate ftruncate
    getdents64 getcwd chdir fchdir rename mkdir rmdir link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday
    getrlimit getrusage sysinfo times getuid getgid setuid setgid geteuid getegid setpgid getppid getpgrp setsid setreuid setregid
    getgroups setgroups setresuid getresuid setresgid getresgid getpgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo
    rt_sigsuspend sigaltstack utime mknod statfs fstatfs getpriority setpriority sched_setparam sched_getparam sched_setscheduler
    sched_getscheduler mlock munlock prctl arch_prctl setrlimit chroot sync mount umount2 sethostname gettid tkill time futex
    sched_setaffinity sched_getaffinity epoll_create set_tid_address timer_create timer_settime timer_gettime timer_getoverrun
    timer_delete clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes waitid inotify_add_watch
    inotify_rm_watch openat mkdirat mknodat fchownat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6
    ppoll set_robust_list get_robust_list splice tee vmsplice utimensat epoll_pwait signalfd4 timerfd_create timerfd_settime
    timerfd_gettime eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo recvmmsg prlimit64 syncfs sendmmsg
    getcpu process_vm_readv process_vm_writev renameat2 getrandom memfd_create execveat membarrier mlock2 copy_file_range preadv2 pwritev2
    statx pidfd_send_signal pidfd_open clone3 close_range openat2 faccessat2 epoll_pwait2""".split()


@pytest.fixture(scope="module")
def rows():
    for module in pkgutil.iter_modules(kernel.syscalls.__path__):
        importlib.import_module(f"kernel.syscalls.{module.name}")
    return table.rows()


@pytest.fixture(scope="module")
def numbers():
    if not HEADER.exists():
        pytest.skip(f"no {HEADER}")
    found = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())}
    return NEWER_THAN_SOME_HEADERS | found


def test_numbers_and_names_agree(rows, numbers):
    wrong = [(row.number, row.name) for row in rows if numbers.get(row.name) != row.number]
    assert not wrong


def test_no_row_has_more_than_six_arguments(rows):
    assert [row.name for row in rows if len(row.kinds) > 6 or len(row.kinds) != len(row.names)] == []


def test_unfinished_rows_say_why(rows):
    assert {row.level for row in rows} <= {"full", "partial", "missing"}
    assert [row.name for row in rows if row.level != "full" and not row.why] == []


def test_everyday_calls_are_served(rows):
    served = {row.name for row in rows if row.level != "missing"}
    assert sorted(set(EVERYDAY) - served) == []
