# SPDX-License-Identifier: Apache-2.0
"""semget, semop, semtimedop, semctl: System V semaphores."""

import struct

from kernel.abi.errno import E2BIG, EAGAIN, EFBIG, EIDRM, EINTR, EINVAL, ERANGE, ERESTARTNOHAND, Errno
from kernel.ipc import ids
from kernel.ipc.sem import IPC_NOWAIT, SEMAEM, SEMVMX, Blocked, SemaphoreSet
from kernel.syscalls.kinds import Int, Ptr, UInt, ULong
from kernel.syscalls.table import syscall
from kernel.syscalls.time import read_timespec

SEMMSL, SEMMNI, SEMOPM = 32000, 32000, 500
GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL = 11, 12, 13, 14, 15, 16, 17
SEM_STAT, SEM_INFO, SEM_STAT_ANY = 18, 19, 20
DS_SIZE = 104
OPERATION = struct.Struct("<HhH")


def sets(task):
    """The sets of the task's namespace."""
    return ids.table(task, "sem", SEMMNI)


def now(task):
    """Seconds since the epoch."""
    return task.kernel.clock.realtime_ns() // 1000000000


@syscall(64)
def sys_semget(task, key: Int, count: Int, flags: Int):
    """semget(2): the set of a key, or a new one."""
    if not 0 <= count <= SEMMSL:
        raise Errno(EINVAL)

    def check(semaphores):
        if count > len(semaphores.values):
            raise Errno(EINVAL)

    def make():
        if not count:
            raise Errno(EINVAL)
        return SemaphoreSet(task.creds, key, flags, count, now(task))

    return sets(task).get(key, flags, task.creds, check, make).id


@syscall(65)
def sys_semop(task, semid: Int, operations: Ptr, count: UInt):
    """semop(2)."""
    return operate(task, semid, operations, count, 0)


@syscall(220)
def sys_semtimedop(task, semid: Int, operations: Ptr, count: UInt, timeout: Ptr):
    """semtimedop(2)."""
    return operate(task, semid, operations, count, timeout)


class Request:
    """What the first attempt of a semop has read."""

    def __init__(self, semaphores, operations, deadline_ns):
        self.semaphores = semaphores
        self.operations = operations
        self.deadline_ns = deadline_ns


def read_request(task, semid, address, count, timeout):
    """Check and fetch everything once."""
    if count < 1 or semid < 0:
        raise Errno(EINVAL)
    if count > SEMOPM:
        raise Errno(E2BIG)
    operations = list(OPERATION.iter_unpack(task.copy_in(address, count * OPERATION.size)))
    deadline = task.kernel.clock.monotonic_ns() + read_timespec(task, timeout) if timeout else -1
    semaphores = sets(task).find(semid)
    if max(number for number, _, _ in operations) >= len(semaphores.values):
        raise Errno(EFBIG)
    semaphores.check(task.creds, 0o222 if any(change for _, change, _ in operations) else 0o444)
    return Request(semaphores, operations, deadline)


def operate(task, semid, address, count, timeout):
    """One attempt."""
    if task.progress is None:
        task.progress = read_request(task, semid, address, count, timeout)
    request = task.progress
    semaphores = request.semaphores
    semaphores.sleepers.pop(task, None)
    if semaphores.removed:
        raise Errno(EIDRM)
    try:
        semaphores.operate(task.group, request.operations, now(task))
    except Blocked as blocked:
        return wait(task, request, blocked.operation)
    return 0


def wait(task, request, operation):
    """Until the set changes; a handler that runs ends it, whatever SA_RESTART says."""
    semaphores = request.semaphores
    if operation[2] & IPC_NOWAIT or task.timed_out or 0 <= request.deadline_ns <= task.kernel.clock.monotonic_ns():
        raise Errno(EAGAIN)

    def interrupted(task):
        semaphores.sleepers.pop(task, None)
        return -EINTR

    semaphores.sleepers[task] = operation
    task.wait_on(semaphores.waiters)
    return task.block(request.deadline_ns, ERESTARTNOHAND, interrupted)


@syscall(66)
def sys_semctl(task, semid: Int, number: Int, command: Int, argument: ULong):
    """semctl(2)."""
    command &= ~ids.IPC_64
    table = sets(task)
    if semid < 0:
        raise Errno(EINVAL)
    if command in (ids.IPC_INFO, SEM_INFO):
        return info(task, table, command, argument)
    if command in (SEM_STAT, SEM_STAT_ANY):
        semaphores = table.at(semid)
        if command == SEM_STAT:
            semaphores.check(task.creds, 0o444)
        task.copy_out(argument, semaphores.pack())
        return semaphores.id
    semaphores = table.find(semid)
    if command in (ids.IPC_SET, ids.IPC_RMID):
        return change(task, table, semaphores, command, argument)
    if command in (SETVAL, SETALL):
        return assign(task, semaphores, number, command, argument)
    semaphores.check(task.creds, 0o444)
    if command == ids.IPC_STAT:
        task.copy_out(argument, semaphores.pack())
        return 0
    if command == GETALL:
        task.copy_out(argument, struct.pack(f"<{len(semaphores.values)}H", *semaphores.values))
        return 0
    return ask(semaphores, number, command)


def info(task, table, command, address):
    """IPC_INFO: the limits; SEM_INFO: what is in use as well."""
    objects = table.objects.values()
    used, last = (len(objects), sum(len(item.values) for item in objects)) if command == SEM_INFO else (20, SEMAEM)
    limits = (SEMMNI * SEMMSL, SEMMNI, SEMMNI * SEMMSL, SEMMNI * SEMMSL, SEMMSL, SEMOPM, SEMOPM, used, SEMVMX, last)
    task.copy_out(address, struct.pack("<10i", *limits))
    return table.highest()


def change(task, table, semaphores, command, address):
    """IPC_SET, IPC_RMID."""
    data = task.copy_in(address, DS_SIZE) if command == ids.IPC_SET else b""
    semaphores.check_owner(task.creds)
    if command == ids.IPC_RMID:
        semaphores.mark_removed(table)
    else:
        semaphores.set_perm(data)
        semaphores.ctime = now(task)
    return 0


def assign(task, semaphores, number, command, argument):
    """SETVAL, SETALL."""
    count = len(semaphores.values)
    if command == SETALL:
        semaphores.check(task.creds, 0o222)
        values = dict(enumerate(struct.unpack(f"<{count}H", task.copy_in(argument, 2 * count))))
    else:
        value = argument & 0xFFFFFFFF
        if not 0 <= number < count:
            raise Errno(EINVAL)
        if value > SEMVMX:
            raise Errno(ERANGE)
        semaphores.check(task.creds, 0o222)
        values = {number: value}
    if max(values.values()) > SEMVMX:
        raise Errno(ERANGE)
    semaphores.assign(values, task.group.pid, now(task))
    return 0


def ask(semaphores, number, command):
    """GETVAL, GETPID, GETNCNT, GETZCNT."""
    if command not in (GETVAL, GETPID, GETNCNT, GETZCNT) or not 0 <= number < len(semaphores.values):
        raise Errno(EINVAL)
    if command == GETVAL:
        return semaphores.values[number]
    if command == GETPID:
        return semaphores.pids[number]
    return semaphores.nr_waiting(number, command == GETZCNT)
