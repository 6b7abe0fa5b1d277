# SPDX-License-Identifier: Apache-2.0
"""What the server does to the host's files.

Rules: an object is named by an O_PATH descriptor, a child by its directory's descriptor and one checked component, and
O_NOFOLLOW is everywhere; so no symbolic link is ever followed. What Linux can't do to an O_PATH descriptor is done
through the magic link of its number: the working directory is this process's /proc/self/fd (see `use_proc`), which
also works after the root directory was taken away. No policy here: read-only trees and limits are the caller's.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy, memset, strlen

from gofer cimport libc
from gofer.wire cimport QTDIR, QTSYMLINK, DirEntry, Known
from kernel.abi.errno cimport EINVAL, ENAMETOOLONG, ENOENT, ENOMEM, EOPNOTSUPP, ERANGE, Errno

cdef enum:
    MAX_DEPTH = 2048                     # of a directory below its root, when .. is checked
    XATTR_MAX = 65536
    PATH_MAX = 4096


cdef int proc_fd = -1


def use_proc():
    """Make /proc/self/fd the working directory, unless it is; before the jail. No umask: what a new file may be is up to the client."""
    global proc_fd
    if proc_fd >= 0:
        return
    proc_fd = libc.syscall(libc.SYS_open_tree, <long> libc.AT_FDCWD, b"/proc/self/fd", libc.OPEN_TREE_CLONE | libc.OPEN_TREE_CLOEXEC)
    if proc_fd < 0:
        proc_fd = libc.openat(libc.AT_FDCWD, "/proc/self/fd", libc.O_PATH | libc.O_DIRECTORY | libc.O_CLOEXEC)
    if proc_fd < 0:
        fail()
    libc.umask(0)
    return_to_proc()


def return_to_proc():
    """Go there again, from wherever."""
    if libc.fchdir(proc_fd) < 0:
        fail()


def descriptors():
    """What must stay open for that."""
    return [proc_fd]


cdef int fail() except -1:
    raise Errno(libc.errno)


cdef int check_name(bytes name) except -1:
    """One component that names a child."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    cdef const char *text = PyBytes_AS_STRING(name)
    if size == 0 or name == b"." or name == b"..":
        raise Errno(EINVAL)
    if size > 255:
        raise Errno(ENAMETOOLONG)
    if memchr(text, c'/', size) != NULL or memchr(text, 0, size) != NULL:
        raise Errno(EINVAL)
    return 0


cdef int open_child(int dirfd, bytes name) except -1:
    """An O_PATH descriptor of an entry, whatever it is."""
    cdef int fd
    check_name(name)
    cdef const char *text = PyBytes_AS_STRING(name)
    with nogil:
        fd = libc.openat(dirfd, text, libc.O_PATH | libc.O_NOFOLLOW | libc.O_CLOEXEC)
    if fd < 0:
        fail()
    return fd


cdef int open_parent(int dirfd, int root) except -1:
    """The directory above, or the same when dirfd is the root. ENOENT if that leads out of the root.

    Climbs to the root to be sure: somebody on the host may have moved the directory out of it.
    """
    cdef libc.stat top, here, previous
    cdef int _depth, fd, next_fd
    if libc.fstat(root, &top) < 0 or libc.fstat(dirfd, &here) < 0:
        fail()
    if top.st_ino == here.st_ino and top.st_dev == here.st_dev:
        return reopen(dirfd, libc.O_PATH)
    parent = fd = open_dotdot(dirfd)
    for _depth in range(MAX_DEPTH):
        previous = here
        if libc.fstat(fd, &here) < 0 or (here.st_ino == previous.st_ino and here.st_dev == previous.st_dev):
            break
        if here.st_ino == top.st_ino and here.st_dev == top.st_dev:
            if fd != parent:
                libc.close(fd)
            return parent
        next_fd = open_dotdot(fd)
        if fd != parent:
            libc.close(fd)
        fd = next_fd
    if fd != parent:
        libc.close(fd)
    libc.close(parent)
    raise Errno(ENOENT)


cdef int open_dotdot(int dirfd) except -1:
    cdef int fd = libc.openat(dirfd, "..", libc.O_PATH | libc.O_DIRECTORY | libc.O_CLOEXEC)
    if fd < 0:
        fail()
    return fd


cdef int reopen(int fd, int flags) except -1:
    """Another descriptor of the same object, with other rights."""
    cdef char name[16]
    cdef int result
    libc.snprintf(name, sizeof(name), "%d", fd)
    with nogil:
        result = libc.openat(libc.AT_FDCWD, name, flags | libc.O_CLOEXEC | libc.O_NOCTTY)
    if result < 0:
        fail()
    return result


cdef unsigned int mode_of(int fd) except 0:
    """st_mode."""
    cdef libc.stat result
    if libc.fstat(fd, &result) < 0:
        fail()
    return result.st_mode


cdef unsigned long get_attr(int fd, Attr *attr) except? 0:
    """Fill attr; returns st_dev."""
    cdef unsigned long dev = 0
    if get_attr_at(fd, "", attr, &dev) < 0:
        fail()
    return dev


cdef int get_attr_at(int dirfd, const char *name, Attr *attr, unsigned long *dev) noexcept nogil:
    """Of an entry, or of dirfd itself without a name: 0, or -1 and errno."""
    cdef libc.statx_t s
    if libc.statx(dirfd, name, libc.AT_EMPTY_PATH | libc.AT_SYMLINK_NOFOLLOW, libc.STATX_BASIC_STATS | libc.STATX_BTIME, &s) < 0:
        return -1
    dev[0] = libc.makedev(s.stx_dev_major, s.stx_dev_minor)
    attr.valid = 0xfff if s.stx_mask & libc.STATX_BTIME else 0x7ff
    attr.qid_type = qid_type(s.stx_mode)
    attr.qid_version = 0
    attr.qid_path = s.stx_ino
    attr.mode = s.stx_mode
    attr.uid = s.stx_uid
    attr.gid = s.stx_gid
    attr.nlink = s.stx_nlink
    attr.rdev = libc.makedev(s.stx_rdev_major, s.stx_rdev_minor)
    attr.size = s.stx_size
    attr.blksize = s.stx_blksize
    attr.blocks = s.stx_blocks
    attr.atime_sec = s.stx_atime.tv_sec
    attr.atime_nsec = s.stx_atime.tv_nsec
    attr.mtime_sec = s.stx_mtime.tv_sec
    attr.mtime_nsec = s.stx_mtime.tv_nsec
    attr.ctime_sec = s.stx_ctime.tv_sec
    attr.ctime_nsec = s.stx_ctime.tv_nsec
    attr.btime_sec = s.stx_btime.tv_sec
    attr.btime_nsec = s.stx_btime.tv_nsec
    attr.gen = 0
    attr.data_version = 0
    return 0


cdef unsigned char qid_type(unsigned int mode) noexcept nogil:
    mode &= libc.S_IFMT
    return QTDIR if mode == libc.S_IFDIR else QTSYMLINK if mode == libc.S_IFLNK else 0


cdef int set_attr(int fd, unsigned int valid, tuple values) except -1:
    """What Tsetattr asks for; values are its fields from mode on."""
    mode, uid, gid, size, atime_sec, atime_nsec, mtime_sec, mtime_nsec = values
    cdef libc.timespec times[2]
    if valid & (SET_UID | SET_GID):
        if libc.fchownat(fd, "", uid if valid & SET_UID else 0xffffffff, gid if valid & SET_GID else 0xffffffff,
                         libc.AT_EMPTY_PATH) < 0:
            fail()
    if valid & SET_MODE:
        change_mode(fd, mode & 0o7777)
    if valid & SET_SIZE:
        truncate(fd, size)
    if valid & (SET_ATIME | SET_MTIME):
        times[0].tv_sec, times[0].tv_nsec = time_to_set(valid & SET_ATIME, valid & SET_ATIME_TO, atime_sec, atime_nsec)
        times[1].tv_sec, times[1].tv_nsec = time_to_set(valid & SET_MTIME, valid & SET_MTIME_TO, mtime_sec, mtime_nsec)
        if libc.utimensat(fd, "", times, libc.AT_EMPTY_PATH) < 0:
            fail()
    return 0


cdef tuple time_to_set(bint wanted, bint given, unsigned long seconds, unsigned long nanoseconds):
    if not wanted:
        return 0, libc.UTIME_OMIT
    if not given:
        return 0, libc.UTIME_NOW
    if nanoseconds > 999999999:
        raise Errno(EINVAL)
    return <long> seconds, nanoseconds


cdef int change_mode(int fd, unsigned int mode) except -1:
    cdef char name[16]
    if (mode_of(fd) & libc.S_IFMT) == libc.S_IFLNK:
        raise Errno(EOPNOTSUPP)
    libc.snprintf(name, sizeof(name), "%d", fd)
    if libc.fchmodat(libc.AT_FDCWD, name, mode, 0) < 0:
        fail()
    return 0


cdef int truncate(int fd, unsigned long size) except -1:
    cdef int handle, result
    if (mode_of(fd) & libc.S_IFMT) != libc.S_IFREG or size > 0x7fffffffffffffff:
        raise Errno(EINVAL)
    handle = reopen(fd, libc.O_WRONLY | libc.O_NONBLOCK)
    with nogil:
        result = libc.ftruncate(handle, size)
    try:
        if result < 0:
            fail()
    finally:
        libc.close(handle)
    return 0


cdef int create_file(int dirfd, bytes name, unsigned int mode, int flags) except -1:
    """An open descriptor of a new regular file; without a name an O_TMPFILE."""
    cdef int fd
    if not name:
        fd = libc.openat(dirfd, ".", libc.O_TMPFILE | libc.O_RDWR | libc.O_CLOEXEC, mode & 0o7777)
    else:
        check_name(name)
        flags |= libc.O_CREAT | libc.O_EXCL | libc.O_NOFOLLOW | libc.O_CLOEXEC
        fd = libc.openat(dirfd, PyBytes_AS_STRING(name), flags, mode & 0o7777)
    if fd < 0:
        fail()
    return fd


cdef int create_special(int dirfd, bytes name, unsigned int mode, unsigned long rdev, bytes target) except -1:
    """A new directory, symbolic link, fifo, socket or device node; returns 0."""
    cdef int result
    cdef unsigned int kind = mode & libc.S_IFMT
    check_name(name)
    if kind == libc.S_IFDIR:
        result = libc.mkdirat(dirfd, PyBytes_AS_STRING(name), mode & 0o7777)
    elif kind == libc.S_IFLNK:
        if b"\0" in target:
            raise Errno(EINVAL)
        result = libc.symlinkat(PyBytes_AS_STRING(target), dirfd, PyBytes_AS_STRING(name))
    elif kind in (libc.S_IFIFO, libc.S_IFSOCK, libc.S_IFCHR, libc.S_IFBLK):
        result = libc.mknodat(dirfd, PyBytes_AS_STRING(name), mode, rdev)
    else:
        raise Errno(EINVAL)
    if result < 0:
        fail()
    return 0


cdef int own(int fd, unsigned int uid, unsigned int gid, unsigned int mode) except -1:
    """Give a new object to uid and gid, keeping mode's set-id bits, which a change of owner clears."""
    cdef libc.stat s
    if libc.fstat(fd, &s) < 0:
        fail()
    if s.st_uid == uid and s.st_gid == gid:
        return 0
    if libc.fchownat(fd, "", uid, gid, libc.AT_EMPTY_PATH) < 0:
        fail()
    if mode & (libc.S_ISUID | libc.S_ISGID) and (mode & libc.S_IFMT) != libc.S_IFLNK:
        change_mode(fd, mode & 0o7777)
    return 0


cdef int link(int fd, int dirfd, bytes name) except -1:
    """One more name for the object of fd."""
    cdef char magic[16]
    check_name(name)
    libc.snprintf(magic, sizeof(magic), "%d", fd)
    if libc.linkat(libc.AT_FDCWD, magic, dirfd, PyBytes_AS_STRING(name), libc.AT_SYMLINK_FOLLOW) < 0:
        fail()
    return 0


cdef int unlink(int dirfd, bytes name, int flags) except -1:
    """unlinkat(2); flags: AT_REMOVEDIR."""
    check_name(name)
    if libc.unlinkat(dirfd, PyBytes_AS_STRING(name), flags & libc.AT_REMOVEDIR) < 0:
        fail()
    return 0


cdef int rename(int old_dirfd, bytes old_name, int new_dirfd, bytes new_name, unsigned int flags) except -1:
    """renameat2(2)."""
    check_name(old_name)
    check_name(new_name)
    if libc.renameat2(old_dirfd, PyBytes_AS_STRING(old_name), new_dirfd, PyBytes_AS_STRING(new_name), flags) < 0:
        fail()
    return 0


cdef bytes read_link(int fd):
    """The target of a symbolic link."""
    cdef char target[PATH_MAX]
    cdef Py_ssize_t size = libc.readlinkat(fd, "", target, sizeof(target))
    if size < 0:
        raise Errno(EINVAL if libc.errno == ENOENT else libc.errno)
    return target[:size]


cdef tuple stat_fs(int fd):
    """The fields of Rstatfs."""
    cdef libc.statfs s
    if libc.fstatfs(fd, &s) < 0:
        fail()
    return (s.f_type & 0xffffffff, s.f_bsize, s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, 0, s.f_namelen)


cdef bytes list_directory(int handle, Py_ssize_t count, bint with_attributes, long *position):
    """Entries in Rreaddir's or Rlist's form from the handle's position on, at most count bytes; nothing at the end.

    A host entry of 24 bytes or more becomes at most 7/6 as long, and 8 times with attributes; so whatever getdents64 returned fits.
    """
    cdef Py_ssize_t room = count // 8 if with_attributes else count * 6 // 7
    cdef Py_ssize_t got
    cdef char *start
    cdef char *end
    cdef char *raw = <char *> malloc(room + 1)
    if raw == NULL:
        raise Errno(ENOMEM)
    result = PyBytes_FromStringAndSize(NULL, count)
    start = PyBytes_AS_STRING(result)
    with nogil:
        got = libc.syscall(libc.SYS_getdents64, <long> handle, raw, room)
        end = convert_entries(handle, raw, max(got, 0), with_attributes, start, position)
    free(raw)
    if got < 0:
        fail()
    return result[:end - start]


cdef char *convert_entries(int handle, const char *raw, Py_ssize_t size, bint with_attributes, char *end, long *position) noexcept nogil:
    """Turn getdents64's entries into ours, from end on; returns the new end."""
    cdef const libc.dirent64 *entry
    cdef DirEntry out
    cdef Known known
    cdef unsigned long dev = 0
    cdef Py_ssize_t at = 0, length
    out.qid_version = 0
    while at < size:
        entry = <const libc.dirent64 *> (raw + at)
        at += entry.d_reclen
        length = strlen(entry.d_name)
        out.qid_type = QTDIR if entry.d_type == libc.DT_DIR else QTSYMLINK if entry.d_type == libc.DT_LNK else 0
        out.qid_path = entry.d_ino
        out.offset = entry.d_off
        out.type = entry.d_type
        out.name_length = length
        memcpy(end, &out, sizeof(DirEntry))
        memcpy(end + sizeof(DirEntry), entry.d_name, length)
        end += sizeof(DirEntry) + length
        if with_attributes:
            if get_attr_at(handle, entry.d_name, &known.attr, &dev) < 0:
                memset(&known, 0, sizeof(Known))
            known.dev = dev
            memcpy(end, &known, sizeof(Known))
            end += sizeof(Known)
        position[0] = entry.d_off
    return end


cdef bytes get_xattr(int fd, bytes name):
    """The value of an extended attribute."""
    return read_sized(fd, name)


cdef bytes list_xattr(int fd):
    """Their names, each with a NUL behind."""
    return read_sized(fd, None)


cdef bytes read_sized(int fd, bytes name):
    cdef char magic[16]
    cdef Py_ssize_t size
    cdef bytes value
    libc.snprintf(magic, sizeof(magic), "%d", fd)
    check_xattr_name(name)
    for room in (256, XATTR_MAX):
        value = PyBytes_FromStringAndSize(NULL, room)
        if name is None:
            size = libc.listxattr(magic, PyBytes_AS_STRING(value), room)
        else:
            size = libc.getxattr(magic, PyBytes_AS_STRING(name), PyBytes_AS_STRING(value), room)
        if size >= 0:
            return value[:size]
        if libc.errno != ERANGE:
            break
    fail()


cdef int set_xattr(int fd, bytes name, bytes value, int flags) except -1:
    """setxattr(2)."""
    cdef char magic[16]
    check_xattr_name(name)
    libc.snprintf(magic, sizeof(magic), "%d", fd)
    if libc.setxattr(magic, PyBytes_AS_STRING(name), PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), flags) < 0:
        fail()
    return 0


cdef int remove_xattr(int fd, bytes name) except -1:
    """removexattr(2)."""
    cdef char magic[16]
    check_xattr_name(name)
    libc.snprintf(magic, sizeof(magic), "%d", fd)
    if libc.removexattr(magic, PyBytes_AS_STRING(name)) < 0:
        fail()
    return 0


cdef int check_xattr_name(bytes name) except -1:
    if name is not None and (b"\0" in name or not name):
        raise Errno(EINVAL)
    return 0
