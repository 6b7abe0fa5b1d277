# SPDX-License-Identifier: Apache-2.0
"""Sending and receiving messages (send(2), recv(2), sendmmsg(2), recvmmsg(2)), with control data (cmsg(3))."""

import struct

from kernel.abi.errno import EAGAIN, EFAULT, EINVAL, EMSGSIZE, ENOBUFS, EPERM, EPIPE, ESRCH, ETOOMANYREFS, Errno
from kernel.abi.net import (
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_WAITALL,
    MSG_WAITFORONE,
    SCM_CREDENTIALS,
    SCM_MAX_FD,
    SCM_RIGHTS,
    SOCK_STREAM,
    SOL_SOCKET,
)
from kernel.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from kernel.abi.signal import SIGPIPE
from kernel.abi.task import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
from kernel.mm.userbuffer import GuestBuffer
from kernel.signal.pending import kill_info
from kernel.signal.send import send_to_task
from kernel.syscalls.kinds import Fd, Int, Out, Ptr, Size, UInt
from kernel.syscalls.read_write import copy_in_pieces
from kernel.syscalls.socket import read_address, socket_of, wait_or_again, write_address
from kernel.syscalls.table import syscall
from kernel.task.task import BLOCKED
from net.socket.socket import Message

MSGHDR = struct.Struct("<QIxxxxQQQQi4x")  # name, namelen, iov, iovlen, control, controllen, flags
CMSGHDR = struct.Struct("<Qii")
IOV_MAX = 1024
UIO_MAXIOV = 1024
MAX_CONTROL = 20480
READ_EVENTS = POLLIN | POLLHUP | POLLERR | POLLRDHUP
WRITE_EVENTS = POLLOUT | POLLHUP | POLLERR


# control data


def parse_control(task, data):
    """A Message with what control data carries: descriptors and credentials. EINVAL, EBADF, EPERM."""
    message = Message()
    offset = 0
    while offset + CMSGHDR.size <= len(data):
        length, level, kind = CMSGHDR.unpack_from(data, offset)
        if length < CMSGHDR.size or length > len(data) - offset:
            raise Errno(EINVAL)
        body = data[offset + CMSGHDR.size : offset + length]
        if level == SOL_SOCKET:
            take_control(task, message, kind, body)
        offset += (length + 7) & ~7
    return message


def take_control(task, message, kind, body):
    """One control message."""
    if kind == SCM_RIGHTS:
        numbers = struct.unpack(f"<{len(body) // 4}i", body[: len(body) // 4 * 4])
        if len(numbers) + len(message.files or ()) > SCM_MAX_FD:
            raise Errno(EINVAL)
        found = [task.files.get(fd) for fd in numbers]
        if found:
            message.files = (message.files or []) + found
    elif kind == SCM_CREDENTIALS:
        if len(body) < 12:
            raise Errno(EINVAL)
        message.creds = checked_creds(task, *struct.unpack("<iII", body[:12]))
    else:
        raise Errno(EINVAL)


def checked_creds(task, pid, uid, gid):
    """Who may claim to be whom (unix(7))."""
    creds = task.creds
    if pid != task.group.pid:
        if not creds.capable(CAP_SYS_ADMIN):
            raise Errno(EPERM)
        if pid not in task.kernel.groups:
            raise Errno(ESRCH)
    if uid not in (creds.uid, creds.euid, creds.suid) and not creds.capable(CAP_SETUID):
        raise Errno(EPERM)
    if gid not in (creds.gid, creds.egid, creds.sgid) and not creds.capable(CAP_SETGID):
        raise Errno(EPERM)
    return pid, uid, gid


class ControlWriter:
    """Builds control data for a receiver in the room that it gave."""

    def __init__(self, room):
        self.room = room
        self.data = b""
        self.truncated = False

    def add(self, level, kind, body):
        """One control message, cut to the room."""
        room = self.room - len(self.data)
        if room < CMSGHDR.size:
            self.truncated = True
            return
        length = CMSGHDR.size + len(body)
        if length > room:
            self.truncated = True
            length = room
        part = CMSGHDR.pack(length, level, kind) + body[: length - CMSGHDR.size]
        self.data += part.ljust(min((length + 7) & ~7, room), b"\0")

    def descriptors_that_fit(self):
        """How many descriptors there is room for."""
        return max(self.room - len(self.data) - CMSGHDR.size, 0) // 4


def control_for(task, sock, message, room, flags):
    """Control data of a received message; its descriptors are installed as far as there is room."""
    writer = ControlWriter(room)
    if message.creds is not None:
        writer.add(SOL_SOCKET, SCM_CREDENTIALS, struct.pack("<iII", *message.creds))
    if message.files is not None:
        give_descriptors(task, writer, message.files, bool(flags & MSG_CMSG_CLOEXEC))
    for level, kind, body in message.extra or ():
        writer.add(level, kind, body)
    return writer


def give_descriptors(task, writer, files, cloexec):
    """SCM_RIGHTS: what does not fit is closed."""
    numbers, room = [], writer.descriptors_that_fit()
    for file in files:
        try:
            if len(numbers) >= room:
                raise Errno(ETOOMANYREFS)
            numbers.append(task.files.install(file, cloexec))
        except Errno:
            writer.truncated = True
            file.put()
    if numbers:
        writer.add(SOL_SOCKET, SCM_RIGHTS, struct.pack(f"<{len(numbers)}i", *numbers))


# sending


def send(task, sock, pieces, message, flags):
    """One attempt to send: the count, -errno or BLOCKED. A stream that took a part waits with the rest."""
    done = task.progress or 0
    buf = GuestBuffer(task, skip(pieces, done))
    want = buf.left()
    stream = sock.type == SOCK_STREAM
    while True:
        result = sock.sendmsg(task, buf, message, flags)
        if result > 0 and stream:
            done += result
            message = Message()
        if result <= 0 or not stream or buf.left() == 0:
            break
    if result == -EAGAIN:
        task.progress = done
        so_far = (lambda _task: done) if done else None
        waits = wait_or_again(task, sock, sock.poll_queue(), WRITE_EVENTS, sock.sndtimeo_ns, flags & MSG_DONTWAIT, so_far)
        return done if waits == -EAGAIN and done else waits
    if result == -EPIPE and not flags & MSG_NOSIGNAL and not done and sock.type != 2:
        send_to_task(task, kill_info(SIGPIPE, 0, task.group.pid, task.creds.uid))
    return done if stream and done else result if want or result < 0 else 0


def skip(pieces, count):
    """What is left of pieces after count bytes."""
    left = []
    for address, length in pieces:
        gone = min(count, length)
        count -= gone
        if length > gone:
            left.append((address + gone, length - gone))
    return left


@syscall(44)
def sys_sendto(task, fd: Fd, address: Ptr, length: Size, flags: Int, name: Ptr, name_length: Int):
    """sendto(2) and send(2)."""
    sock = socket_of(task, fd)
    message = Message()
    if name:
        message.name = read_address(task, name, name_length)
    return send(task, sock, [(address, min(length, 0x7FFFF000))], message, flags)


def read_header(task, address):
    """(name, namelen, pieces, control, controllen, flags) of a struct msghdr."""
    name, name_length, vector, count, control, control_length, flags = MSGHDR.unpack(task.copy_in(address, 56))
    if count > IOV_MAX:
        raise Errno(EMSGSIZE)
    if name_length > 0x7FFFFFFF:
        raise Errno(EINVAL)
    pieces = copy_in_pieces(task, vector, count)
    return name, min(name_length, 128) if name else 0, pieces, control, control_length, flags


def send_header(task, sock, address, flags):
    """sendmsg(2)."""
    name, name_length, pieces, control, control_length, _ = read_header(task, address)
    if control_length > MAX_CONTROL:
        raise Errno(ENOBUFS)
    first = task.progress is None or task.progress == 0
    message = parse_control(task, task.copy_in(control, control_length)) if control_length and first else Message()
    if name:
        message.name = read_address(task, name, name_length)
    return send(task, sock, pieces, message, flags)


@syscall(46)
def sys_sendmsg(task, fd: Fd, address: Ptr, flags: Int):
    """sendmsg(2)."""
    return send_header(task, socket_of(task, fd), address, flags)


@syscall(307)
def sys_sendmmsg(task, fd: Fd, vector: Ptr, count: UInt, flags: Int):
    """sendmmsg(2)."""
    sock = socket_of(task, fd)
    for index in range(min(count, UIO_MAXIOV)):
        address = vector + 64 * index
        task.progress = None
        try:
            result = send_header(task, sock, address, flags | (MSG_DONTWAIT if index else 0))
        except Errno as error:
            result = -error.number
        if result < 0:
            return index or result
        task.copy_out(address + 56, result.to_bytes(4, "little"))
    return min(count, UIO_MAXIOV)


# receiving


def receive(task, sock, pieces, flags):
    """One attempt: (count or -errno or BLOCKED, Message). MSG_WAITALL on a stream collects."""
    message = Message()
    done = task.progress or 0
    buf = GuestBuffer(task, skip(pieces, done))
    if buf.left() and not any(task.writable(address, 1) for address, _ in pieces[:1]):
        return -EFAULT, message
    collect = flags & MSG_WAITALL and sock.type == SOCK_STREAM and not flags & MSG_PEEK
    result = sock.recvmsg(task, buf, message, flags)
    if collect and result > 0:
        done += result
        if buf.left() and message.files is None:
            task.progress = done
            again = sock.recvmsg(task, GuestBuffer(task, skip(pieces, done)), message, flags)
            result = again if again in (0, -EAGAIN) else done + max(again, 0)
            done = max(done, result)
        else:
            result = done
    if result == -EAGAIN:
        waits = wait_or_again(
            task, sock, sock.poll_queue(), READ_EVENTS, sock.rcvtimeo_ns, flags & MSG_DONTWAIT, (lambda _task: done) if done else None
        )
        return (done if waits == -EAGAIN and done else waits), message
    return (done if done and result <= 0 else result), message


@syscall(45)
def sys_recvfrom(task, fd: Fd, address: Out, length: Size, flags: Int, name: Out, name_length: Out):
    """recvfrom(2) and recv(2)."""
    sock = socket_of(task, fd)
    result, message = receive(task, sock, [(address, min(length, 0x7FFFF000))], flags)
    if result >= 0:
        for file in message.files or ():
            file.put()
        if name:
            write_address(task, name, name_length, message.name or b"")
    return result


def receive_header(task, sock, address, flags):
    """recvmsg(2)."""
    name, name_length, pieces, control, control_length, _ = read_header(task, address)
    result, message = receive(task, sock, pieces, flags)
    if result < 0:
        return result
    writer = control_for(task, sock, message, control_length if control else 0, flags)
    if control and writer.data:
        task.copy_out(control, writer.data)
    answer_flags = message.flags | (MSG_CTRUNC if writer.truncated else 0) | (flags & MSG_CMSG_CLOEXEC)
    if name:
        value = message.name or b""
        task.copy_out(name, value[:name_length])
    task.copy_out(address + 8, len(message.name or b"").to_bytes(4, "little"))
    task.copy_out(address + 40, len(writer.data).to_bytes(8, "little"))
    task.copy_out(address + 48, answer_flags.to_bytes(4, "little"))
    return result


@syscall(47)
def sys_recvmsg(task, fd: Fd, address: Ptr, flags: Int):
    """recvmsg(2)."""
    return receive_header(task, socket_of(task, fd), address, flags)


class Batch:
    """How far a recvmmsg(2) has come."""

    def __init__(self, deadline_ns):
        self.index = 0
        self.progress = None  # of the message that it waits for
        self.deadline_ns = deadline_ns


@syscall(299)
def sys_recvmmsg(task, fd: Fd, vector: Ptr, count: UInt, flags: Int, timeout: Ptr):
    """recvmmsg(2). As in Linux the timeout is looked at when a message has come, and says afterwards what is left of it."""
    sock, clock = socket_of(task, fd), task.kernel.clock
    count = min(count, UIO_MAXIOV)
    batch = task.progress
    if batch is None:
        batch = Batch(clock.monotonic_ns() + read_timeout(task, timeout) if timeout else None)
    while batch.index < count and not (batch.index and batch.deadline_ns is not None and clock.monotonic_ns() >= batch.deadline_ns):
        dontwait = MSG_DONTWAIT if batch.index and flags & MSG_WAITFORONE else 0
        result = receive_next(task, sock, batch, vector + 64 * batch.index, flags & ~MSG_WAITFORONE | dontwait)
        if result == BLOCKED:
            if batch.index:
                task.interrupted = lambda _task: batch.index
            return result
        if result < 0:
            if batch.index == 0:
                return result
            break
    if timeout and batch.index:
        left = max(batch.deadline_ns - clock.monotonic_ns(), 0)
        task.copy_out(timeout, struct.pack("<2q", left // 1000000000, left % 1000000000))
    return batch.index


def receive_next(task, sock, batch, address, flags):
    """One message into a struct mmsghdr: its length, -errno or BLOCKED."""
    task.progress = batch.progress
    try:
        result = receive_header(task, sock, address, flags)
        if result >= 0:
            task.copy_out(address + 56, result.to_bytes(4, "little"))
    except Errno as error:
        result = -error.number
    batch.progress, task.progress = task.progress, batch
    if result >= 0:
        batch.index += 1
        batch.progress = None
        task.timed_out, task.call_deadline_ns = False, -1  # SO_RCVTIMEO is for each
    return result


def read_timeout(task, address):
    """struct timespec as ns; EINVAL."""
    seconds, nanoseconds = struct.unpack("<2q", task.copy_in(address, 16))
    if seconds < 0 or not 0 <= nanoseconds < 1000000000:
        raise Errno(EINVAL)
    return min(seconds, 1 << 32) * 1000000000 + nanoseconds
