# SPDX-License-Identifier: Apache-2.0
"""Root directory, working directory, umask and mount namespace of a task."""

from fs.vfs.path cimport make_path


cdef class FsContext:
    """What clone(CLONE_FS) shares."""

    def __init__(self, mounts, Path root=None, Path cwd=None, unsigned int umask=0o022):
        self.mounts = mounts
        self.root = mounts.root_path() if root is None else root
        self.cwd = self.root if cwd is None else cwd
        self.umask = umask

    cpdef FsContext copy(self):
        """For fork and unshare(CLONE_FS)."""
        return FsContext(self.mounts, self.root, self.cwd, self.umask)

    cpdef new_namespace(self):
        """CLONE_NEWNS: a copy of the mount namespace; root and working directory go over to it."""
        self.mounts, new_of = self.mounts.copy()
        self.root = translate(self.root, new_of)
        self.cwd = translate(self.cwd, new_of)


cdef Path translate(Path path, dict new_of):
    mount = new_of.get(path.mount)
    return path if mount is None else make_path(mount, path.dentry)
