# SPDX-License-Identifier: Apache-2.0
"""Access times, by the rules of relatime, noatime and O_NOATIME (mount(2), open(2)).

For file systems that keep their inodes in memory: the time is stored in the inode and nowhere else.
"""

from kernel.abi.fs cimport MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_STRICTATIME, O_NOATIME, S_IFDIR, S_IFMT

from fs.vfs.inode cimport Inode, now_ns
from fs.vfs.path cimport Path

cdef long long DAY_NS = 86400000000000


cdef touch_atime(File file):
    """The file was read. Relatime: only if it was changed since the last access, or that was a day ago."""
    cdef Inode inode = file.inode
    cdef Path path = file.path
    cdef unsigned long mount_flags = 0 if path is None else path.mount.flags
    cdef long long now
    if file.flags & O_NOATIME or mount_flags & (MS_NOATIME | MS_RDONLY):
        return
    if mount_flags & MS_NODIRATIME and inode.mode & S_IFMT == S_IFDIR:
        return
    if inode.atime_ns > inode.mtime_ns and inode.atime_ns > inode.ctime_ns and not mount_flags & MS_STRICTATIME:
        now = now_ns()
        if now - inode.atime_ns < DAY_NS:
            return
    inode.atime_ns = now_ns()
