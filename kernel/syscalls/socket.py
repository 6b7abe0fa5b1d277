# SPDX-License-Identifier: Apache-2.0
"""The socket calls (socket(2), bind(2), connect(2), accept(2), getsockopt(2)...). Messages are in kernel.syscalls.message."""

from kernel.abi.errno import (
    EAFNOSUPPORT,
    EAGAIN,
    EBADF,
    EINVAL,
    ENOTSOCK,
    EPROTONOSUPPORT,
    ERESTARTNOHAND,
    ERESTARTSYS,
    ESOCKTNOSUPPORT,
    Errno,
)
from kernel.abi.fs import O_NONBLOCK, O_PATH
from kernel.abi.net import AF_MAX, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM, SOCK_TYPE_MASK
from kernel.syscalls.kinds import Fd, Int, Out, Ptr
from kernel.syscalls.table import syscall
from net.socket.socket import Socket
from net.unix.socket import new_pair, new_socket

MAX_ADDRESS = 128
MAX_OPTION = 65536


def socket_of(task, fd):
    """The socket behind a descriptor; EBADF, ENOTSOCK."""
    file = task.files.get(fd)
    if not isinstance(file, Socket):
        raise Errno(EBADF if file.flags & O_PATH else ENOTSOCK)
    return file


def read_address(task, address, length):
    """sockaddr bytes from the guest; EINVAL for a length that can't be."""
    if not 0 <= length <= MAX_ADDRESS:
        raise Errno(EINVAL)
    return task.copy_in(address, length)


def write_address(task, address, length_address, value):
    """A sockaddr to the guest, cut to the room there is; its true length beside it."""
    if not address:
        return
    room = int.from_bytes(task.copy_in(length_address, 4), "little", signed=True)
    if room < 0:
        raise Errno(EINVAL)
    task.copy_out(address, value[:room])
    task.copy_out(length_address, len(value).to_bytes(4, "little"))


def check_kind(domain, kind, protocol):
    """(type, status flags, cloexec) of socket(2)'s arguments; what there is not gets Linux's error."""
    flags = kind & ~SOCK_TYPE_MASK
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        raise Errno(EINVAL)
    kind &= SOCK_TYPE_MASK
    if not 0 <= domain < AF_MAX:
        raise Errno(EAFNOSUPPORT)
    if kind > 10:
        raise Errno(EINVAL)
    if domain != AF_UNIX:
        raise Errno(EAFNOSUPPORT)
    if protocol not in (0, AF_UNIX):
        raise Errno(EPROTONOSUPPORT)
    if kind == SOCK_RAW:
        kind = SOCK_DGRAM
    if kind not in (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET):
        raise Errno(ESOCKTNOSUPPORT)
    return kind, O_NONBLOCK if flags & SOCK_NONBLOCK else 0, bool(flags & SOCK_CLOEXEC)


@syscall(41, partial="AF_UNIX only")
def sys_socket(task, domain: Int, kind: Int, protocol: Int):
    """socket(2)."""
    kind, flags, cloexec = check_kind(domain, kind, protocol)
    sock = new_socket(task, kind)
    sock.flags |= flags
    return install(task, sock, cloexec)


def install(task, sock, cloexec):
    """A descriptor for a new socket, which is released if there is none."""
    try:
        return task.files.install(sock, cloexec)
    except Errno:
        sock.put()
        raise


@syscall(53, partial="AF_UNIX only")
def sys_socketpair(task, domain: Int, kind: Int, protocol: Int, address: Out):
    """socketpair(2)."""
    kind, flags, cloexec = check_kind(domain, kind, protocol)
    pair = new_pair(task, kind)
    for sock in pair:
        sock.flags |= flags
    first = install(task, pair[0], cloexec)
    try:
        second = install(task, pair[1], cloexec)
    except Errno:
        task.files.close(first)
        raise
    try:
        task.copy_out(address, first.to_bytes(4, "little") + second.to_bytes(4, "little"))
    except Errno:
        task.files.close(first)
        task.files.close(second)
        raise


@syscall(49)
def sys_bind(task, fd: Fd, address: Ptr, length: Int):
    """bind(2)."""
    socket_of(task, fd).bind(task, read_address(task, address, length))


@syscall(50)
def sys_listen(task, fd: Fd, backlog: Int):
    """listen(2)."""
    socket_of(task, fd).listen(task, backlog)


def deadline(task, timeout_ns):
    """The deadline of SO_RCVTIMEO or SO_SNDTIMEO, fixed at the first attempt; -1: none."""
    if not timeout_ns:
        return -1
    if task.call_deadline_ns < 0:
        task.call_deadline_ns = task.kernel.clock.monotonic_ns() + timeout_ns
    return task.call_deadline_ns


def wait_or_again(task, sock, queue, events, timeout_ns, dontwait=False, interrupted=None):
    """EAGAIN for who does not wait or has waited long enough; else BLOCKED. A call with a timeout is not restarted after a handler."""
    if dontwait or sock.flags & O_NONBLOCK or task.timed_out:
        return -EAGAIN
    task.wait_on(queue, events)
    return task.block(deadline(task, timeout_ns), ERESTARTNOHAND if timeout_ns else ERESTARTSYS, interrupted)


@syscall(42)
def sys_connect(task, fd: Fd, address: Ptr, length: Int):
    """connect(2)."""
    sock = socket_of(task, fd)
    result = sock.connect(task, read_address(task, address, length))
    if result == -EAGAIN:
        return wait_or_again(task, sock, sock.connect_queue(), 0xFFFFFFFF, sock.sndtimeo_ns)
    return result


def accept(task, fd, address, length_address, flags):
    """accept4(2)."""
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        raise Errno(EINVAL)
    sock = socket_of(task, fd)
    task.files.require_room()
    served = sock.accept(task)
    if served is None:
        return wait_or_again(task, sock, sock.poll_queue(), 0xFFFFFFFF, sock.rcvtimeo_ns)
    if flags & SOCK_NONBLOCK:
        served.flags |= O_NONBLOCK
    try:
        if address:
            write_address(task, address, length_address, served.getpeername())
    except Errno:
        served.put()
        raise
    return install(task, served, bool(flags & SOCK_CLOEXEC))


@syscall(43)
def sys_accept(task, fd: Fd, address: Out, length: Out):
    """accept(2)."""
    return accept(task, fd, address, length, 0)


@syscall(288)
def sys_accept4(task, fd: Fd, address: Out, length: Out, flags: Int):
    """accept4(2)."""
    return accept(task, fd, address, length, flags)


@syscall(48)
def sys_shutdown(task, fd: Fd, how: Int):
    """shutdown(2)."""
    socket_of(task, fd).shutdown(how)


@syscall(51)
def sys_getsockname(task, fd: Fd, address: Out, length: Out):
    """getsockname(2)."""
    value = socket_of(task, fd).getsockname()
    write_address(task, address or 1, length, value)


@syscall(52)
def sys_getpeername(task, fd: Fd, address: Out, length: Out):
    """getpeername(2)."""
    value = socket_of(task, fd).getpeername()
    write_address(task, address or 1, length, value)


@syscall(54)
def sys_setsockopt(task, fd: Fd, level: Int, name: Int, value: Ptr, length: Int):
    """setsockopt(2)."""
    sock = socket_of(task, fd)
    if length < 0:
        raise Errno(EINVAL)
    sock.setsockopt(task, level, name, task.copy_in(value, min(length, MAX_OPTION)))


@syscall(55)
def sys_getsockopt(task, fd: Fd, level: Int, name: Int, value: Out, length: Out):
    """getsockopt(2)."""
    sock = socket_of(task, fd)
    room = int.from_bytes(task.copy_in(length, 4), "little", signed=True)
    if room < 0:
        raise Errno(EINVAL)
    answer = sock.getsockopt(task, level, name, room)[:room]
    task.copy_out(value, answer)
    task.copy_out(length, len(answer).to_bytes(4, "little"))
