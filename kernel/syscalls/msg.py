# SPDX-License-Identifier: Apache-2.0
"""msgget, msgsnd, msgrcv, msgctl: System V message queues."""

import struct

from kernel.abi.errno import E2BIG, EAGAIN, EIDRM, EINVAL, ENOMSG, EPERM, ERESTARTNOHAND, Errno
from kernel.abi.task import CAP_SYS_RESOURCE
from kernel.ipc import ids
from kernel.ipc.msg import MSG_EXCEPT, MSGMAX, MSGMNB, MSGMNI, MessageQueue
from kernel.ipc.sem import IPC_NOWAIT
from kernel.syscalls.kinds import Int, Long, Out, Ptr
from kernel.syscalls.sem import now
from kernel.syscalls.table import syscall

MSG_NOERROR, MSG_COPY = 0o10000, 0o40000
MSG_STAT, MSG_INFO, MSG_STAT_ANY = 11, 12, 13
DS_SIZE = 120
MAX_BYTES_OFFSET = 88
TYPE_SIZE = 8


def queues(task):
    """The queues of the task's namespace."""
    return ids.table(task, "msg", MSGMNI)


@syscall(68)
def sys_msgget(task, key: Int, flags: Int):
    """msgget(2): the queue of a key, or a new one."""
    make = lambda: MessageQueue(task.creds, key, flags, now(task))
    return queues(task).get(key, flags, task.creds, lambda queue: None, make).id


def the_queue(task, msqid, wanted):
    """The queue of this call, looked up by its first attempt; EIDRM if it was removed meanwhile."""
    if task.progress is None:
        queue = queues(task).find(msqid)
        queue.check(task.creds, wanted)
        task.progress = queue
    if task.progress.removed:
        raise Errno(EIDRM)
    return task.progress


@syscall(69)
def sys_msgsnd(task, msqid: Int, message: Ptr, size: Long, flags: Int):
    """msgsnd(2)."""
    if not 0 <= size <= MSGMAX or msqid < 0:
        raise Errno(EINVAL)
    data = task.copy_in(message, TYPE_SIZE + size)
    kind = int.from_bytes(data[:TYPE_SIZE], "little", signed=True)
    if kind < 1:
        raise Errno(EINVAL)
    queue = the_queue(task, msqid, 0o222)
    if not queue.has_room(size):
        if flags & IPC_NOWAIT:
            raise Errno(EAGAIN)
        task.wait_on(queue.senders)
        return task.block(-1, ERESTARTNOHAND)
    queue.put(kind, data[TYPE_SIZE:], task.group.pid, now(task))
    return 0


@syscall(70)
def sys_msgrcv(task, msqid: Int, message: Out, size: Long, kind: Long, flags: Int):
    """msgrcv(2)."""
    if size < 0 or msqid < 0:
        raise Errno(EINVAL)
    if flags & MSG_COPY and (flags & MSG_EXCEPT or not flags & IPC_NOWAIT):
        raise Errno(EINVAL)
    queue = the_queue(task, msqid, 0o444)
    if flags & MSG_COPY:
        index = kind if 0 <= kind < len(queue.messages) else None
    else:
        index = queue.find(kind, flags)
    if index is None:
        if flags & IPC_NOWAIT:
            raise Errno(ENOMSG)
        task.wait_on(queue.receivers)
        return task.block(-1, ERESTARTNOHAND)
    found, text = queue.messages[index]
    if len(text) > size and not flags & MSG_NOERROR:
        raise Errno(E2BIG)
    task.copy_out(message, found.to_bytes(TYPE_SIZE, "little") + text[:size])
    if not flags & MSG_COPY:
        queue.take(index, task.group.pid, now(task))
    return min(len(text), size)


@syscall(71)
def sys_msgctl(task, msqid: Int, command: Int, buf: Ptr):
    """msgctl(2)."""
    command &= ~ids.IPC_64
    table = queues(task)
    if msqid < 0 or command < 0:
        raise Errno(EINVAL)
    if command in (ids.IPC_INFO, MSG_INFO):
        return info(task, table, command, buf)
    if command in (MSG_STAT, MSG_STAT_ANY, ids.IPC_STAT):
        queue = table.find(msqid) if command == ids.IPC_STAT else table.at(msqid)
        if command != MSG_STAT_ANY:
            queue.check(task.creds, 0o444)
        task.copy_out(buf, queue.pack())
        return 0 if command == ids.IPC_STAT else queue.id
    queue = table.find(msqid)
    if command == ids.IPC_RMID:
        queue.check_owner(task.creds)
        queue.mark_removed(table)
        return 0
    if command == ids.IPC_SET:
        return change(task, queue, task.copy_in(buf, DS_SIZE))
    raise Errno(EINVAL)


def info(task, table, command, address):
    """IPC_INFO: the limits; MSG_INFO: what is in use."""
    values = [MSGMNI * MSGMNB // 1024, MSGMNB, MSGMAX, MSGMNB, MSGMNI, 16, MSGMNB]
    if command == MSG_INFO:
        objects = table.objects.values()
        values[0], values[1] = len(objects), sum(len(queue.messages) for queue in objects)
        values[6] = sum(queue.nr_bytes for queue in objects)
    task.copy_out(address, struct.pack("<7iH2x", *values, 0xFFFF))
    return table.highest()


def change(task, queue, data):
    """IPC_SET: owner, mode and the most bytes that it may hold."""
    queue.check_owner(task.creds)
    max_bytes = int.from_bytes(data[MAX_BYTES_OFFSET : MAX_BYTES_OFFSET + 8], "little")
    if max_bytes > MSGMNB and not task.creds.capable(CAP_SYS_RESOURCE):
        raise Errno(EPERM)
    queue.max_bytes = max_bytes
    queue.set_perm(data)
    queue.ctime = now(task)
    queue.senders.wake()
    queue.receivers.wake()
    return 0
