# SPDX-License-Identifier: Apache-2.0
"""open(2), openat(2), openat2(2), creat(2), mknod(2), close(2), umask(2)."""

from kernel.abi.errno cimport E2BIG, EAGAIN, EBADF, EINVAL, ERESTARTSYS, Errno
from kernel.abi.fs cimport (
    AT_FDCWD, O_ACCMODE, O_APPEND, O_ASYNC, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME, O_NOCTTY,
    O_NOFOLLOW, O_NONBLOCK, O_PATH, O_SYNC, O_TMPFILE_BIT, O_TRUNC, O_WRONLY, PATH_MAX, RESOLVE_BENEATH, RESOLVE_CACHED,
    RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
)
from kernel.abi.task cimport RLIMIT_NOFILE
from fs.vfs.context cimport FsContext
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from fs.vfs.operations cimport check_flags, try_open
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task

from fs.pipe.fifo import give_up
from fs.vfs.names import do_mknod
from fs.vfs.operations import FifoWait

cdef enum:
    KNOWN_FLAGS = (
        O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE
        | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE_BIT
    )
    ALLOWED_BY_O_PATH = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC
    PERMISSIONS = 0o7777
    KNOWN_RESOLVE = (
        RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED
    )
    PAGE = 4096
    HIGHEST_LIMIT = 1 << 30

cdef struct OpenHow:
    unsigned long flags, mode, resolve


cdef long sys_umask(Task task, const unsigned long *args) except? -1:
    """umask(2)."""
    cdef FsContext fs = task.fs
    cdef unsigned int old = fs.umask
    fs.umask = args[0] & 0o777
    return old


cdef long sys_open(Task task, const unsigned long *args) except? -1:
    """open(2)."""
    return open_descriptor(task, AT_FDCWD, args[0], args[1] & KNOWN_FLAGS, args[2] & PERMISSIONS, 0)


cdef long sys_openat(Task task, const unsigned long *args) except? -1:
    """openat(2)."""
    return open_descriptor(task, <int> args[0], args[1], args[2] & KNOWN_FLAGS, args[3] & PERMISSIONS, 0)


cdef long sys_creat(Task task, const unsigned long *args) except? -1:
    """creat(2)."""
    return open_descriptor(task, AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC, args[1] & PERMISSIONS, 0)


cdef long sys_openat2(Task task, const unsigned long *args) except? -1:
    """openat2(2): unlike open, it refuses what it doesn't know."""
    cdef OpenHow how = copy_in_how(task, args[2], args[3])
    if how.flags & ~<unsigned long> KNOWN_FLAGS or how.resolve & ~<unsigned long> KNOWN_RESOLVE:
        return -EINVAL
    if how.mode & ~<unsigned long> PERMISSIONS or how.mode and not how.flags & (O_CREAT | O_TMPFILE_BIT):
        return -EINVAL
    if how.resolve & RESOLVE_BENEATH and how.resolve & RESOLVE_IN_ROOT:
        return -EINVAL
    if how.flags & O_PATH and how.flags & ~<unsigned long> ALLOWED_BY_O_PATH:
        return -EINVAL
    if how.resolve & RESOLVE_CACHED and how.flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT):
        return -EAGAIN
    return open_descriptor(task, <int> args[0], args[1], how.flags, how.mode, how.resolve)


cdef long sys_mknod(Task task, const unsigned long *args) except? -1:
    """mknod(2)."""
    do_mknod(task, AT_FDCWD, task.copy_in_string(args[0], PATH_MAX - 1), <unsigned int> args[1], <unsigned int> args[2])
    return 0


cdef long sys_mknodat(Task task, const unsigned long *args) except? -1:
    """mknodat(2)."""
    do_mknod(task, <int> args[0], task.copy_in_string(args[1], PATH_MAX - 1), <unsigned int> args[2], <unsigned int> args[3])
    return 0


cdef long sys_close(Task task, const unsigned long *args) except? -1:
    """close(2)."""
    cdef FdTable files = <FdTable> task.files
    if files.find(<int> args[0]) is None:
        return -EBADF
    files.close(<int> args[0])
    return 0


define(95, "umask(mask: UInt)", sys_umask)
define(2, "open(path: Path, flags: UInt, mode: UInt)", sys_open)
define(3, "close(fd: Fd)", sys_close)
define(85, "creat(path: Path, mode: UInt)", sys_creat)
define(133, "mknod(path: Path, mode: UInt, dev: UInt)", sys_mknod)
define(257, "openat(dirfd: Fd, path: Path, flags: UInt, mode: UInt)", sys_openat)
define(259, "mknodat(dirfd: Fd, path: Path, mode: UInt, dev: UInt)", sys_mknodat)
define(437, "openat2(dirfd: Fd, path: Path, how: Ptr, size: Size)", sys_openat2)


cdef long open_descriptor(Task task, int dirfd, unsigned long path, unsigned int flags, unsigned int mode, int resolve) except? -1:
    """A descriptor for what do_open opens, or BLOCKED while a fifo has no other end."""
    cdef FdTable files = task.files
    cdef File file
    cdef bytes text = task.copy_in_string(path, PATH_MAX - 1)
    cdef int error = 0
    flags = check_flags(flags)
    files.limit = <int> min(task.group.limits.soft(RLIMIT_NOFILE), <unsigned long> HIGHEST_LIMIT)
    files.require_room()
    try:
        file = try_open(task, dirfd, text, flags, mode, resolve, &error)
    except FifoWait as wait:
        return task.block(-1, ERESTARTSYS, give_up(wait.inode))
    return -error if file is None else files.install(file, flags & O_CLOEXEC != 0)


cdef OpenHow copy_in_how(Task task, unsigned long address, unsigned long size):
    """struct open_how, now or in a longer form of the future whose new fields are zero."""
    cdef OpenHow how
    cdef bytes rest
    if size < sizeof(how):
        raise Errno(EINVAL)
    if size > PAGE:
        raise Errno(E2BIG)
    task.get(address, &how, sizeof(how))
    rest = task.copy_in(address + sizeof(how), size - sizeof(how))
    if rest.strip(b"\0"):
        raise Errno(E2BIG)
    return how
