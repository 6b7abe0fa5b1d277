# SPDX-License-Identifier: Apache-2.0
"""Inodes of pipes and of anon_inode files (eventfd, epoll, timerfd...).

Each kind of anon_inode file has one inode for all its files, as in Linux; each pipe has its own. Their file systems are mounted nowhere.
"""

from fs.vfs.path cimport anonymous_path
from kernel.abi.fs cimport S_IFIFO, S_IFMT

cdef enum:
    ANON_INODE_MAGIC = 0x09041934
    PIPEFS_MAGIC = 0x50495045


cdef class AnonFileSystem(FileSystem):
    """A file system without directories: gives out inode numbers."""

    cpdef dict statfs(self):
        magic = PIPEFS_MAGIC if self.type_name == "pipefs" else ANON_INODE_MAGIC
        return {"type": magic, "bsize": 4096, "namelen": 255, "frsize": 4096}


cdef class AnonInode(Inode):
    """An inode with a label instead of a place: `path`, for its files."""

    cpdef setattr(self, dict changes):
        """fchmod and fchown work on what only descriptors lead to, too."""
        for key, value in changes.items():
            if key == "mode":
                self.mode = self.mode & S_IFMT | value
            elif key != "size":
                setattr(self, key, value)


cdef AnonFileSystem anonymous = AnonFileSystem("anon_inodefs")
cdef AnonFileSystem pipes = AnonFileSystem("pipefs")
cdef dict inodes = {}


cpdef AnonInode anon_inode(bytes kind):
    """The inode of all files of a kind: "[eventfd]" and the like; mode 0600 without a type."""
    inode = inodes.get(kind)
    if inode is None:
        inode = inodes[kind] = new_inode(anonymous, 0o600)
        inode.path = anonymous_path(inode, b"anon_inode:" + kind)
    return inode


cpdef AnonInode pipe_inode(object creds, long long now_ns):
    """A new pipe's inode."""
    cdef AnonInode inode = new_inode(pipes, S_IFIFO | 0o600)
    inode.path = anonymous_path(inode, b"pipe:[%d]" % inode.ino)
    inode.uid, inode.gid = creds.fsuid, creds.fsgid
    inode.atime_ns = inode.mtime_ns = inode.ctime_ns = inode.btime_ns = now_ns
    return inode


cdef AnonInode new_inode(AnonFileSystem fs, unsigned int mode):
    fs.next_ino += 1
    return AnonInode(fs, fs.next_ino, mode)
