# SPDX-License-Identifier: Apache-2.0
"""Inodes: what a file system gives to the VFS.

Rules: permission, existence, type and read-only checks are done by the caller (fs.vfs.walk and fs.vfs.operations) before an operation
is called; an operation does the work and keeps its own attributes (nlink, size, times) right. Operations raise Errno.
"""

from posix.time cimport clock_gettime, timespec

from kernel.abi.errno cimport EINVAL, EIO, ENOTDIR, EOPNOTSUPP, EPERM, Errno

cdef extern from "<time.h>" nogil:
    enum:
        CLOCK_REALTIME_COARSE

cdef unsigned int next_anonymous_minor = 20
cdef object kernel_clock = None


cpdef set_clock(clock):
    """The clock of timestamps: at boot the kernel's, in tests a MockClock, None for the host's."""
    global kernel_clock
    kernel_clock = clock


cpdef long long now_ns() except? -1:
    """The time for a timestamp, in ns since the epoch: of the host's last tick, as Linux takes it."""
    cdef timespec value
    if kernel_clock is not None:
        return kernel_clock.realtime_ns()
    clock_gettime(CLOCK_REALTIME_COARSE, &value)
    return value.tv_sec * 1000000000LL + value.tv_nsec


cpdef unsigned long new_anonymous_dev():
    """A device number of major 0, as Linux gives to file systems without a device."""
    global next_anonymous_minor
    next_anonymous_minor += 1
    return (next_anonymous_minor & 0xff) | (<unsigned long> (next_anonymous_minor >> 8) << 20)


cdef class FileSystem:
    """One instance of a file system; `root` is its root inode."""

    def __init__(self, str type_name, str source="none", read_only=False):
        self.type_name = type_name
        self.source = source
        self.read_only = read_only
        self.cache_dentries = True
        self.dev = new_anonymous_dev()

    cpdef dict statfs(self):
        """Fields of struct statfs by name without f_: type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize."""
        return {"type": 0, "bsize": 4096, "namelen": 255, "frsize": 4096}

    cpdef sync(self):
        """syncfs(2)."""

    def sync_job(self):
        """syncfs(2) for a caller that can wait: None, or a HostJob that does it."""
        self.sync()

    cpdef unmounted(self):
        """The last mount went, and nobody uses anything in it."""

    cpdef str show_options(self):
        """Options behind rw/ro in /proc/mounts, with a leading comma; or nothing."""
        return ""


cdef class Inode:
    """An object of a file system."""

    def __init__(self, FileSystem fs, unsigned long ino, unsigned int mode):
        self.fs = fs
        self.ino = ino
        self.mode = mode
        self.nlink = 1
        self.blksize = 4096

    cpdef Inode lookup(self, bytes name):
        """The entry of this directory; ENOENT."""
        raise Errno(ENOTDIR)

    cpdef Inode create(self, bytes name, unsigned int mode, object creds):
        """A new regular file, mode with S_IFREG and the umask applied, owned by creds.fsuid/fsgid (or the set-gid directory's group)."""
        raise Errno(EPERM)

    cpdef Inode mkdir(self, bytes name, unsigned int mode, object creds):
        """A new directory."""
        raise Errno(EPERM)

    cpdef Inode mknod(self, bytes name, unsigned int mode, unsigned long rdev, object creds):
        """A new fifo, socket or device node: `mode` has the type."""
        raise Errno(EPERM)

    cpdef Inode symlink(self, bytes name, bytes target, object creds):
        """A new symbolic link."""
        raise Errno(EPERM)

    cpdef Inode tmpfile(self, unsigned int mode, object creds):
        """A new regular file without a name (O_TMPFILE)."""
        raise Errno(EOPNOTSUPP)

    cpdef link(self, bytes name, Inode inode):
        """One more name for inode, which is of this file system and no directory."""
        raise Errno(EPERM)

    cpdef unlink(self, bytes name, Inode inode):
        """Remove the name of a non-directory."""
        raise Errno(EPERM)

    cpdef rmdir(self, bytes name, Inode inode):
        """Remove an empty directory; ENOTEMPTY."""
        raise Errno(EPERM)

    cpdef rename(self, bytes name, Inode inode, Inode new_parent, bytes new_name, Inode replaced, unsigned int flags):
        """Move inode to new_parent/new_name; `replaced` is what is there, or None. flags: RENAME_EXCHANGE, RENAME_WHITEOUT."""
        raise Errno(EPERM)

    cpdef bytes readlink(self, object task):
        """The target's text; task matters to /proc/self."""
        raise Errno(EINVAL)

    cpdef object follow(self, object task):
        """Magic links of /proc: the fs.vfs.path.Path they lead to; None for ordinary links."""
        return None

    cpdef File open(self, object task, unsigned int flags):
        """A new File of this inode; caller sets path and flags. O_TRUNC was done by setattr(size=0) before.

        The file's own part only: permissions were checked. May return -EAGAIN-like waits by raising Errno(EAGAIN)
        for fifos.
        """
        raise Errno(EIO)

    cpdef list readdir(self):
        """All entries but . and ..: [(name, ino, S_IF* type)]."""
        raise Errno(ENOTDIR)

    def fsync(self, data_only):
        """fsync(2) of a directory; None or a HostJob. Its names are as safe as the file system makes them."""
        return self.fs.sync_job()

    cpdef refresh(self):
        """Bring the attributes up to date; file systems that others can change override it."""

    cpdef setattr(self, dict changes):
        """Change attributes; keys among mode (permissions only), uid, gid, size, atime_ns, mtime_ns, ctime_ns.

        Without a ctime_ns the time is now, and so is mtime_ns with a new size.
        """
        raise Errno(EPERM)

    cpdef bytes getxattr(self, bytes name):
        """The value; ENODATA."""
        raise Errno(EOPNOTSUPP)

    cpdef setxattr(self, bytes name, bytes value, int flags):
        """Set; XATTR_CREATE, XATTR_REPLACE."""
        raise Errno(EOPNOTSUPP)

    cpdef removexattr(self, bytes name):
        """Remove; ENODATA."""
        raise Errno(EOPNOTSUPP)

    cpdef list listxattr(self):
        """Names."""
        raise Errno(EOPNOTSUPP)
