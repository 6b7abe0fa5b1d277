# SPDX-License-Identifier: Apache-2.0
"""Opening files: open(2) from the flags to the File, also for the loader and other kernel users.

Flags are those of open(2), already checked for contradictions (see check_flags). What a path leads to decides who opens it: directories
are ours, fifos are the pipes', device nodes the devices', everything else the file system's. A File comes with one reference, the caller's.
"""

from kernel.abi.errno cimport EACCES, EEXIST, EINVAL, EISDIR, ELOOP, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY, Errno
from kernel.abi.fs cimport (
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, FMODE_EXEC, IN_CREATE, IN_MODIFY, IN_OPEN, MAY_EXEC, MAY_READ, MAY_WRITE, MS_NODEV, MS_NOEXEC,
    O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME, O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDONLY,
    O_TMPFILE_BIT, O_TRUNC, O_WRONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
)

from fs.vfs.context cimport FsContext
from fs.vfs.dentry cimport Dentry
from fs.vfs.directory cimport DirectoryFile
from fs.vfs.inode cimport Inode
from fs.vfs.notify cimport notify, notify_path
from fs.vfs.permission cimport allowed, may, may_create, owns, remove_privileges
from fs.vfs.walk cimport LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW, Walk, lookup, walk_parent, walk_to
from kernel.task.creds cimport Creds

from fs.dev.devices import open_device
from fs.pipe.fifo import open_fifo

cdef enum:
    PERMISSIONS = 0o7777
    FORGOTTEN = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC      # not kept in File.flags
    KEPT_BY_O_PATH = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC
    LARGEST_KNOWN = 0o37777777           # no flag of open(2) lies beyond


class FifoWait(Exception):
    """The other end of a fifo isn't open yet; task.wait_on() was done. Block, and give up with fs.pipe.fifo.give_up(inode)."""

    def __init__(self, inode):
        self.inode = inode


cpdef File do_open(task, int dirfd, bytes path, unsigned int flags, unsigned int mode=0, int resolve=0):
    """The File that open(2) makes; FifoWait if it has to wait for another process."""
    cdef int error = 0
    cdef File file = try_open(task, dirfd, path, flags, mode, resolve, &error)
    if file is None:
        raise Errno(error)
    return file


cdef File try_open(task, int dirfd, bytes path, unsigned int flags, unsigned int mode, int resolve, int *error):
    """The same; None with the error number where nothing is."""
    cdef int how = 0 if flags & O_NOFOLLOW else LOOKUP_FOLLOW
    cdef Walk walk
    if flags & O_DIRECTORY:
        how |= LOOKUP_DIRECTORY
    if flags & O_PATH:
        return path_only(lookup(task, dirfd, path, how, resolve), flags)
    if flags & O_TMPFILE_BIT:
        return open_tmpfile(task, lookup(task, dirfd, path, how, resolve), flags, mode)
    if flags & O_CREAT:
        return open_creating(task, walk_parent(task, dirfd, path, resolve), flags, mode)
    walk = walk_to(task, dirfd, path, how, resolve)
    if walk.error:
        error[0] = walk.error
        return None
    return open_path(task, walk.here(), flags)


cpdef unsigned int check_flags(unsigned int flags) except? 0xffffffff:
    """Flags of open(2) as the kernel goes on with them; EINVAL for contradictions. Unknown ones were removed or refused before."""
    if flags & O_PATH:
        return flags & KEPT_BY_O_PATH
    if flags & O_TMPFILE_BIT:
        if not flags & O_DIRECTORY or flags & O_CREAT or flags & O_ACCMODE == O_RDONLY:
            raise Errno(EINVAL)
    elif flags & O_CREAT and flags & O_DIRECTORY:
        raise Errno(EINVAL)
    return flags | O_LARGEFILE


cpdef File open_exec(task, int dirfd, bytes path, int at_flags=0):
    """A program to run: a regular file that may be executed. Nobody may write it until the File goes (ETXTBSY). at_flags: execveat's."""
    cdef int how = 0 if at_flags & AT_SYMLINK_NOFOLLOW else LOOKUP_FOLLOW
    cdef Inode inode
    cdef File file
    cdef Path found = lookup(task, dirfd, path, how | (LOOKUP_EMPTY if at_flags & AT_EMPTY_PATH else 0))
    inode = found.dentry.inode
    if inode.mode & S_IFMT == S_IFLNK:
        raise Errno(ELOOP)
    if inode.mode & S_IFMT != S_IFREG:
        raise Errno(EACCES)
    if inode.writers > 0:
        may(inode, task.creds, MAY_EXEC)
        raise Errno(ETXTBSY)
    file = open_path(task, found, O_RDONLY | FMODE_EXEC)
    inode.writers -= 1
    file.denies_writers = True
    return file


cpdef File open_path(task, Path path, unsigned int flags, bint created=False):
    """Open what is at path, after all that has to be checked. A file just created needs no permission."""
    cdef Inode inode = path.dentry.inode
    cdef Creds creds = task.creds
    cdef File file
    cdef bint counts
    flags = checked_for_kind(path, inode.mode & S_IFMT, flags, created)
    if not created:
        check_access(creds, path, inode, flags)
    if flags & O_NOATIME and not owns(inode, creds):
        raise Errno(EPERM)
    counts = inode.mode & S_IFMT == S_IFREG and flags & O_ACCMODE != O_RDONLY
    if counts and inode.writers < 0:
        raise Errno(ETXTBSY)
    if flags & O_TRUNC and not created:
        remove_privileges(inode, creds)
        inode.setattr({"size": 0})
        notify_path(path, IN_MODIFY)
    file = open_inode(task, inode, flags)
    file.flags = flags & ~(FORGOTTEN | FMODE_EXEC) | file.flags & FMODE_EXEC
    if file.path is None:
        file.path = path
    if counts:
        inode.writers += 1
        file.counts_as_writer = True
    notify_path(path, IN_OPEN)
    return file


cdef unsigned int checked_for_kind(Path path, unsigned int kind, unsigned int flags, bint created) except? 0xffffffff:
    """Errors that depend on the type of what is opened; O_TRUNC is dropped where it means nothing."""
    if kind == S_IFLNK:
        raise Errno(ELOOP)
    if kind == S_IFDIR:
        if flags & O_CREAT or flags & O_ACCMODE != O_RDONLY or flags & O_TRUNC:
            raise Errno(EISDIR)
        return flags
    if flags & O_DIRECTORY and not flags & O_TMPFILE_BIT:
        raise Errno(ENOTDIR)
    if kind == S_IFREG:
        if flags & FMODE_EXEC and path.mount.flags & MS_NOEXEC:
            raise Errno(EACCES)
        return flags
    if kind in (S_IFCHR, S_IFBLK) and path.mount.flags & MS_NODEV:
        raise Errno(EACCES)
    return flags & ~O_TRUNC


cdef int check_access(Creds creds, Path path, Inode inode, unsigned int flags) except -1:
    cdef unsigned int access = flags & O_ACCMODE
    cdef int mask = MAY_READ if access == O_RDONLY else MAY_WRITE if access == O_WRONLY else MAY_READ | MAY_WRITE
    if flags & O_TRUNC:
        mask |= MAY_WRITE
    if flags & FMODE_EXEC:
        mask = MAY_EXEC
    if mask & MAY_WRITE and path.mount.read_only() and inode.mode & S_IFMT in (S_IFREG, S_IFDIR):
        raise Errno(EROFS)
    if not allowed(inode, creds, mask):
        raise Errno(EACCES)
    return 0


cdef File open_inode(task, Inode inode, unsigned int flags):
    cdef unsigned int kind = inode.mode & S_IFMT
    if kind == S_IFDIR:
        return DirectoryFile(inode)
    if kind == S_IFREG or inode.fs.opens_special:
        return inode.open(task, flags)
    if kind == S_IFIFO:
        file = open_fifo(task, inode, flags)
        if file is None:
            raise FifoWait(inode)
        return file
    if kind in (S_IFCHR, S_IFBLK):
        return open_device(task, inode, flags)
    if kind == S_IFSOCK:
        raise Errno(ENXIO)
    return inode.open(task, flags)


cdef File path_only(Path path, unsigned int flags):
    """O_PATH: a File that stands for a place and can't be read or written."""
    cdef File file = File()
    file.inode = path.dentry.inode
    file.path = path
    file.flags = flags & ~O_CLOEXEC
    return file


cdef File open_tmpfile(task, Path directory, unsigned int flags, unsigned int mode):
    """O_TMPFILE: a regular file without a name, in the directory's file system."""
    cdef Inode parent = directory.dentry.inode, inode
    cdef Dentry dentry
    if directory.mount.read_only():
        raise Errno(EROFS)
    may_create(parent, task.creds)
    inode = parent.tmpfile(S_IFREG | mode & PERMISSIONS & ~(<FsContext> task.fs).umask, task.creds)
    inode.linkable = not flags & O_EXCL
    dentry = Dentry(directory.dentry, b"#%d" % inode.ino, inode)
    dentry.unlinked = True
    return open_path(task, Path(directory.mount, dentry), flags, True)


cdef File open_creating(task, Walk walk, unsigned int flags, unsigned int mode):
    """O_CREAT: make the file if the last component leads nowhere; with O_EXCL it must not be there, not even as a dangling link."""
    cdef Dentry child
    while walk.last is not None and walk.last != b"." and walk.last != b"..":
        if walk.slash:
            raise Errno(EISDIR)
        child = walk.last_child()
        if child.inode is None:
            create(task, walk, child, mode)
            return open_path(task, walk.here(), flags, True)
        if flags & O_EXCL:
            raise Errno(EEXIST)
        if child.inode.mode & S_IFMT != S_IFLNK or flags & O_NOFOLLOW:
            walk.enter_child(child)
            return open_path(task, walk.here(), flags)
        walk.follow(child)
    if flags & O_EXCL:
        raise Errno(EEXIST)
    walk.finish(True)
    return open_path(task, walk.here(), flags)


cdef create(task, Walk walk, Dentry child, unsigned int mode):
    cdef Inode directory = walk.dentry.inode
    if walk.mount.read_only():
        raise Errno(EROFS)
    may_create(directory, task.creds)
    mode = S_IFREG | mode & PERMISSIONS & ~(<FsContext> task.fs).umask
    child.instantiate(directory.create(walk.last, mode, task.creds))
    notify(directory, IN_CREATE, child.name)
    walk.enter_child(child)
