# SPDX-License-Identifier: Apache-2.0
# The host calls of the file server, and their constants from the C library's headers. Declarations only: no module.

cdef extern from "errno.h" nogil:
    int errno
    enum:
        EAGAIN, EINTR

cdef extern from "fcntl.h" nogil:
    enum:
        O_ACCMODE, O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_SYNC
        O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_PATH, O_TMPFILE, O_NOCTTY, O_NOATIME, O_LARGEFILE
        AT_FDCWD, AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW
        F_RDLCK, F_WRLCK, F_UNLCK, F_OFD_SETLK, F_OFD_GETLK, F_GETFL
    struct flock:
        short l_type
        short l_whence
        long l_start
        long l_len
        int l_pid
    int openat(int dirfd, const char *path, int flags, ...)
    int fcntl(int fd, int command, ...)
    int fallocate(int fd, int mode, long offset, long length)

cdef extern from "sys/stat.h" nogil:
    enum:
        S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_ISUID, S_ISGID
        UTIME_NOW, UTIME_OMIT
        STATX_BASIC_STATS, STATX_BTIME
    struct timespec:
        long tv_sec
        long tv_nsec
    struct stat:
        unsigned long st_dev
        unsigned long st_ino
        unsigned int st_mode
        unsigned long st_nlink
        unsigned int st_uid
        unsigned int st_gid
        unsigned long st_rdev
        long st_size
        long st_blksize
        long st_blocks
        timespec st_atim
        timespec st_mtim
        timespec st_ctim
    struct statx_timestamp:
        long tv_sec
        unsigned int tv_nsec
    struct statx_t "statx":
        unsigned int stx_mask
        unsigned int stx_blksize
        unsigned int stx_nlink
        unsigned int stx_uid
        unsigned int stx_gid
        unsigned short stx_mode
        unsigned long stx_ino
        unsigned long stx_size
        unsigned long stx_blocks
        statx_timestamp stx_atime
        statx_timestamp stx_btime
        statx_timestamp stx_ctime
        statx_timestamp stx_mtime
        unsigned int stx_rdev_major
        unsigned int stx_rdev_minor
        unsigned int stx_dev_major
        unsigned int stx_dev_minor
    int statx(int dirfd, const char *path, int flags, unsigned int mask, statx_t *result)
    enum:
        OPEN_TREE_CLONE "1"
        OPEN_TREE_CLOEXEC "O_CLOEXEC"
    int mkdirat(int dirfd, const char *path, unsigned int mode)
    int mknodat(int dirfd, const char *path, unsigned int mode, unsigned long rdev)
    int fchmodat(int dirfd, const char *path, unsigned int mode, int flags)
    int utimensat(int dirfd, const char *path, const timespec *times, int flags)
    unsigned int umask(unsigned int mask)

cdef extern from "unistd.h" nogil:
    enum:
        SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE
    int close(int fd)
    int dup(int fd)
    int fchdir(int fd)
    long lseek(int fd, long offset, int whence)
    int isatty(int fd)
    long read(int fd, void *data, size_t size)
    long write(int fd, const void *data, size_t size)
    long pread(int fd, void *data, size_t count, long offset)
    long pwrite(int fd, const void *data, size_t count, long offset)
    long readlinkat(int dirfd, const char *path, char *data, size_t size)
    long syscall(long number, ...)
    int fchownat(int dirfd, const char *path, unsigned int uid, unsigned int gid, int flags)
    int ftruncate(int fd, long length)
    int linkat(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path, int flags)
    int symlinkat(const char *target, int dirfd, const char *path)
    int unlinkat(int dirfd, const char *path, int flags)
    int fsync(int fd)
    int fdatasync(int fd)
    int syncfs(int fd)

cdef extern from "stdio.h" nogil:
    int renameat2(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path, unsigned int flags)
    int snprintf(char *text, size_t size, const char *format, ...)

cdef extern from "time.h" nogil:
    enum:
        CLOCK_MONOTONIC
        CLOCK_REALTIME_COARSE
    int clock_gettime(int clock, timespec *now)

cdef extern from "dirent.h" nogil:
    struct dirent64:
        unsigned long d_ino
        long d_off
        unsigned short d_reclen
        unsigned char d_type
        char d_name[256]
    enum:
        DT_DIR, DT_LNK

cdef extern from "sys/sysmacros.h" nogil:
    unsigned long makedev(unsigned int major, unsigned int minor)

cdef extern from "sys/statfs.h" nogil:
    struct statfs:
        long f_type
        long f_bsize
        unsigned long f_blocks
        unsigned long f_bfree
        unsigned long f_bavail
        unsigned long f_files
        unsigned long f_ffree
        long f_namelen
        long f_frsize
    int fstatfs(int fd, statfs *result)

cdef extern from "sys/xattr.h" nogil:
    long getxattr(const char *path, const char *name, void *value, size_t size)
    int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
    int removexattr(const char *path, const char *name)
    long listxattr(const char *path, char *names, size_t size)

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    enum:
        RWF_APPEND, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT
    long preadv2(int fd, const iovec *pieces, int count, long offset, int flags)
    long pwritev2(int fd, const iovec *pieces, int count, long offset, int flags)

cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_DONTWAIT, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC, MSG_CTRUNC, SOL_SOCKET, SCM_RIGHTS
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    long recv(int fd, void *data, size_t size, int flags)
    long send(int fd, const void *data, size_t size, int flags)
    long sendmsg(int fd, const msghdr *message, int flags)
    long recvmsg(int fd, msghdr *message, int flags)
    cmsghdr *CMSG_FIRSTHDR(msghdr *message)
    cmsghdr *CMSG_NXTHDR(msghdr *message, cmsghdr *control)
    unsigned char *CMSG_DATA(cmsghdr *control)
    size_t CMSG_LEN(size_t size)
    size_t CMSG_SPACE(size_t size)

cdef extern from "sys/ioctl.h" nogil:
    int ioctl(int fd, unsigned long command, ...)

cdef extern from "poll.h" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    enum:
        POLLIN, POLLOUT, POLLHUP, POLLERR
    int poll(pollfd *entries, unsigned long count, int timeout_ms)

cdef extern from "sys/syscall.h" nogil:
    enum:
        SYS_getdents64, SYS_open_tree, SYS_fstat


cdef inline int fstat(int fd, stat *result) noexcept nogil:
    # The C library's would use newfstatat, which the jails don't allow.
    return <int> syscall(SYS_fstat, <long> fd, result)
