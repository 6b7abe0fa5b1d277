# SPDX-License-Identifier: Apache-2.0
"""mq_open and its sisters: POSIX message queues (mq_overview(7))."""

import struct

from fs.anon.mqueue import READABLE, WRITABLE, MessageQueue, MqueueFile
from kernel.abi.errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EBUSY,
    EEXIST,
    EINVAL,
    EMFILE,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOENT,
    ENOSPC,
    EPERM,
    ERESTARTSYS,
    ETIMEDOUT,
    Errno,
)
from kernel.abi.fs import O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from kernel.abi.signal import SI_MESGQ, SIGEV_NONE, SIGEV_SIGNAL
from kernel.abi.task import CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SYS_RESOURCE, RLIMIT_MSGQUEUE
from kernel.signal.pending import kill_info
from kernel.signal.send import send_to_group
from kernel.syscalls.kinds import Fd, Int, Out, Path, Ptr, Size, UInt
from kernel.syscalls.table import syscall
from kernel.syscalls.time import read_timespec

DEFAULT_MESSAGES, DEFAULT_SIZE = 10, 8192
HARD_MESSAGES, HARD_SIZE = 65536, 16 << 20
MAX_QUEUES = 256
MAX_PRIORITY = 32768
MESSAGE_OVERHEAD = 56  # what Linux counts for a message besides its bytes
NAME_MAX = 255
ATTR = struct.Struct("<4q32x")  # struct mq_attr
WANTED = {O_RDONLY: 4, O_WRONLY: 2, O_RDWR: 6}


def names(task):
    """The queues of the task's IPC namespace by name."""
    return task.ipc.tables.setdefault("mqueue", {})


def check_name(name):
    """One component."""
    if len(name) > NAME_MAX:
        raise Errno(ENAMETOOLONG)
    if not name or b"/" in name or name in (b".", b".."):
        raise Errno(EACCES)


@syscall(240, partial="queues are not files: /dev/mqueue does not show them")
def sys_mq_open(task, name: Path, flags: Int, mode: UInt, attributes: Ptr):
    """mq_open(3)."""
    attr = ATTR.unpack(task.copy_in(attributes, ATTR.size)) if attributes and flags & O_CREAT else None
    if flags & O_ACCMODE not in WANTED:
        raise Errno(EINVAL)
    check_name(name)
    table = names(task)
    queue = table.get(name)
    if queue is None:
        if not flags & O_CREAT:
            raise Errno(ENOENT)
        queue = make(task, table, name, mode & 0o777 & ~task.fs.umask, attr)
    elif flags & O_CREAT and flags & O_EXCL:
        raise Errno(EEXIST)
    elif not queue.permits(task.creds, WANTED[flags & O_ACCMODE]) and not task.creds.capable(CAP_DAC_OVERRIDE):
        raise Errno(EACCES)
    return task.files.install(MqueueFile(queue, flags & (O_ACCMODE | O_NONBLOCK)), bool(flags & O_CLOEXEC))


def make(task, table, name, mode, attr):
    """A new queue, within the limits."""
    privileged = task.creds.capable(CAP_SYS_RESOURCE)
    messages, size = (attr[1], attr[2]) if attr else (DEFAULT_MESSAGES, DEFAULT_SIZE)
    most, largest = (HARD_MESSAGES, HARD_SIZE) if privileged else (DEFAULT_MESSAGES, DEFAULT_SIZE)
    if not 0 < messages <= most or not 0 < size <= largest:
        raise Errno(EINVAL)
    if len(table) >= MAX_QUEUES and not privileged:
        raise Errno(ENOSPC)
    mine = [queue for queue in table.values() if queue.uid == task.creds.fsuid]
    used = sum(queue.max_messages * (queue.message_size + MESSAGE_OVERHEAD) for queue in mine)
    if used + messages * (size + MESSAGE_OVERHEAD) > task.group.limits.soft(RLIMIT_MSGQUEUE):
        raise Errno(EMFILE)
    queue = table[name] = MessageQueue(name, mode, task.creds, messages, size)
    return queue


@syscall(241)
def sys_mq_unlink(task, name: Path):
    """mq_unlink(3)."""
    check_name(name)
    queue = names(task).get(name)
    if queue is None:
        raise Errno(ENOENT)
    if queue.uid != task.creds.fsuid and not task.creds.capable(CAP_FOWNER):
        raise Errno(EPERM)
    del names(task)[name]


def queue_of(task, fd, access):
    """(file, queue) of a descriptor that is open for `access` or both; EBADF."""
    file = task.files.get(fd)
    if not isinstance(file, MqueueFile) or file.flags & O_ACCMODE not in (access, O_RDWR):
        raise Errno(EBADF)
    return file, file.queue


def deadline_of(task, timeout):
    """An absolute time of the real-time clock as one of the monotonic clock, fixed by the first attempt; -1: none."""
    if not timeout:
        return -1
    if task.progress is None:
        clock = task.kernel.clock
        task.progress = max(read_timespec(task, timeout) - clock.realtime_ns() + clock.monotonic_ns(), 0)
    return task.progress


def wait(task, file, events, deadline):
    """Until the queue changes."""
    if file.flags & O_NONBLOCK:
        raise Errno(EAGAIN)
    if task.timed_out or 0 <= deadline <= task.kernel.clock.monotonic_ns():
        raise Errno(ETIMEDOUT)
    task.wait_on(file.queue.waiters, events)
    return task.block(deadline, ERESTARTSYS)


@syscall(242)
def sys_mq_timedsend(task, fd: Fd, message: Ptr, size: Size, priority: UInt, timeout: Ptr):
    """mq_timedsend(3)."""
    if priority >= MAX_PRIORITY:
        raise Errno(EINVAL)
    deadline = deadline_of(task, timeout)
    file, queue = queue_of(task, fd, O_WRONLY)
    if size > queue.message_size:
        raise Errno(EMSGSIZE)
    text = task.copy_in(message, size)
    if queue.is_full():
        return wait(task, file, WRITABLE, deadline)
    queue.put(priority, text, task)
    return 0


@syscall(243)
def sys_mq_timedreceive(task, fd: Fd, message: Out, size: Size, priority: Out, timeout: Ptr):
    """mq_timedreceive(3)."""
    deadline = deadline_of(task, timeout)
    file, queue = queue_of(task, fd, O_RDONLY)
    if size < queue.message_size:
        raise Errno(EMSGSIZE)
    if not queue.messages:
        return wait(task, file, READABLE, deadline)
    level, text = queue.messages[0]
    task.copy_out(message, text)
    if priority:
        task.copy_out(priority, level.to_bytes(4, "little"))
    queue.take()
    return len(text)


@syscall(244, partial="no SIGEV_THREAD: EINVAL")
def sys_mq_notify(task, fd: Fd, event: Ptr):
    """mq_notify(3): one signal for the first message in an empty queue; NULL takes the wish back."""
    file = task.files.get(fd)
    if not isinstance(file, MqueueFile):
        raise Errno(EBADF)
    queue = file.queue
    registered = queue.notification
    if registered is not None and registered[0].zombie:
        registered = queue.notification = None
    if not event:
        if registered is not None and registered[0] is task.group:
            queue.notification = None
        return
    value, signo, how = struct.unpack("<QiI", task.copy_in(event, 16))
    if how not in (SIGEV_NONE, SIGEV_SIGNAL) or (how == SIGEV_SIGNAL and not 1 <= signo <= 64):
        raise Errno(EINVAL)
    if registered is not None:
        raise Errno(EBUSY)
    group = task.group

    def tell(sender):
        if how == SIGEV_SIGNAL and not group.zombie:
            send_to_group(group, kill_info(signo, SI_MESGQ, sender.group.pid, sender.creds.uid, value))

    queue.notification = group, tell


@syscall(245)
def sys_mq_getsetattr(task, fd: Fd, new: Ptr, old: Out):
    """mq_getattr(3) and mq_setattr(3): only O_NONBLOCK can change."""
    attr = ATTR.unpack(task.copy_in(new, ATTR.size)) if new else None
    if attr and attr[0] & ~O_NONBLOCK:
        raise Errno(EINVAL)
    file = task.files.get(fd)
    if not isinstance(file, MqueueFile):
        raise Errno(EBADF)
    queue = file.queue
    before = ATTR.pack(file.flags & O_NONBLOCK, queue.max_messages, queue.message_size, len(queue.messages))
    if attr:
        file.flags = file.flags & ~O_NONBLOCK | attr[0]
    if old:
        task.copy_out(old, before)
