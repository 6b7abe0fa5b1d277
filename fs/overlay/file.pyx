# SPDX-License-Identifier: Apache-2.0
"""Open regular files of an overlay: the real file does the work.

A file that was opened for reading before its inode was copied up goes over to the copy at its next use.
"""

from fs.overlay.inode cimport OverlayInode
from fs.vfs.file cimport File
from kernel.mm.userbuffer cimport UserBuffer
from kernel.sync.pool cimport HostJob
from kernel.sync.waitqueue cimport WaitQueue


cdef class OverlayFile(File):
    """Shows the overlay's inode, reads and writes the real one."""

    def __init__(self, OverlayInode inode, File real, unsigned int flags):
        self.inode = inode
        self.real = real
        self.flags = real.flags = flags
        self.is_above = inode.upper is not None

    cdef File current(self):
        """The real file, with our flags and position."""
        if not self.is_above and (<OverlayInode> self.inode).upper is not None:
            above = (<OverlayInode> self.inode).upper.open(None, self.flags)
            self.real.put()
            self.real = above
            self.is_above = True
        self.real.flags = self.flags
        self.real.pos = self.pos
        return self.real

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return self.current().read(task, buf, pos)

    cpdef long write(self, object task, UserBuffer buf, long long pos) except? -1:
        cdef File real = self.current()
        cdef long count = real.write(task, buf, pos)
        self.pos = real.pos
        (<OverlayInode> self.inode).mirror()
        return count

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        return self.current().ioctl(task, command, argument)

    cpdef bint seekable(self):
        return self.real.seekable()

    cpdef long long seek(self, long long offset, int whence) except? -1:
        self.pos = self.current().seek(offset, whence)
        return self.pos

    cpdef tuple mmap_descriptor(self, int prot, int flags, long long offset, long long length):
        return self.current().mmap_descriptor(prot, flags, offset, length)

    cpdef fsync(self, bint data_only):
        return self.current().fsync(data_only)

    def syncfs(self):
        return self.current().syncfs()

    cpdef WaitQueue poll_queue(self):
        return self.current().poll_queue()

    cpdef fallocate(self, object task, int mode, long long offset, long long length):
        cdef HostJob job = self.current().fallocate(task, mode, offset, length)
        if job is None:
            (<OverlayInode> self.inode).mirror()
        else:
            job.after.append(self.inode.mirrored)
        return job

    cpdef release(self):
        self.real.put()
