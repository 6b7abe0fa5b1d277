# SPDX-License-Identifier: Apache-2.0
"""stat(2) and its family, statx(2), access(2)."""

from libc.string cimport memset

from kernel.abi.errno cimport EACCES, EBADF, EINVAL, EROFS, Errno
from kernel.abi.fs cimport (
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, MS_NOEXEC, PATH_MAX, R_OK, S_IFDIR,
    S_IFLNK, S_IFMT, S_IFREG, STATX_ATTR_MOUNT_ROOT, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID, W_OK, X_OK,
)
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode
from fs.vfs.path cimport Path
from fs.vfs.permission cimport may
from fs.vfs.walk cimport LOOKUP_EMPTY, LOOKUP_FOLLOW, Walk, walk_to
from kernel.syscalls.table cimport define
from kernel.task.creds cimport Creds
from kernel.task.task cimport Task

cdef struct Stat:                        # struct stat
    unsigned long dev, ino, nlink
    unsigned int mode, uid, gid, pad
    unsigned long rdev
    long size, blksize, blocks
    long atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec
    long unused[3]

cdef struct StatxTimestamp:
    long sec
    unsigned int nsec
    int reserved

cdef struct Statx:                       # struct statx
    unsigned int mask, blksize
    unsigned long attributes
    unsigned int nlink, uid, gid
    unsigned short mode, pad
    unsigned long ino, size, blocks, attributes_mask
    StatxTimestamp atime, btime, ctime, mtime
    unsigned int rdev_major, rdev_minor, dev_major, dev_minor
    unsigned long mnt_id
    unsigned int dio_mem_align, dio_offset_align
    unsigned long spare[12]

cdef enum:
    BILLION = 1000000000
    FIND_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE

cdef unsigned int STATX_RESERVED = 0x80000000


cdef long sys_stat(Task task, const unsigned long *args) except? -1:
    """stat(2)."""
    return put_stat_of(task, walk_to(task, AT_FDCWD, path_at(task, args[0]), LOOKUP_FOLLOW, 0), args[1])


cdef long sys_fstat(Task task, const unsigned long *args) except? -1:
    """fstat(2)."""
    cdef File file = (<FdTable> task.files).find(<int> args[0])
    return -EBADF if file is None else put_stat(task, file.inode, args[1])


cdef long sys_lstat(Task task, const unsigned long *args) except? -1:
    """lstat(2)."""
    return put_stat_of(task, walk_to(task, AT_FDCWD, path_at(task, args[0]), 0, 0), args[1])


cdef long sys_newfstatat(Task task, const unsigned long *args) except? -1:
    """fstatat(2)."""
    cdef int flags = <int> args[3], dirfd = <int> args[0]
    cdef bytes path
    cdef File file
    if flags & ~FIND_FLAGS:
        return -EINVAL
    path = path_at(task, args[1])
    if flags & AT_EMPTY_PATH and not path and dirfd != AT_FDCWD:
        file = (<FdTable> task.files).find(dirfd)
        return -EBADF if file is None else put_stat(task, file.inode, args[2])
    return put_stat_of(task, walk_to(task, dirfd, path, how(flags), 0), args[2])


cdef long sys_statx(Task task, const unsigned long *args) except? -1:
    """statx(2): everything is given, whatever was asked for."""
    cdef int flags = <int> args[2], error = 0
    cdef Inode inode
    cdef Path place
    cdef Statx values
    if <unsigned int> args[3] & STATX_RESERVED or flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE or flags & ~FIND_FLAGS:
        return -EINVAL
    inode, place = try_find(task, <int> args[0], path_at(task, args[1]), flags, &error)
    if error:
        return -error
    inode.refresh()
    fill_statx(&values, inode, place)
    task.put(args[4], &values, sizeof(values))
    return 0


cdef long sys_access(Task task, const unsigned long *args) except? -1:
    """access(2): with the real ids."""
    return check_access(task, AT_FDCWD, path_at(task, args[0]), <int> args[1], 0)


cdef long sys_faccessat(Task task, const unsigned long *args) except? -1:
    """faccessat(2) of the kernel, which has no flags."""
    return check_access(task, <int> args[0], path_at(task, args[1]), <int> args[2], 0)


cdef long sys_faccessat2(Task task, const unsigned long *args) except? -1:
    """faccessat(2) of the C library."""
    cdef int flags = <int> args[3]
    if flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        return -EINVAL
    return check_access(task, <int> args[0], path_at(task, args[1]), <int> args[2], flags)


define(4, "stat(path: Path, buf: Out)", sys_stat)
define(5, "fstat(fd: Fd, buf: Out)", sys_fstat)
define(6, "lstat(path: Path, buf: Out)", sys_lstat)
define(21, "access(path: Path, mode: Int)", sys_access)
define(262, "newfstatat(dirfd: Fd, path: Path, buf: Out, flags: Int)", sys_newfstatat)
define(269, "faccessat(dirfd: Fd, path: Path, mode: Int)", sys_faccessat)
define(332, "statx(dirfd: Fd, path: Path, flags: Int, mask: UInt, buf: Out)", sys_statx)
define(439, "faccessat2(dirfd: Fd, path: Path, mode: Int, flags: Int)", sys_faccessat2)


def find(task, int dirfd, bytes path, int flags):
    """(inode, Path or None) of the *at calls that take AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW."""
    cdef int error = 0
    found = try_find(task, dirfd, path, flags, &error)
    if error:
        raise Errno(error)
    return found


cdef tuple try_find(task, int dirfd, bytes path, int flags, int *error):
    """The same; where nothing is (None, None) and the error number."""
    cdef File file
    cdef Walk walk
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        file = (<FdTable?> task.files).get(dirfd)
        return file.inode, file.path
    walk = walk_to(task, dirfd, path, how(flags), 0)
    if walk.error:
        error[0] = walk.error
        return None, None
    return walk.dentry.inode, walk.here()


cdef int how(int flags) noexcept:
    return (0 if flags & AT_SYMLINK_NOFOLLOW else LOOKUP_FOLLOW) | (LOOKUP_EMPTY if flags & AT_EMPTY_PATH else 0)


cdef bytes path_at(Task task, unsigned long address):
    return task.copy_in_string(address, PATH_MAX - 1)


cdef long put_stat_of(Task task, Walk walk, unsigned long address) except? -1:
    """Of the place that a walk came to."""
    return -walk.error if walk.error else put_stat(task, walk.dentry.inode, address)


cdef long put_stat(Task task, Inode inode, unsigned long address) except? -1:
    cdef Stat values
    inode.refresh()
    memset(&values, 0, sizeof(values))
    values.dev, values.ino, values.nlink, values.mode = inode.fs.dev, inode.ino, inode.nlink, inode.mode
    values.uid, values.gid, values.rdev = inode.uid, inode.gid, inode.rdev
    values.size, values.blksize, values.blocks = inode.size, inode.blksize, inode.blocks
    values.atime, values.atime_nsec = inode.atime_ns // BILLION, inode.atime_ns % BILLION
    values.mtime, values.mtime_nsec = inode.mtime_ns // BILLION, inode.mtime_ns % BILLION
    values.ctime, values.ctime_nsec = inode.ctime_ns // BILLION, inode.ctime_ns % BILLION
    task.put(address, &values, sizeof(values))
    return 0


cdef int fill_statx(Statx *values, Inode inode, Path place) except -1:
    memset(values, 0, sizeof(Statx))
    values.mask = STATX_BASIC_STATS | (STATX_BTIME if inode.btime_ns else 0) | (STATX_MNT_ID if place is not None else 0)
    values.attributes_mask = STATX_ATTR_MOUNT_ROOT
    values.blksize, values.nlink, values.uid, values.gid, values.mode = inode.blksize, inode.nlink, inode.uid, inode.gid, inode.mode
    values.ino, values.size, values.blocks = inode.ino, inode.size, inode.blocks
    fill_time(&values.atime, inode.atime_ns)
    fill_time(&values.btime, inode.btime_ns)
    fill_time(&values.ctime, inode.ctime_ns)
    fill_time(&values.mtime, inode.mtime_ns)
    values.rdev_major, values.rdev_minor = major(inode.rdev), minor(inode.rdev)
    values.dev_major, values.dev_minor = major(inode.fs.dev), minor(inode.fs.dev)
    if place is not None:
        values.mnt_id = place.mount.id
        values.attributes = STATX_ATTR_MOUNT_ROOT if place.dentry is place.mount.root else 0
    return 0


cdef void fill_time(StatxTimestamp *at, long long ns) noexcept:
    at.sec, at.nsec = ns // BILLION, ns % BILLION


cdef unsigned int major(unsigned long number) noexcept:
    return number >> 8 & 0xfff | number >> 32 & 0xfffff000


cdef unsigned int minor(unsigned long number) noexcept:
    return number & 0xff | number >> 12 & 0xffffff00


cdef long check_access(Task task, int dirfd, bytes path, int mode, int flags) except? -1:
    cdef Creds caller = task.creds
    cdef int error = 0
    if mode & ~(R_OK | W_OK | X_OK):
        return -EINVAL
    if not flags & AT_EACCESS:
        task.creds = real_creds(caller)
    try:
        inode, place = try_find(task, dirfd, path, flags, &error)
        if not error:
            (<Inode> inode).refresh()
            check_mode(inode, place, task.creds, mode)
    finally:
        task.creds = caller
    return -error


cdef check_mode(Inode inode, Path place, Creds creds, int mode):
    cdef unsigned int kind = inode.mode & S_IFMT
    if mode & X_OK and kind == S_IFREG and place is not None and place.mount.flags & MS_NOEXEC:
        raise Errno(EACCES)
    if mode:
        may(inode, creds, mode)
    if mode & W_OK and (kind == S_IFREG or kind == S_IFDIR or kind == S_IFLNK) and place is not None and place.mount.read_only():
        raise Errno(EROFS)


cdef Creds real_creds(Creds creds):
    """access(2) asks for the real user: root has all its permitted capabilities, others none (without SECBIT_NO_SETUID_FIXUP)."""
    cdef Creds real
    cdef unsigned long effective = creds.cap_permitted if creds.uid == 0 else 0
    if creds.fsuid == creds.uid and creds.fsgid == creds.gid and creds.cap_effective == effective:
        return creds
    real = creds.copy()
    real.fsuid, real.fsgid = creds.uid, creds.gid
    real.cap_effective = effective
    return real
