# SPDX-License-Identifier: Apache-2.0
"""mremap(2) and remap_file_pages(2) on the VMA tree.

A move that also grows is two host calls: the new tail is mapped first, then the old pages are moved before it, so that a refusal of the
host leaves the old pages where they were. Growth in place and copies of shared memory map the file again; only moves need mremap.
A move to a fixed address that keeps the size may span several mappings and the gaps between them, as since Linux 6.17.
"""

from kernel.abi.errno import EAGAIN, EFAULT, EINVAL, ENOMEM, Errno
from kernel.abi.mm import (
    HOST_MREMAP,
    MAP_FIXED,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PAGE_SIZE,
)
from kernel.abi.task import CAP_IPC_LOCK, RLIMIT_MEMLOCK
from kernel.mm.map import check_sealed, check_space, page_align, unmap
from kernel.mm.order import map_call, order, put_back, put_files, soft_limit, unmap_call


def mremap(task, old, old_length, new_length, flags, new):
    """The new address, or what order() returned."""
    mm = task.mm
    old_length, new_length = page_align(old_length), page_align(new_length)
    check_arguments(mm, old, old_length, new_length, flags, new)
    if flags & MREMAP_FIXED and old_length == new_length:
        return move_all(task, old, old_length, flags, new)
    vma = mm.find(old)
    if vma is None:
        raise Errno(EFAULT)
    check_sealed(mm, old, old + max(old_length, 1))
    if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP):
        return move_to(task, vma, old, old_length, new_length, flags, new)
    if old_length >= new_length:
        return shrink(task, old, old_length, new_length)
    check_resize(task, vma, old, old_length, new_length, flags)
    if old_length == vma.end - old and old_length and fits_behind(task, vma, new_length - old_length):
        return grow(task, vma, new_length - old_length, old)
    if not flags & MREMAP_MAYMOVE:
        raise Errno(ENOMEM)
    return move(task, vma, old, old_length, new_length, flags, choose(task, new_length))


def check_arguments(mm, old, old_length, new_length, flags, new):
    """EINVAL for what has no meaning, before anything is looked up (check_mremap_params)."""
    fixed = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)
    if flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) or old % PAGE_SIZE or not 0 < new_length <= mm.high:
        raise Errno(EINVAL)
    if (fixed and not flags & MREMAP_MAYMOVE) or (flags & MREMAP_DONTUNMAP and old_length != new_length):
        raise Errno(EINVAL)
    if flags & MREMAP_FIXED and (new % PAGE_SIZE or new > mm.high - new_length or new < mm.low):
        raise Errno(EINVAL)
    if flags & MREMAP_FIXED and old + old_length > new and new + new_length > old:
        raise Errno(EINVAL)


def check_resize(task, vma, old, old_length, new_length, flags):
    """vma_to_resize: the old range lies in one VMA, and the new size is allowed."""
    mm = task.mm
    if old_length == 0 and not vma.flags & MAP_SHARED:
        raise Errno(EINVAL)
    if old_length > vma.end - old:
        raise Errno(EFAULT)
    growth = new_length if flags & MREMAP_DONTUNMAP else max(new_length - old_length, 0)
    if growth == 0:
        return
    if vma.locked and not task.creds.capable(CAP_IPC_LOCK) and mm.locked_vm + growth > soft_limit(task, RLIMIT_MEMLOCK):
        raise Errno(EAGAIN)
    check_space(mm, task, 0, growth, vma.prot, vma.flags)


def choose(task, length):
    """A free range; ENOMEM."""
    found = task.mm.find_gap(length, PAGE_SIZE, task)
    if not found:
        raise Errno(ENOMEM)
    return found


def fits_behind(task, vma, growth):
    """The pages right behind vma are free."""
    return vma.end + growth <= task.mm.high and task.mm.find_gap_up(growth, vma.end, vma.end + growth, task) == vma.end


def shrink(task, old, old_length, new_length):
    """Unmap the tail."""
    if old_length == new_length:
        return old
    start, end = old + new_length, old + old_length
    calls, gone = unmap(task.mm, task, start, end)
    return order(task, calls, old, lambda task, results: restore(task, [(start, end, gone)], [], results))


def grow(task, vma, growth, result):
    """Map more of the same behind vma."""
    mm = task.mm
    tail = vma.copy()
    tail.start, tail.end = vma.end, vma.end + growth
    tail.offset += vma.end - vma.start
    call = map_call(tail)
    start, end = tail.start, tail.end
    mm.insert(tail)
    return order(task, [call], result, lambda task, results: restore(task, [(start, end, [])], [], results))


def move_to(task, vma, old, old_length, new_length, flags, new):
    """mremap_to: to an address that the caller chose and with a new size, or with the old range left behind empty."""
    mm = task.mm
    check_resize(task, vma, old, min(old_length, new_length), new_length, flags)
    if flags & MREMAP_FIXED:
        check_sealed(mm, new, new + new_length)
    if flags & MREMAP_FIXED and new <= old < new + new_length:  # a copy over its own source: old_length is 0
        return order(task, unmap(mm, task, new, new + new_length)[0], -EFAULT)
    calls = []
    if old_length > new_length:
        calls, _ = unmap(mm, task, old + new_length, old + old_length)
        old_length = new_length
        vma = mm.find(old)
    if not flags & MREMAP_FIXED:
        new = choose(task, new_length)
    return move(task, vma, old, old_length, new_length, flags, new, calls)


def move_all(task, old, length, flags, new):
    """remap_move: each piece of a mapping in [old, old + length) as if it were alone; the first that can't be moved ends it."""
    mm = task.mm
    pieces = [(max(vma.start, old), min(vma.end, old + length)) for vma in mm.overlapping(old, old + length)]
    if not pieces or pieces[0][0] > old:
        raise Errno(EFAULT)
    result, moves = new, []
    for start, end in pieces:
        target = start - old + new
        try:
            check_sealed(mm, start, end)
            check_sealed(mm, target, target + end - start)
            check_resize(task, mm.find(start), start, end - start, end - start, flags)
        except Errno as error:
            if not moves:
                raise
            result = -error.number
            break
        moves.append(detach(task, mm.find(start), start, end - start, end - start, flags, target))
    return order(task, [call for calls, _ in moves for call in calls], result, lambda task, results: restore_moves(task, moves, results))


def move(task, vma, old, old_length, new_length, flags, new, calls=()):
    """The pages of [old, old + old_length), and a fresh tail, to new."""
    more, saved = detach(task, vma, old, old_length, new_length, flags, new)
    return order(task, [*calls, *more], new, lambda task, results: restore(task, saved, [unmap_call(new, new + new_length)], results))


def detach(task, vma, old, old_length, new_length, flags, new):
    """The move in the tree: the host calls, and what restore() needs."""
    mm = task.mm
    moved = vma.copy()
    moved.start, moved.end = new, new + new_length
    moved.offset += old - vma.start if vma.file is not None else 0
    calls = []
    if new_length > old_length:
        calls.append(tail_call(moved, old_length))
    if old_length:
        flags = MREMAP_MAYMOVE | MREMAP_FIXED | (flags & MREMAP_DONTUNMAP)
        calls.append((HOST_MREMAP, old, old_length, old_length, flags, new, 0))
    put_files(mm.cut(new, new + new_length))
    saved = [(new, new + new_length, [])]
    if old_length and not flags & MREMAP_DONTUNMAP:
        gone = mm.cut(old, old + old_length)
        saved.append((old, old + old_length, [piece.copy() for piece in gone if piece.file is None]))
        put_files(gone)
        mm.leave(task, old, old + old_length)
    mm.insert(moved)
    return calls, saved


def tail_call(moved, old_length):
    """The host's mmap of what lies behind the first old_length bytes."""
    tail = moved.copy()
    tail.start += old_length
    tail.offset += old_length if tail.file is not None else 0
    call = map_call(tail)
    put_files([tail])
    return call


def restore(task, saved, calls, results):
    """The host refused: the tree as it was; the error."""
    for start, end, vmas in saved:
        put_back(task.mm, start, end, vmas)
    return order(task, calls, results[-1][1])


def restore_moves(task, moves, results):
    """The host refused one of several moves: those before it stay as they are."""
    undone = moves[len(results) - 1 :]
    calls = [unmap_call(*saved[0][:2]) for _, saved in undone]
    return restore(task, [entry for _, saved in undone for entry in saved], calls, results)


def remap_file_pages(task, start, size, prot, page, flags):
    """remap_file_pages(2) as Linux emulates it: a new mapping of the same file over the old."""
    mm = task.mm
    start -= start % PAGE_SIZE
    size -= size % PAGE_SIZE
    end = start + size
    if prot or size == 0 or end > mm.high or page + size // PAGE_SIZE >= 1 << 51:
        raise Errno(EINVAL)
    vma = mm.find(start)
    if vma is None or not vma.flags & MAP_SHARED or not mm.covered(start, end):
        raise Errno(EINVAL)
    if any(other.file is not vma.file or other.flags != vma.flags for other in mm.overlapping(start, end)):
        raise Errno(EINVAL)
    check_space(mm, task, start, size, vma.prot, vma.flags | MAP_FIXED)
    fresh = vma.copy()
    fresh.start, fresh.end, fresh.offset = start, end, page * PAGE_SIZE
    call = map_call(fresh)
    put_files(mm.cut(start, end))
    mm.insert(fresh)
    return order(task, [call], 0, lambda task, results: restore(task, [(start, end, [])], [], results))
