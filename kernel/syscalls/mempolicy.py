# SPDX-License-Identifier: Apache-2.0
"""Memory policies of a machine with one node: set_mempolicy, get_mempolicy, mbind, move_pages, migrate_pages.

Policies are checked and remembered, but there is only node 0 to take memory from.
"""

import struct

from kernel.abi.errno import E2BIG, EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH, Errno
from kernel.abi.mm import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_MEMS_ALLOWED,
    MPOL_F_NODE,
    MPOL_F_NUMA_BALANCING,
    MPOL_F_RELATIVE_NODES,
    MPOL_F_STATIC_NODES,
    MPOL_INTERLEAVE,
    MPOL_LOCAL,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_STRICT,
    MPOL_PREFERRED,
    MPOL_PREFERRED_MANY,
    PAGE_SIZE,
)
from kernel.abi.task import CAP_SYS_NICE
from kernel.mm.map import page_align
from kernel.syscalls.access import may_access
from kernel.syscalls.kinds import Int, Out, Ptr, ULong
from kernel.syscalls.table import missing, syscall

MODE_FLAGS = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING
MODES = (MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY)
MAX_MASK_BITS = PAGE_SIZE * 8
NODE_0 = 1
MAX_PAGES = 65536


def copy_mask(task, address, maxnode):
    """A node mask; EINVAL for one that is too long or names nodes that don't exist."""
    if not address or maxnode <= 1:
        return 0
    bits = maxnode - 1
    if bits > MAX_MASK_BITS:
        raise Errno(EINVAL)
    mask = int.from_bytes(task.copy_in(address, (bits + 63) // 64 * 8), "little") & (1 << bits) - 1
    if mask & ~NODE_0:
        raise Errno(EINVAL)
    return mask


def check_policy(mode, mask):
    """(mode, flags, mask) of a policy, or None for the default; EINVAL."""
    flags, mode = mode & MODE_FLAGS, mode & ~MODE_FLAGS
    if mode not in MODES or (flags & MPOL_F_STATIC_NODES and flags & MPOL_F_RELATIVE_NODES):
        raise Errno(EINVAL)
    if mode in (MPOL_DEFAULT, MPOL_LOCAL):
        if mask or flags:
            raise Errno(EINVAL)
        return None if mode == MPOL_DEFAULT else (mode, 0, 0)
    if not mask and (mode != MPOL_PREFERRED or flags):
        raise Errno(EINVAL)
    return (mode, flags, mask) if mask else (MPOL_LOCAL, 0, 0)


@syscall(238)
def sys_set_mempolicy(task, mode: Int, nodemask: Ptr, maxnode: ULong):
    """set_mempolicy(2)."""
    task.sched = task.sched.changed(mempolicy=check_policy(mode, copy_mask(task, nodemask, maxnode)))


@syscall(239)
def sys_get_mempolicy(task, mode: Out, nodemask: Out, maxnode: ULong, addr: ULong, flags: ULong):
    """get_mempolicy(2)."""
    if flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) or (nodemask and maxnode < 1):
        raise Errno(EINVAL)
    policy, mask = (MPOL_DEFAULT, 0, 0), 0
    if flags & MPOL_F_MEMS_ALLOWED:
        if flags & (MPOL_F_NODE | MPOL_F_ADDR):
            raise Errno(EINVAL)
        mask = NODE_0
    elif flags & MPOL_F_ADDR:
        if task.mm.find(addr) is None:
            raise Errno(EFAULT)
    elif addr:
        raise Errno(EINVAL)
    else:
        policy = task.sched.mempolicy or policy
        mask = policy[2]
        if flags & MPOL_F_NODE and policy[0] != MPOL_INTERLEAVE:
            raise Errno(EINVAL)
    shown = 0 if flags & MPOL_F_NODE else policy[0] | policy[1]
    if mode:
        task.copy_out(mode, shown.to_bytes(4, "little"))
    if nodemask:
        size = min((maxnode - 1 + 63) // 64 * 8, MAX_MASK_BITS // 8)
        task.copy_out(nodemask, mask.to_bytes(8, "little")[:size].ljust(size, b"\0"))


@syscall(237)
def sys_mbind(task, addr: ULong, length: ULong, mode: ULong, nodemask: Ptr, maxnode: ULong, flags: ULong):
    """mbind(2): checked; there is no other node to prefer."""
    if flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) or addr % PAGE_SIZE:
        raise Errno(EINVAL)
    if flags & MPOL_MF_MOVE_ALL and not task.creds.capable(CAP_SYS_NICE):
        raise Errno(EPERM)
    check_policy(mode, copy_mask(task, nodemask, maxnode))
    end = addr + page_align(length)
    if end >= 1 << 64:
        raise Errno(EINVAL)
    if end > addr and not task.mm.covered(addr, end):
        raise Errno(EFAULT)


@syscall(450)
def sys_set_mempolicy_home_node(task, addr: ULong, length: ULong, home_node: ULong, flags: ULong):
    """set_mempolicy_home_node(2): no range has a policy that a home node could be added to."""
    if flags or addr % PAGE_SIZE or home_node:
        raise Errno(EINVAL)
    if length:
        raise Errno(ENOENT)


def target(task, pid):
    """The task whose pages are meant."""
    other = task.kernel.tasks.get(pid) if pid else task
    if other is None or other.mm is None:
        raise Errno(ESRCH)
    if not may_access(task, other):
        raise Errno(EPERM)
    return other


@syscall(256)
def sys_migrate_pages(task, pid: Int, maxnode: ULong, old_nodes: Ptr, new_nodes: Ptr):
    """migrate_pages(2): nothing has to move."""
    copy_mask(task, old_nodes, maxnode)
    new = copy_mask(task, new_nodes, maxnode)
    target(task, pid)
    if not new:
        raise Errno(EINVAL)
    return 0


@syscall(279)
def sys_move_pages(task, pid: Int, count: ULong, pages: Ptr, nodes: Ptr, status: Out, flags: Int):
    """move_pages(2): every page is on node 0."""
    if flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL):
        raise Errno(EINVAL)
    if flags & MPOL_MF_MOVE_ALL and not task.creds.capable(CAP_SYS_NICE):
        raise Errno(EPERM)
    other = target(task, pid)
    if count > MAX_PAGES:
        raise Errno(E2BIG)
    addresses = struct.unpack(f"<{count}Q", task.copy_in(pages, 8 * count)) if count else ()
    if nodes and any(struct.unpack(f"<{count}i", task.copy_in(nodes, 4 * count))):
        raise Errno(ENODEV)
    answers = [0 if other.mm.find(address) is not None else -EFAULT for address in addresses]
    if answers:
        task.copy_out(status, struct.pack(f"<{count}i", *answers))


missing(323, "userfaultfd", "page faults are the host's")
