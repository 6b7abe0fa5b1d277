# SPDX-License-Identifier: Apache-2.0
"""Growth of the main stack beyond what execve mapped: MAP_GROWSDOWN memory grows by faults, up to RLIMIT_STACK (mm/vma.c: expand_stack).

Other MAP_GROWSDOWN mappings grow likewise.
"""

from kernel.abi.errno import Errno
from kernel.abi.mm import MAP_GROWSDOWN, PAGE_SIZE
from kernel.abi.task import RLIMIT_STACK
from kernel.mm.map import check_space
from kernel.mm.mm import VMA
from kernel.mm.order import map_call, soft_limit

STEP = 1 << 20
STACK_GUARD_GAP = 1 << 20


def grow(task, address):
    """A fault at address, where nothing is mapped: the host calls that extend the stack above it, or None if no stack may grow there."""
    mm = task.mm
    if mm is None or not mm.low <= address < mm.high or mm.find(address) is not None:
        return None
    above = mm.find_intersection(address, mm.high)
    if above is None or not above.flags & MAP_GROWSDOWN:
        return None
    start, end = address - address % PAGE_SIZE, above.start
    floor = max(above.end - soft_limit(task, RLIMIT_STACK), mm.low)
    below = mm.vmas[mm.vmas.index(above) - 1] if above is not mm.vmas[0] else None
    if below is not None and below.prot:
        floor = max(floor, below.end + STACK_GUARD_GAP)
    if start < floor:
        return None
    start = max(floor + -floor % PAGE_SIZE, min(start, end - STEP))
    try:
        check_space(mm, task, start, end - start, above.prot, above.flags)
    except Errno:
        return None
    more = VMA(start, end, above.prot, above.flags, None, 0, above.may)
    more.name, more.advice = above.name, above.advice
    call = map_call(more)
    mm.insert(more)
    return [call]
