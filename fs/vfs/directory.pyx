# SPDX-License-Identifier: Apache-2.0
"""Open directories, of every file system.

What is listed is what was there when the position was last 0; the position is the number of entries given out, so telldir and seekdir work.
Entries that come or go in between are seen at the next rewind, which POSIX leaves open.
"""

from libc.string cimport memcpy, memset

from kernel.abi.errno cimport EINVAL, EISDIR, ENOENT, Errno
from kernel.abi.fs cimport S_IFDIR, SEEK_CUR, SEEK_SET
from kernel.mm.userbuffer cimport UserBuffer

from fs.vfs.atime cimport touch_atime
from fs.vfs.path cimport Path

cdef packed struct linux_dirent64:
    unsigned long ino
    long long off
    unsigned short reclen
    unsigned char type
    # the name and a NUL follow

cdef enum:
    HEADER_64 = 19
    HEADER_OLD = 18                      # ino, off, reclen; the type is the record's last byte
    MAX_CAPACITY = 1 << 20


cdef class DirectoryFile(File):
    """A directory, open for reading."""

    def __init__(self, inode, unsigned int flags=0):
        self.inode = inode
        self.flags = flags

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        return -EISDIR

    cpdef long long seek(self, long long offset, int whence) except? -1:
        """To a position that getdents gave, or back to 0."""
        if whence == SEEK_CUR:
            offset += self.pos
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if offset < 0:
            raise Errno(EINVAL)
        self.pos = offset
        return offset

    cpdef bint seekable(self):
        return False

    cpdef fsync(self, bint data_only):
        """Names are as safe as the file system makes them."""
        return self.inode.fsync(data_only)

    cpdef bytes dirents(self, Py_ssize_t capacity, bint old_layout):
        """Records for getdents64(2) or getdents(2), as many as fit; b"" at the end, EINVAL if not one fits. Moves the position."""
        cdef Py_ssize_t used = 0, length
        cdef bytearray out = bytearray(min(capacity, MAX_CAPACITY))
        cdef list entries = self.snapshot()
        cdef bytes name
        while self.pos < len(entries):
            name, ino, kind = entries[self.pos]
            length = (HEADER_64 + len(name) + 1 + 7) & ~7
            if used + length > len(out):
                break
            if old_layout:
                pack_old(<char *> out + used, length, ino, self.pos + 1, kind >> 12, name)
            else:
                pack_64(<char *> out + used, length, ino, self.pos + 1, kind >> 12, name)
            used += length
            self.pos += 1
        if used == 0 and self.pos < len(entries):
            raise Errno(EINVAL)
        return bytes(out[:used])

    cdef list snapshot(self):
        cdef Path path = self.path
        if self.entries is not None and self.pos > 0:
            return self.entries
        if path is not None and path.dentry.unlinked:
            raise Errno(ENOENT)
        parent = self.inode
        if path is not None and path.dentry.parent is not None:
            parent = path.dentry.parent.inode
        self.entries = [(b".", self.inode.ino, S_IFDIR), (b"..", parent.ino, S_IFDIR)]
        self.entries += self.inode.readdir()
        touch_atime(self)
        return self.entries


cdef void pack_64(char *at, Py_ssize_t length, unsigned long ino, long long off, unsigned char kind, bytes name):
    cdef linux_dirent64 *record = <linux_dirent64 *> at
    record.ino, record.off, record.reclen, record.type = ino, off, length, kind
    memcpy(at + HEADER_64, <const char *> name, len(name))


cdef void pack_old(char *at, Py_ssize_t length, unsigned long ino, long long off, unsigned char kind, bytes name):
    cdef linux_dirent64 *record = <linux_dirent64 *> at
    record.ino, record.off, record.reclen = ino, off, length
    memset(at + HEADER_OLD, 0, length - HEADER_OLD)
    memcpy(at + HEADER_OLD, <const char *> name, len(name))
    at[length - 1] = kind
