# SPDX-License-Identifier: Apache-2.0
"""memfd_create(2)."""

from fs.tmpfs.memfd import MAX_NAME, new_memfd
from kernel.abi.errno import EINVAL, ENAMETOOLONG, ENODEV, Errno
from kernel.abi.fs import MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGETLB, MFD_NOEXEC_SEAL
from kernel.syscalls.kinds import Ptr, UInt
from kernel.syscalls.table import syscall

HUGE_SIZE_SHIFT = 26


@syscall(319)
def sys_memfd_create(task, name: Ptr, flags: UInt):
    """memfd_create(2). Huge pages are not given out: MFD_HUGETLB is ENODEV."""
    known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC
    if flags & MFD_HUGETLB:
        if flags & ~(known | MFD_HUGETLB | 0x3F << HUGE_SIZE_SHIFT):
            raise Errno(EINVAL)
        raise Errno(ENODEV)
    if flags & ~known or (flags & MFD_EXEC and flags & MFD_NOEXEC_SEAL):
        raise Errno(EINVAL)
    try:
        text = task.copy_in_string(name, MAX_NAME)
    except Errno as error:
        raise Errno(EINVAL if error.number == ENAMETOOLONG else error.number) from None
    task.files.require_room()
    file = new_memfd(text, task.creds, bool(flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)), bool(flags & MFD_NOEXEC_SEAL))
    return task.files.install(file, bool(flags & MFD_CLOEXEC))
