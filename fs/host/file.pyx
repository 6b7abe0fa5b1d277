# SPDX-License-Identifier: Apache-2.0
"""Files of the host that were handed to the kernel: standard input, output and error.

Rules: the kernel never waits in a host call; who hands over pipes and terminals has made them O_NONBLOCK, and what is
not is asked for readiness first. They are streams for us, regular files too: the host keeps the position, which descriptors
of one open file share (`2>&1`), so pread and pwrite are ESPIPE while lseek works. Absent: job control of a host's terminal.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from fs.host.descriptor cimport HostDescriptor
from fs.vfs.file cimport File
from fs.vfs.inode cimport FileSystem, Inode
from fs.vfs.path cimport anonymous_path
from gofer cimport libc
from kernel.abi.errno cimport EAGAIN, EINTR, EIO, ENODEV, ENOTTY, ESPIPE, Errno
from kernel.abi.fs cimport O_ACCMODE, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK
from kernel.abi.poll cimport POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.waitqueue cimport WaitQueue

cdef enum:
    CHUNK = 65536
    BLOCKING_CHUNK = 4096                # PIPE_BUF: fits whenever POLLOUT is true

# ioctl command -> (bytes that the host fills, bytes that it reads, with terminals only)
IOCTLS = {
    0x5401: (36, 0, True),               # TCGETS
    0x5402: (0, 36, True),               # TCSETS
    0x5403: (0, 36, True),               # TCSETSW
    0x5404: (0, 36, True),               # TCSETSF
    0x5411: (4, 0, True),                # TIOCOUTQ
    0x5413: (8, 0, True),                # TIOCGWINSZ
    0x5414: (0, 8, True),                # TIOCSWINSZ
    0x541b: (4, 0, False),               # FIONREAD
}
TCXONC, TCFLSH = 0x540a, 0x540b          # their argument is a number

cdef FileSystem host_files = FileSystem("hostfs")
host_files.opens_special = True


cdef class HostInode(Inode):
    """What a host descriptor leads to. Changes of owner and mode are ours only."""

    def __init__(self, object kernel, int fd):
        cdef libc.stat s
        if libc.fstat(fd, &s) < 0:
            raise Errno(libc.errno)
        Inode.__init__(self, host_files, s.st_ino, s.st_mode)
        self.descriptor = HostDescriptor(kernel, fd, s.st_mode)
        self.rdev = s.st_rdev
        self.uid = s.st_uid
        self.gid = s.st_gid
        self.label = b"%s:[%d]" % (LABELS.get(s.st_mode & S_IFMT, b"host"), s.st_ino)
        self.refresh()

    cpdef refresh(self):
        cdef libc.stat s
        if libc.fstat(self.descriptor.fd, &s) == 0:
            self.size = s.st_size
            self.blocks = s.st_blocks
            self.blksize = s.st_blksize
            self.atime_ns = s.st_atim.tv_sec * 1000000000 + s.st_atim.tv_nsec
            self.mtime_ns = s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec
            self.ctime_ns = s.st_ctim.tv_sec * 1000000000 + s.st_ctim.tv_nsec

    cpdef File open(self, object task, unsigned int flags):
        """Again, through /proc/self/fd: the same host descriptor."""
        return HostFile.of(self, flags)

    cpdef setattr(self, dict changes):
        if "size" in changes and self.mode & S_IFMT == S_IFREG:
            if libc.ftruncate(self.descriptor.fd, changes["size"]) < 0:
                raise Errno(libc.errno)
        if "mode" in changes:
            self.mode = self.mode & S_IFMT | changes["mode"] & 0o7777
        self.uid = changes.get("uid", self.uid)
        self.gid = changes.get("gid", self.gid)
        self.refresh()


LABELS = {S_IFIFO: b"pipe", S_IFSOCK: b"socket"}


cdef class HostFile(File):
    """An open host file; `flags` has the access mode."""

    def __init__(self, object kernel, int fd, unsigned int flags):
        self.attach(HostInode(kernel, fd), flags)

    @staticmethod
    def of(HostInode inode, unsigned int flags):
        """One more file of an inode that is in use."""
        cdef HostFile file = HostFile.__new__(HostFile)
        if inode.descriptor.fd < 0:
            raise Errno(EIO)
        file.attach(inode, flags)
        return file

    def attach(self, HostInode inode, unsigned int flags):
        """Become a file of the inode."""
        self.inode = inode
        self.descriptor = inode.descriptor
        self.flags = flags
        self.path = anonymous_path(inode, inode.label)
        inode.users += 1

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t want = min(buf.left(), <Py_ssize_t> CHUNK)
        cdef Py_ssize_t got
        cdef int fd = self.descriptor.fd
        cdef bytes data
        cdef char *start
        if not self.descriptor.nonblocking and not self.descriptor.is_socket and not self.descriptor.ready() & (POLLIN | POLLHUP | POLLERR):
            return self.result(-EAGAIN, POLLIN)
        data = PyBytes_FromStringAndSize(NULL, want)
        start = PyBytes_AS_STRING(data)
        with nogil:
            got = libc.recv(fd, start, want, libc.MSG_DONTWAIT) if self.descriptor.is_socket else libc.read(fd, start, want)
        if got <= 0:
            return self.result(-libc.errno if got < 0 else 0, POLLIN)
        return buf.put(data if got == want else data[:got])

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t total = 0, size, done = 0
        cdef int fd = self.descriptor.fd, error = 0
        cdef bint asks_first = not self.descriptor.nonblocking and not self.descriptor.is_socket
        cdef bytes data
        cdef const char *start
        while buf.left():
            if asks_first and not self.descriptor.ready() & (POLLOUT | POLLERR | POLLHUP):
                error = EAGAIN
                break
            data = buf.take(min(buf.left(), <Py_ssize_t> (BLOCKING_CHUNK if asks_first else CHUNK)))
            start, size = PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
            with nogil:
                if self.descriptor.is_socket:
                    done = libc.send(fd, start, size, libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL)
                else:
                    done = libc.write(fd, start, size)
                error = libc.errno if done < 0 else 0
            buf.give_back(size - max(done, 0))
            total += max(done, 0)
            if done < size:
                break
        return total if total else self.result(-error, POLLOUT)

    cdef long result(self, long count, unsigned int events) except? -1:
        """count; if it says that the host would have waited, the watch is renewed."""
        if count == -EINTR:
            count = -EAGAIN
        if count == -EAGAIN:
            self.descriptor.not_ready(events)
        return count

    cpdef unsigned int poll(self) except? 0xffffffff:
        cdef unsigned int events = self.descriptor.ready()
        self.descriptor.not_ready(~events)
        return events | (POLLRDNORM if events & POLLIN else 0) | (POLLWRNORM if events & POLLOUT else 0)

    cpdef WaitQueue poll_queue(self):
        return self.descriptor.queue

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        """Terminal settings and sizes go through as they are."""
        cdef char data[64]
        if self.descriptor.is_terminal and command in (TCXONC, TCFLSH):
            if libc.ioctl(self.descriptor.fd, command, <int> argument) < 0:
                raise Errno(libc.errno)
            return 0
        fills, reads, terminals_only = IOCTLS.get(command, (0, 0, True))
        if not fills and not reads or terminals_only and not self.descriptor.is_terminal:
            raise Errno(ENOTTY)
        if reads:
            given = task.copy_in(argument, reads)
            memcpy(data, PyBytes_AS_STRING(given), reads)
        if libc.ioctl(self.descriptor.fd, command, data) < 0:
            raise Errno(libc.errno)
        if fills:
            task.copy_out(argument, data[:fills])
        return 0

    cpdef long long seek(self, long long offset, int whence) except? -1:
        """Regular files only; the position is the host's."""
        if self.inode.mode & S_IFMT != S_IFREG:
            raise Errno(ESPIPE)
        offset = libc.lseek(self.descriptor.fd, offset, whence)
        if offset < 0:
            raise Errno(libc.errno)
        self.pos = offset
        return offset

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        """A regular file, if the host descriptor has no right that the file has not."""
        cdef int host_flags = libc.fcntl(self.descriptor.fd, libc.F_GETFL)
        if self.inode.mode & S_IFMT != S_IFREG or host_flags & O_ACCMODE != self.flags & O_ACCMODE:
            raise Errno(ENODEV)
        return self.descriptor.fd, offset

    cpdef release(self):
        cdef HostInode inode = self.inode
        inode.users -= 1
        if inode.users == 0:
            inode.descriptor.close()
