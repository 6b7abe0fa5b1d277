# SPDX-License-Identifier: Apache-2.0
"""Root directory, working directory, umask and mount namespace of a task."""

from fs.vfs.path cimport make_path


cdef class FsContext:
    """What clone(CLONE_FS) shares."""

    def __init__(self, Path root, Path cwd, unsigned int umask, mounts):
        self.root = root
        self.cwd = cwd
        self.umask = umask
        self.mounts = mounts

    cpdef FsContext copy(self):
        """For fork and unshare(CLONE_FS)."""
        return FsContext(self.root, self.cwd, self.umask, self.mounts)

    cpdef new_namespace(self):
        """CLONE_NEWNS: a copy of the mount namespace; root and working directory go over to it."""
        self.mounts, new_of = self.mounts.copy()
        self.root = translate(self.root, new_of)
        self.cwd = translate(self.cwd, new_of)


cdef Path translate(Path path, dict new_of):
    mount = new_of.get(path.mount)
    return path if mount is None else make_path(mount, path.dentry)
