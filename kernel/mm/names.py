# SPDX-License-Identifier: Apache-2.0
"""Names of anonymous memory: prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME), shown as [anon:name] in /proc/self/maps."""

from kernel.abi.errno import EBADF, EINVAL, ENAMETOOLONG, ENOMEM, Errno
from kernel.abi.mm import PAGE_SIZE
from kernel.mm.map import page_align

ANON_NAME_MAX = 80
FORBIDDEN = b"\\`$[]"


def set_anon_name(task, start, length, address):
    """Name [start, start + length) by the string at address; NULL takes the name away. Memory of files has none: EBADF."""
    mm = task.mm
    name = copy_name(task, address) if address else None
    end = start + page_align(length)
    if start % PAGE_SIZE or end >= 1 << 64 or (length and end == start):
        raise Errno(EINVAL)
    if end == start:
        return 0
    if any(vma.file is not None for vma in mm.overlapping(start, end)):
        raise Errno(EBADF)
    covered = mm.covered(start, end)
    for vma in mm.isolate(start, end):
        vma.name = name
    mm.merge(start, end)
    if not covered:
        raise Errno(ENOMEM)
    return 0


def copy_name(task, address):
    """At most 79 printable characters, none of which could confuse a reader of maps."""
    try:
        text = task.copy_in_string(address, ANON_NAME_MAX - 1)
    except Errno as error:
        raise Errno(EINVAL if error.number == ENAMETOOLONG else error.number) from None
    if any(not 0x20 <= byte <= 0x7E or byte in FORBIDDEN for byte in text):
        raise Errno(EINVAL)
    return text.decode("ascii")
