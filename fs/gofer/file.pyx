# SPDX-License-Identifier: Apache-2.0
"""Open regular files of the gofer's trees: they use the donated descriptor directly.

The descriptor is shared with the inode's other files of the same access mode, so its own position and status flags are
never used: positions are explicit, O_APPEND and O_SYNC are asked for write by write.
The kernel's thread does not wait for the disk: what the host does not have in its page cache is fetched by the pool while the task waits
(-EAGAIN, once for each position); writes go to the pool when they must be safe at once, and for a while after the host has slowed one
down; fsync and fallocate give the caller the job. Callers that can't wait, and file systems without RWF_NOWAIT, are served at once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from fs.gofer.connection cimport HostHandle
from fs.gofer.inode cimport GoferFileSystem, GoferInode
from fs.vfs.file cimport File
from gofer cimport libc
from kernel.abi.errno cimport EACCES, EAGAIN, EINVAL, ENXIO, EOPNOTSUPP, EOVERFLOW, Errno
from kernel.abi.fs cimport (
    O_ACCMODE, O_APPEND, O_DSYNC, O_SYNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
)
from kernel.mm.userbuffer cimport GuestBuffer, UserBuffer
from kernel.sync.moved cimport Moved
from kernel.sync.pool cimport FALLOCATE, FDATASYNC, FSYNC, READ_AHEAD, SYNCFS, WRITE, HostJob, host_job
from kernel.sync.waitqueue cimport WaitQueue

cdef enum:
    CHUNK = 262144
    SLOW_WRITE_NS = 5000000              # so long a write into the page cache takes only if the host slows the writer down
    SLOW_FOR_NS = 500000000
    SMALL_WRITE = 4096                   # never worth a change of threads

cdef long long slow_until_ns = 0
cdef long long DAY_NS = 86400000000000


cdef GoferFile gofer_file(GoferInode inode, HostHandle handle):
    """A new one; the handle gets one more user."""
    cdef GoferFile file = GoferFile.__new__(GoferFile)
    file.inode = inode
    file.handle = handle
    handle.users += 1
    return file


cdef class GoferFile(File):
    """A regular file on the host."""

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t total = 0, got = 0, want
        cdef bytes data
        cdef char *start
        cdef bint waits = not self.handle.waits and can_wait(task, buf)
        while buf.left():
            want = min(buf.left(), <Py_ssize_t> CHUNK)
            data = PyBytes_FromStringAndSize(NULL, want)
            start = PyBytes_AS_STRING(data)
            got = self.read_cached(start, want, pos + total) if waits else -EAGAIN
            if got == -EAGAIN:
                if waits and self.fetch(task, pos + total, want):
                    return total or -EAGAIN
                with nogil:
                    got = libc.pread(self.handle.fd, start, want, pos + total)
                got = -libc.errno if got < 0 else got
            if got < 0:
                return total or got
            if got == 0:
                break
            if total:
                try:
                    want = buf.put(data if got == want else data[:got])
                except Errno:
                    break
            else:
                want = buf.put(data if got == want else data[:got])
            total += want
            if want < got or got < CHUNK:
                break
        if total:
            self.was_read()
        return total

    cdef int was_read(self) noexcept:
        """The host sets the access time where Linux's relatime says so: what we know of it is old then."""
        cdef GoferInode inode = <GoferInode> self.inode
        if inode.atime_ns <= inode.mtime_ns or inode.atime_ns <= inode.ctime_ns or wall_ns() - inode.atime_ns >= DAY_NS:
            inode.stale = True
        return 0

    cdef Py_ssize_t read_cached(self, char *start, Py_ssize_t want, long long pos):
        """What the host has in memory, maybe less: the count, -errno; -EAGAIN if it would have to wait, or does not know."""
        cdef libc.iovec piece
        cdef Py_ssize_t got
        piece.iov_base, piece.iov_len = start, want
        got = libc.preadv2(self.handle.fd, &piece, 1, pos, libc.RWF_NOWAIT)    # never sleeps: the GIL is kept
        if got >= 0:
            return got
        if libc.errno == EOPNOTSUPP:
            self.handle.waits = True
            return -EAGAIN
        return -libc.errno

    cdef bint fetch(self, Task task, long long pos, Py_ssize_t length) except -1:
        """Have the pool bring a range into memory; False if it is to be read at once: it has been brought already, or can't be."""
        cdef Moved moved
        cdef HostJob job
        if self.handle.waits:
            return False
        moved = progress_of(task)
        job = moved.job
        if job is None or job.is_done and job.work.offset != pos:
            job = moved.job = host_job(READ_AHEAD, self.handle.fd, pos, length)
            job.queue = self.waiters
            job.submit(task.kernel)
        if not job.is_done:
            return True
        moved.job = None
        return False

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef Py_ssize_t total = 0, done
        cdef bytes data
        cdef int flags = self.write_flags()
        cdef Moved moved = None
        if isinstance(task, Task) and isinstance((<Task> task).progress, Moved):
            moved = (<Task> task).progress
            if moved.job is not None and moved.job.work.kind == WRITE:
                return self.end_of_job(moved, buf)
        while buf.left():
            try:
                data = buf.take(min(buf.left(), <Py_ssize_t> CHUNK))
            except Errno:
                if total == 0:
                    raise
                break
            if PyBytes_GET_SIZE(data) and self.may_be_slow(data, flags) and isinstance(buf, GuestBuffer) and can_wait(task, buf):
                if total == 0:
                    return self.give_to_pool(task, buf, data, pos, flags)
                buf.give_back(PyBytes_GET_SIZE(data))
                break
            done = self.write_now(data, pos + total, flags)
            if done < 0 and total == 0:
                return done
            done = max(done, 0)
            buf.give_back(PyBytes_GET_SIZE(data) - done)
            total += done
            if done < PyBytes_GET_SIZE(data) or done < CHUNK:
                break
        self.written(total)
        return total

    cdef int written(self, Py_ssize_t count) except -1:
        """Size, and position of who appends."""
        if self.handle.fd >= 0:
            (<GoferInode> self.inode).fill_from_host(self.handle.fd)
        if self.flags & O_APPEND and count > 0:
            self.pos = (<GoferInode> self.inode).size
        return 0

    cdef Py_ssize_t write_now(self, bytes data, long long pos, int flags):
        """The count or -errno; notices when the host makes writers wait."""
        global slow_until_ns
        cdef libc.iovec piece
        cdef Py_ssize_t done
        cdef long long began = now_ns(), ended
        piece.iov_base, piece.iov_len = PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
        with nogil:
            done = libc.pwritev2(self.handle.fd, &piece, 1, pos, flags)
            done = -libc.errno if done < 0 else done
        ended = now_ns()
        if ended - began > SLOW_WRITE_NS:
            slow_until_ns = ended + SLOW_FOR_NS
        return done

    cdef bint may_be_slow(self, bytes data, int flags):
        """The host will wait for the disk in this write, or has done so lately."""
        if flags & (libc.RWF_SYNC | libc.RWF_DSYNC):
            return True
        return slow_until_ns and PyBytes_GET_SIZE(data) >= SMALL_WRITE and now_ns() < slow_until_ns

    cdef long give_to_pool(self, object task, UserBuffer buf, bytes data, long long pos, int flags) except? -1:
        """Write by another thread: -EAGAIN; the next attempt has the result."""
        cdef HostJob job = host_job(WRITE, self.handle.fd, pos, 0, flags, data)
        cdef Moved moved = progress_of(task)
        buf.give_back(PyBytes_GET_SIZE(data))
        moved.job = job
        job.queue = self.waiters
        job.after.append(self.refresh_inode)
        job.submit((<Task> task).kernel)
        return self.end_of_job(moved, buf)

    cdef long end_of_job(self, Moved moved, UserBuffer buf) except? -1:
        """Of a write that the pool makes: -EAGAIN, or its result; the buffer stands behind what was written then."""
        cdef long done
        if not moved.job.is_done:
            return -EAGAIN
        done = moved.job.work.result
        moved.job = None
        if done > 0:
            try:
                buf.take(done)
            except Errno:
                pass                     # the memory is gone; what was in it is written
        self.written(done)
        return done

    def refresh_inode(self):
        """The pool has changed the file."""
        self.written(0)

    cdef int write_flags(self):
        """RWF_* for this file's status flags."""
        cdef int flags = libc.RWF_APPEND if self.flags & O_APPEND else 0
        if self.flags & O_SYNC == O_SYNC:
            return flags | libc.RWF_SYNC
        return flags | (libc.RWF_DSYNC if self.flags & O_DSYNC else 0)

    cpdef bint seekable(self):
        return True

    cpdef long long seek(self, long long offset, int whence) except? -1:
        cdef long long base = 0
        if whence == SEEK_DATA or whence == SEEK_HOLE:
            offset = libc.lseek(self.handle.fd, offset, whence) if offset >= 0 else -ENXIO
            if offset < 0:
                raise Errno(libc.errno if offset == -1 else ENXIO)
        elif whence == SEEK_CUR:
            base = self.pos
        elif whence == SEEK_END:
            (<GoferInode> self.inode).fill_from_host(self.handle.fd)
            base = (<GoferInode> self.inode).size
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if offset > 0 and base > 0x7fffffffffffffff - offset:
            raise Errno(EOVERFLOW)
        if base + offset < 0:
            raise Errno(EINVAL)
        self.pos = base + offset
        return self.pos

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        if self.flags & O_ACCMODE == O_WRONLY:
            raise Errno(EACCES)
        (<GoferInode> self.inode).stale = True
        return self.handle.fd, offset

    cpdef WaitQueue poll_queue(self):
        return self.waiters              # fired by our jobs

    cpdef fsync(self, bint data_only):
        """The job that does it."""
        return host_job(FDATASYNC if data_only else FSYNC, self.handle.fd)

    def syncfs(self):
        """The job that writes back the host's file system."""
        return host_job(SYNCFS, self.handle.fd)

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        """The job that does it."""
        cdef HostJob job = host_job(FALLOCATE, self.handle.fd, offset, length, mode)
        job.after.append(self.refresh_inode)
        return job

    cpdef release(self):
        """The last file closes the descriptor, or leaves it for the next one if the tree is ours alone."""
        cdef GoferInode inode = self.inode
        cdef HostHandle handle = self.handle
        handle.users -= 1
        if handle.users or handle.fd < 0:
            return
        if handle is not inode.reading or not (<GoferFileSystem> inode.fs).exclusive:
            inode.fill_from_host(handle.fd)
        if (<GoferFileSystem> inode.fs).exclusive and inode.nlink:
            (<GoferFileSystem> inode.fs).keep_idle(handle)
        else:
            handle.close()


cdef bint can_wait(object task, UserBuffer buf):
    """The caller attempts again after -EAGAIN: it has begun to keep its progress, or is a plain read or write of guest memory."""
    if not isinstance(task, Task):
        return False
    progress = (<Task> task).progress
    return isinstance(buf, GuestBuffer) if progress is None else isinstance(progress, Moved)


cdef Moved progress_of(Task task):
    if task.progress is None:
        task.progress = Moved()
    return task.progress


cdef long long wall_ns() noexcept:
    cdef libc.timespec now
    libc.clock_gettime(libc.CLOCK_REALTIME_COARSE, &now)
    return now.tv_sec * 1000000000 + now.tv_nsec


cdef long long now_ns() noexcept nogil:
    cdef libc.timespec now
    libc.clock_gettime(libc.CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000000000 + now.tv_nsec
