# SPDX-License-Identifier: Apache-2.0
"""memfd_create(2): files of a tmpfs that is mounted nowhere, and their seals (fcntl(2), F_ADD_SEALS).

Seals are kept twice: here, for everything that goes through the kernel, and as seals of the host's memfd, which knows about mappings: the
host refuses F_SEAL_WRITE while guests have the file mapped writable.
"""

from libc.errno cimport errno as host_errno

from kernel.abi.errno cimport EINVAL, EPERM, Errno
from kernel.abi.fs cimport (
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, O_ACCMODE, O_LARGEFILE, O_RDONLY, O_RDWR,
    S_IFREG,
)

from fs.tmpfs.file cimport TmpfsFile
from fs.tmpfs.inode cimport Tmpfs, TmpfsRegular
from fs.vfs.file cimport File
from fs.vfs.path cimport anonymous_path

cdef extern from "<fcntl.h>" nogil:
    int fcntl(int fd, int command, ...)
    enum:
        HOST_F_ADD_SEALS "F_ADD_SEALS"

cdef enum:
    ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC
    EXECUTE_BITS = 0o111

MAX_NAME = 249

cdef Tmpfs memfds = None


def new_memfd(bytes name, creds, bint sealable, bint no_exec):
    """An open, empty, nameless file."""
    cdef TmpfsRegular inode
    cdef File file
    global memfds
    if memfds is None:
        memfds = Tmpfs("size=0,nr_inodes=0")
    inode = TmpfsRegular(memfds, S_IFREG | (0o666 if no_exec else 0o777))
    inode.uid, inode.gid = creds.fsuid, creds.fsgid
    inode.nlink = 0
    inode.seals = 0 if sealable else F_SEAL_SEAL
    if no_exec:
        inode.seals |= F_SEAL_EXEC
    file = TmpfsFile(inode)
    file.flags = O_RDWR | O_LARGEFILE
    file.path = anonymous_path(inode, b"/memfd:" + name + b" (deleted)")
    return file


def get_seals(File file):
    """F_GET_SEALS; EINVAL for files that can't have any."""
    if not isinstance(file.inode, TmpfsRegular):
        raise Errno(EINVAL)
    return (<TmpfsRegular> file.inode).seals


def add_seals(File file, unsigned int seals):
    """F_ADD_SEALS: EBUSY for F_SEAL_WRITE while the file is mapped writable."""
    cdef TmpfsRegular inode
    cdef unsigned int on_host = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
    if file.flags & O_ACCMODE == O_RDONLY:
        raise Errno(EPERM)
    if seals & ~(<unsigned int> ALL_SEALS) or not isinstance(file.inode, TmpfsRegular):
        raise Errno(EINVAL)
    inode = file.inode
    if inode.seals & F_SEAL_SEAL:
        raise Errno(EPERM)
    if seals & F_SEAL_EXEC and inode.mode & EXECUTE_BITS:
        seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
    if on_host & ~inode.seals:
        inode.storage.to_memfd()
        if fcntl(inode.storage.memfd, HOST_F_ADD_SEALS, on_host) < 0:
            raise Errno(host_errno)
    inode.seals |= seals
