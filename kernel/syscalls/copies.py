# SPDX-License-Identifier: Apache-2.0
"""What calls read and write in guest memory, so that the platform can send it along with the request and the answer.

Paths are known from the handlers' signatures; the rest is named here by the parameters of the rows: "buf < count" is read, "buf > count"
is written; a length is a number of bytes, a parameter that counts them, or both. Only an optimisation: what a handler reads or writes
beside it, or at a bad address, it reaches by itself. At most four pieces a call, and none larger than the window.
"""

from kernel.syscalls.table import rows

STRING, IN, IN_COUNTED, OUT, OUT_COUNTED = 1, 2, 3, 4, 5  # COPY_* of abi.h
PATH_KINDS = 8, 9  # Path, OptPath
MAX_PIECES = 4
MAX_BYTES, MAX_UNIT = 0x3FF, 0x7F

PIECES = {
    "read": "buf > count",
    "pread64": "buf > count",
    "write": "buf < count",
    "pwrite64": "buf < count",
    "readv": "vec < 16 vlen",
    "writev": "vec < 16 vlen",
    "stat": "buf > 144",
    "fstat": "buf > 144",
    "lstat": "buf > 144",
    "newfstatat": "buf > 144",
    "statx": "buf > 256",
    "statfs": "buf > 120",
    "fstatfs": "buf > 120",
    "readlink": "buf > size",
    "readlinkat": "buf > size",
    "getcwd": "buf > size",
    "getrandom": "address > count",
    "getdents64": "buf > count",
    "poll": "fds < 8 nfds",
    "ppoll": "fds < 8 nfds, timeout < 16",
    "epoll_wait": "events > 12 maxevents",
    "epoll_pwait": "events > 12 maxevents",
    "epoll_ctl": "event < 12",
    "pipe": "fds > 8",
    "pipe2": "fds > 8",
    "socketpair": "address > 8",
    "rt_sigaction": "action < 32, old > 32",
    "rt_sigprocmask": "set < 8, old > 8",
    "sigaltstack": "new < 24, old > 24",
    "nanosleep": "request < 16",
    "clock_nanosleep": "request < 16",
    "clock_gettime": "address > 16",
    "clock_getres": "address > 16",
    "gettimeofday": "address > 16",
    "timerfd_settime": "new < 32, old > 32",
    "timer_settime": "new < 32, old > 32",
    "setitimer": "new < 32, old > 32",
    "prlimit64": "new < 16, old > 16",
    "getrlimit": "address > 16",
    "getrusage": "usage > 144",
    "uname": "address > 390",
    "wait4": "status > 4, usage > 144",
    "sendto": "address < length",
    "recvfrom": "address > length",
    "sendmsg": "address < 56",
    "recvmsg": "address < 56",
    "clone3": "arguments < size",
}


def describe(row):
    """[(kind, argument, bytes, argument that counts or None)] of one row."""
    found = [(STRING, i, 0, None) for i, kind in enumerate(row.kinds) if kind in PATH_KINDS]
    for text in PIECES.get(row.name, "").split(", "):
        if text:
            name, direction, *length = text.split()
            found.append(piece(row, name, direction == "<", length))
    return found[:MAX_PIECES]


def piece(row, name, read, length):
    """One action: length is [bytes], [parameter] or [bytes, parameter]."""
    size = int(length[0]) if length[0].isdigit() else 1
    counter = None if length[-1].isdigit() else row.names.index(length[-1])
    if size > (MAX_BYTES if counter is None else MAX_UNIT):
        raise ValueError(f"{row.name}: {size} bytes")
    return (IN if read else OUT) + (counter is not None), row.names.index(name), size, counter


def pieces():
    """Of all calls that have any."""
    return [(row.number, actions) for row in rows() for actions in [describe(row)] if actions]
