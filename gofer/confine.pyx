# SPDX-License-Identifier: Apache-2.0
"""The host calls with which the gofer gives up its rights; which and in what order is gofer.jail's business.

Each function raises Errno if the host refuses.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from posix.resource cimport getrlimit, rlimit, setrlimit

from gofer cimport libc
from kernel.abi.errno cimport ENOSYS, Errno

cdef extern from "sched.h" nogil:
    int c_unshare "unshare"(int flags)

cdef extern from "sys/mount.h" nogil:
    int c_mount "mount"(const char *source, const char *target, const char *kind, unsigned long flags, const void *options)
    int c_umount2 "umount2"(const char *target, int flags)
    enum:
        MNT_DETACH

cdef extern from "sys/prctl.h" nogil:
    int c_prctl "prctl"(int option, ...)

cdef extern from "sys/syscall.h" nogil:
    enum:
        SYS_pivot_root, SYS_capset, SYS_seccomp, SYS_close_range

cdef extern from "linux/capability.h" nogil:
    enum:
        _LINUX_CAPABILITY_VERSION_3
    struct header "__user_cap_header_struct":
        unsigned int version
        int pid
    struct sets "__user_cap_data_struct":
        unsigned int effective
        unsigned int permitted
        unsigned int inheritable

cdef extern from "linux/filter.h" nogil:
    struct sock_filter:
        pass
    struct sock_fprog:
        unsigned short len
        sock_filter *filter

cdef enum:
    SECCOMP_SET_MODE_FILTER = 1


cdef int check(long result) except -1:
    if result < 0:
        raise Errno(libc.errno)
    return 0


def unshare(int flags):
    """unshare(2)."""
    check(c_unshare(flags))


def mount(bytes source, bytes target, bytes kind, unsigned long flags, bytes options):
    """mount(2)."""
    check(c_mount(source, target, kind, flags, PyBytes_AS_STRING(options)))


def pivot_here():
    """The current directory, a mount point, becomes the root; the old one is let go."""
    check(libc.syscall(SYS_pivot_root, b".", b"."))
    check(c_umount2(".", MNT_DETACH))


def prctl(int option, unsigned long argument=0):
    """prctl(2) with one argument, the others 0."""
    check(c_prctl(option, argument, 0, 0, 0))


def capset(unsigned long capabilities):
    """Effective and permitted set; nothing inheritable."""
    cdef header who
    cdef sets pair[2]
    cdef int half
    who.version = _LINUX_CAPABILITY_VERSION_3
    who.pid = 0
    for half in range(2):
        pair[half].effective = pair[half].permitted = <unsigned int> (capabilities >> (32 * half))
        pair[half].inheritable = 0
    check(libc.syscall(SYS_capset, &who, pair))


def raise_limit(int resource, wanted):
    """Soft and hard limit to `wanted`, or the soft one as far as the hard one allows."""
    cdef rlimit limits
    check(getrlimit(resource, &limits))
    hard = limits.rlim_max
    limits.rlim_cur = limits.rlim_max = wanted
    if setrlimit(resource, &limits) < 0:
        limits.rlim_cur = min(<object> hard, wanted)
        limits.rlim_max = hard
        check(setrlimit(resource, &limits))


def close_all_but(keep):
    """Close every descriptor from 3 on that is not in keep."""
    cdef unsigned int first = 3, fd
    for fd in sorted(set(keep)):
        if fd > first:
            libc.syscall(SYS_close_range, first, fd - 1, 0)
        first = max(first, fd + 1)
    if libc.syscall(SYS_close_range, first, <unsigned int> 0xffffffff, 0) < 0:
        raise Errno(ENOSYS)


def install_filter(bytes program):
    """seccomp(2), for every thread from here on; the program is an array of struct sock_filter."""
    cdef sock_fprog whole
    whole.len = PyBytes_GET_SIZE(program) // 8
    whole.filter = <sock_filter *> PyBytes_AS_STRING(program)
    check(libc.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole))
