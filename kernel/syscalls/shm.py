# SPDX-License-Identifier: Apache-2.0
"""shmget, shmat, shmdt, shmctl: System V shared memory."""

import struct

from kernel.abi.errno import EINVAL, ENOMEM, EPERM, Errno
from kernel.abi.mm import MAP_FIXED, MAP_SHARED, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE
from kernel.abi.task import CAP_IPC_LOCK, RLIMIT_MEMLOCK
from kernel.ipc import ids, shm
from kernel.mm import map as mapping
from kernel.mm.order import order, put_back, soft_limit, unmap_call
from kernel.syscalls.kinds import Int, Ptr, Size, ULong
from kernel.syscalls.table import syscall

SHM_HUGETLB = 0o4000
SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
SHM_LOCK, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY = 11, 12, 13, 14, 15
SHMMAX = (1 << 64) - 1 - (1 << 24)
MAX_SIZE = 1 << 46
DS_SIZE = 112


def segments(task):
    """The segments of the task's namespace."""
    table = ids.table(task, "shm", shm.SHMMNI)
    shm.sweep(table)
    return table


@syscall(29)
def sys_shmget(task, key: Int, size: Size, flags: Int):
    """shmget(2): the segment of a key, or a new one."""

    def check(segment):
        if size > segment.size:
            raise Errno(EINVAL)

    def make():
        if not 0 < size <= SHMMAX:
            raise Errno(EINVAL)
        if flags & SHM_HUGETLB or size > MAX_SIZE:
            raise Errno(ENOMEM)
        return shm.Segment(task, key, size, flags)

    return segments(task).get(key, flags, task.creds, check, make).id


@syscall(30)
def sys_shmat(task, shmid: Int, addr: ULong, flags: Int):
    """shmat(2): map a segment."""
    mm = task.mm
    addr, fixed = attach_address(addr, flags)
    segment = segments(task).find(shmid)
    segment.check(task.creds, 0o444 if flags & SHM_RDONLY else 0o666)
    prot = PROT_READ | (0 if flags & SHM_RDONLY else PROT_WRITE) | (PROT_EXEC if flags & SHM_EXEC else 0)
    length = mapping.page_align(segment.size)
    if fixed and not flags & SHM_REMAP and mm.find_intersection(addr, addr + length) is not None:
        raise Errno(EINVAL)
    file = segment.open(bool(flags & SHM_RDONLY))
    try:
        start, calls = mapping.mmap(task, addr, length, prot, MAP_SHARED | (MAP_FIXED if fixed else 0), file, 0)
    finally:
        file.put()
    segment.atime, segment.lpid = shm.now(task), task.group.pid

    def failed(task, results):
        put_back(mm, start, start + length, [])
        return order(task, [unmap_call(start, start + length)], results[-1][1])

    return order(task, calls, start, failed)


def attach_address(addr, flags):
    """(address, whether it is fixed); EINVAL."""
    if not addr:
        if flags & SHM_REMAP:
            raise Errno(EINVAL)
        return 0, False
    if addr % PAGE_SIZE:
        if not flags & SHM_RND:
            raise Errno(EINVAL)
        addr -= addr % PAGE_SIZE
        if not addr and flags & SHM_REMAP:
            raise Errno(EINVAL)
    return addr, True


@syscall(67)
def sys_shmdt(task, addr: ULong):
    """shmdt(2): unmap what shmat mapped at addr."""
    mm = task.mm
    first = next((vma for vma in mm.overlapping(addr, mm.high) if is_attachment(vma, addr)), None)
    if addr % PAGE_SIZE or first is None:
        raise Errno(EINVAL)
    file = first.file
    for segment in ids.table(task, "shm", shm.SHMMNI).objects.values():
        if segment.inode is file.inode:
            segment.dtime, segment.lpid = shm.now(task), task.group.pid
    calls = []
    for vma in mm.overlapping(addr, addr + mapping.page_align(file.inode.size)):
        if vma.file is file and is_attachment(vma, addr):
            calls += mapping.unmap(mm, task, vma.start, vma.end)[0]
    return order(task, calls, 0)


def is_attachment(vma, addr):
    """A mapping of a segment that was attached at addr, or what is left of it."""
    return vma.file is not None and vma.file.inode.fs is shm.segments_fs and vma.start - vma.offset == addr


@syscall(31)
def sys_shmctl(task, shmid: Int, command: Int, buf: Ptr):
    """shmctl(2)."""
    command &= ~ids.IPC_64
    table = segments(task)
    if command < 0 or shmid < 0:
        raise Errno(EINVAL)
    if command == ids.IPC_INFO:
        task.copy_out(buf, struct.pack("<9Q", SHMMAX, 1, shm.SHMMNI, shm.SHMMNI, SHMMAX, 0, 0, 0, 0))
        return table.highest()
    if command == SHM_INFO:
        pages = sum(mapping.page_align(segment.size) // PAGE_SIZE for segment in table.objects.values())
        task.copy_out(buf, struct.pack("<i4xQQQQQ", len(table.objects), pages, pages, 0, 0, 0))
        return table.highest()
    if command in (SHM_STAT, SHM_STAT_ANY):
        return stat(task, table.at(shmid), buf, command == SHM_STAT, True)
    segment = table.find(shmid)
    if command == ids.IPC_STAT:
        return stat(task, segment, buf, True, False)
    return change(task, table, segment, command, buf)


def stat(task, segment, buf, checked, by_index):
    """IPC_STAT, SHM_STAT (answers the identifier), SHM_STAT_ANY (needs no permission)."""
    if checked:
        segment.check(task.creds, 0o444)
    task.copy_out(buf, segment.pack())
    return segment.id if by_index else 0


def change(task, table, segment, command, buf):
    """IPC_SET, IPC_RMID, SHM_LOCK, SHM_UNLOCK."""
    creds = task.creds
    if command == ids.IPC_SET:
        data = task.copy_in(buf, DS_SIZE)
        segment.check_owner(creds)
        segment.set_perm(data)
        segment.ctime = shm.now(task)
    elif command == ids.IPC_RMID:
        segment.check_owner(creds)
        segment.mark_removed(table)
        shm.sweep(table)
    elif command in (SHM_LOCK, SHM_UNLOCK):
        if not creds.capable(CAP_IPC_LOCK):
            segment.check_owner(creds)
            if command == SHM_LOCK and not soft_limit(task, RLIMIT_MEMLOCK):
                raise Errno(EPERM)
        segment.mode = segment.mode & ~shm.SHM_LOCKED | (shm.SHM_LOCKED if command == SHM_LOCK else 0)
    else:
        raise Errno(EINVAL)
    return 0
