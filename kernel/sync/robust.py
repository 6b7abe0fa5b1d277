# SPDX-License-Identifier: Apache-2.0
"""Robust futexes: what happens to the locks of a task that dies (Documentation/locking/robust-futexes.rst).

The list lies in guest memory and is as hostile as everything there: its length is bounded, every pointer is read once. Waiters
sleep in native host futexes, of which the kernel knows nothing: everybody who may wait on a changed word is interrupted and looks
at it again.
Locks held by a process whose memory is already gone stay locked.
"""

from kernel.abi.errno import Errno
from kernel.abi.mm import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, MAP_SHARED
from kernel.sync import futex_pi

ROBUST_LIST_LIMIT = 2048
HEAD_SIZE = 24
WORD = 1 << 64


def exit_robust_list(task):
    """The task dies or executes a new program: mark the locks of its list, and what it holds of priority-inheriting ones."""
    try:
        words = walk(task) if task.robust_list else []
    except Errno:
        words = []
    if words:
        interrupt_waiters(task, words)
    futex_pi.owner_died(task)


def walk(task):
    """Mark every lock of the list that the task holds; returns the addresses of the words that changed."""
    head = task.robust_list
    fields = task.copy_in(head, HEAD_SIZE)
    entry, offset, pending = (int.from_bytes(fields[at : at + 8], "little") for at in (0, 8, 16))
    changed = []
    for _ in range(ROBUST_LIST_LIMIT):
        address = entry & ~1
        if address == head:
            break
        following = int.from_bytes(task.copy_in_some(address, 8).ljust(8, b"\0"), "little")
        if entry != pending:
            mark(task, (address + offset) % WORD, changed, False)
        if following & ~1 == 0:
            break
        entry = following
    if pending:
        mark(task, ((pending & ~1) + offset) % WORD, changed, True)
    return changed


def mark(task, address, changed, pending):
    """handle_futex_death: the owner of this word died."""
    if address % 4:
        return
    data = task.copy_in_some(address, 4)
    if len(data) < 4:
        return
    word = int.from_bytes(data, "little")
    if word & FUTEX_TID_MASK != task.tid:
        if pending and word == 0:
            changed.append(address)
        return
    task.copy_out_some(address, (word & FUTEX_WAITERS | FUTEX_OWNER_DIED).to_bytes(4, "little"))
    changed.append(address)


def interrupt_waiters(task, addresses):
    """Make all who share the changed words leave their futex waits for a look."""
    files = set()
    for address in addresses:
        vma = task.mm.find(address)
        if vma is not None and vma.flags & MAP_SHARED and vma.file is not None:
            files.add(vma.file.inode)
    for other in list(task.kernel.tasks.values()):
        if other is task or other.mm is None:
            continue
        if other.mm is task.mm or (files and maps_any(other.mm, files)):
            task.kernel.kick(other)


def maps_any(mm, files):
    """The address space maps one of the files."""
    return any(vma.file is not None and (vma.file.inode) in files for vma in mm.vmas)
