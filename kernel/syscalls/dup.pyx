# SPDX-License-Identifier: Apache-2.0
"""dup(2), and what programs ask fcntl(2) and ioctl(2) for all the time; the rest of those two is descriptor.py's."""

from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode
from kernel.abi.errno cimport EBADF, EINVAL, ENOTTY
from kernel.abi.fs cimport (
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, FD_CLOEXEC, FIOCLEX, FIONCLEX, O_CLOEXEC, O_PATH, S_IFDIR, S_IFMT, S_IFREG,
)
from kernel.abi.task cimport RLIMIT_NOFILE
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task

from kernel.syscalls.descriptor import fcntl, ioctl

cdef enum:
    HIGHEST_LIMIT = 0x7fffffff
    TCGETS = 0x5401


cdef long sys_dup(Task task, const unsigned long *args) except? -1:
    """dup(2)."""
    cdef File file = (<FdTable> task.files).find(<int> args[0])
    return -EBADF if file is None else install(task, file, False, 0)


cdef long sys_dup2(Task task, const unsigned long *args) except? -1:
    """dup2(2): the same descriptor twice is no error."""
    cdef int old = <int> args[0], new = <int> args[1]
    cdef File file = (<FdTable> task.files).find(old)
    if file is None:
        return -EBADF
    return new if old == new else install_at(task, new, file, False)


cdef long sys_dup3(Task task, const unsigned long *args) except? -1:
    """dup3(2)."""
    cdef File file = (<FdTable> task.files).find(<int> args[0])
    if <int> args[2] & ~O_CLOEXEC or <int> args[0] == <int> args[1]:
        return -EINVAL
    return -EBADF if file is None else install_at(task, <int> args[1], file, args[2] & O_CLOEXEC != 0)


cdef long sys_fcntl(Task task, const unsigned long *args) except? -1:
    """fcntl(2)."""
    cdef FdTable files = <FdTable> task.files
    cdef int fd = <int> args[0]
    cdef unsigned int command = <unsigned int> args[1]
    cdef File file = files.find(fd)
    if file is None:
        return -EBADF
    if command == F_GETFL:
        return file.flags
    if command == F_GETFD:
        return FD_CLOEXEC if files.cloexec(fd) else 0
    if command == F_SETFD:
        files.set_cloexec(fd, args[2] & FD_CLOEXEC != 0)
        return 0
    if command == F_DUPFD or command == F_DUPFD_CLOEXEC:
        return -EINVAL if args[2] >= descriptor_limit(task) else install(task, file, command == F_DUPFD_CLOEXEC, <int> args[2])
    return fcntl(task, fd, command, args[2])


cdef long sys_ioctl(Task task, const unsigned long *args) except? -1:
    """ioctl(2). Every stdio asks each of its files whether it is a terminal."""
    cdef FdTable files = <FdTable> task.files
    cdef int fd = <int> args[0]
    cdef unsigned int command = <unsigned int> args[1], kind
    cdef File file = files.find(fd)
    if file is None or file.flags & O_PATH:
        return -EBADF
    if command == FIOCLEX or command == FIONCLEX:
        files.set_cloexec(fd, command == FIOCLEX)
        return 0
    if command == TCGETS and isinstance(file.inode, Inode):
        kind = (<Inode> file.inode).mode & S_IFMT
        if kind == S_IFREG or kind == S_IFDIR:
            return -ENOTTY
    return ioctl(task, fd, command, args[2])


define(16, "ioctl(fd: Fd, command: UInt, argument: ULong)", sys_ioctl)
define(32, "dup(file: Fd)", sys_dup)
define(33, "dup2(old: Fd, new: Fd)", sys_dup2)
define(72, "fcntl(fd: Fd, command: UInt, argument: ULong)", sys_fcntl, partial="leases and F_NOTIFY are refused")
define(292, "dup3(old: Fd, new: Fd, flags: Int)", sys_dup3)


cdef unsigned long descriptor_limit(Task task) noexcept:
    return min(task.group.limits.soft(RLIMIT_NOFILE), <unsigned long> HIGHEST_LIMIT)


cdef long install(Task task, File file, bint cloexec, int at_least) except? -1:
    """One more descriptor of an open file, within RLIMIT_NOFILE."""
    cdef FdTable files = <FdTable> task.files
    files.limit = <int> descriptor_limit(task)
    file.refs += 1
    return files.install(file, cloexec, at_least)


cdef long install_at(Task task, int fd, File file, bint cloexec) except? -1:
    cdef FdTable files = <FdTable> task.files
    files.limit = <int> descriptor_limit(task)
    file.refs += 1
    files.install_at(fd, file, cloexec)
    return fd
