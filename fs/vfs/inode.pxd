# SPDX-License-Identifier: Apache-2.0
# A file system object and the file system it lives in. Subclasses are the file systems.

from fs.vfs.file cimport File


cpdef unsigned long new_anonymous_dev()
cpdef set_clock(clock)                   # anything with realtime_ns(); until then the host's clock is read
cpdef long long now_ns() except? -1      # ns since the epoch, for timestamps


cdef class Inode


cdef class FileSystem:                   # "super block": one mounted instance, may be mounted many times
    cdef public str type_name            # as in /proc/filesystems: tmpfs, proc, 9p...
    cdef public unsigned long dev        # st_dev, from new_anonymous_dev()
    cdef public bint read_only
    cdef public str source               # first field of /proc/mounts
    cdef public Inode root
    cdef public bint cache_dentries      # positive and negative lookups stay valid until changed from inside
    cdef public bint opens_special       # Inode.open is called for device nodes, fifos and sockets too
    cdef public int nr_mounts            # places where it is mounted, in all namespaces
    cdef public object root_dentry       # fs.vfs.dentry.Dentry of root: all mounts share one tree; None until mounted
    cpdef dict statfs(self)
    cpdef sync(self)
    cpdef unmounted(self)
    cpdef str show_options(self)


cdef class Inode:
    cdef public FileSystem fs
    cdef public unsigned long ino
    cdef public unsigned int mode        # S_IF* | permissions
    cdef public unsigned int nlink
    cdef public unsigned int uid
    cdef public unsigned int gid
    cdef public unsigned long rdev       # as in stat: makedev(major, minor)
    cdef public long long size           # bytes
    cdef public long long blocks         # of 512 bytes
    cdef public unsigned int blksize
    cdef public long long atime_ns       # since the epoch
    cdef public long long mtime_ns
    cdef public long long ctime_ns
    cdef public long long btime_ns
    cdef public object watches           # inotify marks; None while nobody watches
    cdef public object locks             # flock and POSIX locks; None while there are none
    cdef public object socket            # AF_UNIX socket bound here; None
    cdef public bint linkable            # nameless (O_TMPFILE), and linkat may give it a name
    cdef public int writers              # open for writing; negative: being executed, nobody may write (ETXTBSY)
    cdef public object pipe              # fs.pipe.pipe.Pipe of an open fifo; None

    cpdef Inode lookup(self, bytes name)
    cpdef Inode create(self, bytes name, unsigned int mode, object creds)
    cpdef Inode mkdir(self, bytes name, unsigned int mode, object creds)
    cpdef Inode mknod(self, bytes name, unsigned int mode, unsigned long rdev, object creds)
    cpdef Inode symlink(self, bytes name, bytes target, object creds)
    cpdef Inode tmpfile(self, unsigned int mode, object creds)
    cpdef link(self, bytes name, Inode inode)
    cpdef unlink(self, bytes name, Inode inode)
    cpdef rmdir(self, bytes name, Inode inode)
    cpdef rename(self, bytes name, Inode inode, Inode new_parent, bytes new_name, Inode replaced, unsigned int flags)
    cpdef bytes readlink(self, object task)
    cpdef File open(self, object task, unsigned int flags)
    cpdef list readdir(self)
    cpdef refresh(self)
    cpdef setattr(self, dict changes)
    cpdef bytes getxattr(self, bytes name)
    cpdef setxattr(self, bytes name, bytes value, int flags)
    cpdef removexattr(self, bytes name)
    cpdef list listxattr(self)
    cpdef object follow(self, object task)
