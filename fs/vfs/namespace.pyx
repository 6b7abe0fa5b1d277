# SPDX-License-Identifier: Apache-2.0
"""Mount namespaces (mount_namespaces(7)): a tree of mounts, and what mount(2), umount2(2) and pivot_root(2) do to it.

Permissions (CAP_SYS_ADMIN) are the callers' business. Mounts never propagate between namespaces.
"""

from kernel.abi.errno cimport EAGAIN, EBUSY, EINVAL, ELOOP, ENOENT, ENOSPC, ENOTDIR, Errno
from kernel.abi.fs cimport MNT_DETACH, MNT_EXPIRE, S_IFDIR, S_IFMT

from fs.vfs.dentry cimport Dentry, forget_tree, root_dentry
from fs.vfs.inode cimport FileSystem
from fs.vfs.mount cimport Mount
from fs.vfs.path cimport Path, make_path

cdef enum:
    MAX_MOUNTS = 100000


cdef class MountNamespace:
    """All mounts that a set of tasks sees."""

    cdef public Mount root
    cdef public dict mounts              # id -> Mount, in the order of mounting
    cdef public unsigned long ino        # /proc/*/ns/mnt
    cdef public object waiters           # fs users that poll /proc/mounts: WaitQueue, or None
    cdef public int event                # raised at every change

    def __init__(self, Mount root):
        self.mounts = {}
        self.root = root
        self.adopt(root)

    cdef adopt(self, Mount mount):
        self.mounts[mount.id] = mount
        mount.namespace = self
        mount.fs.nr_mounts += 1
        self.changed()

    cdef expel(self, Mount mount):
        del self.mounts[mount.id]
        mount.namespace = None
        mount.fs.nr_mounts -= 1
        if mount.fs.nr_mounts == 0:
            forget_tree(root_dentry(mount.fs))
        self.changed()

    cdef changed(self):
        self.event += 1
        if self.waiters is not None:
            self.waiters.wake()

    def root_path(self):
        """The root directory."""
        return self.top(make_path(self.root, self.root.root))

    def top(self, Path path):
        """What is visible at path: the root of the uppermost mount there."""
        cdef Mount mount = path.mount, above
        cdef Dentry dentry = path.dentry
        while dentry.nr_mounts:
            above = mount.children.get(dentry)
            if above is None:
                break
            mount, dentry = above, above.root
        return make_path(mount, dentry)

    def mount(self, FileSystem fs, Path path, unsigned long flags=0):
        """Show fs at path; returns the Mount. ENOTDIR, EBUSY if it is mounted there already."""
        path = self.top(path)
        if path.mount.fs is fs and path.dentry is path.mount.root:
            raise Errno(EBUSY)
        mount = Mount(fs, root_dentry(fs), flags)
        self.graft(mount, path)
        return mount

    def bind(self, Path source, Path path, bint recursive=False):
        """Show source at path once more; with recursive, what is mounted under it too. Flags are the source's."""
        if source.mount.namespace is not self or source.mount.propagation == "unbindable":
            raise Errno(EINVAL)
        mount = clone_tree(source.mount, source.dentry) if recursive else source.mount.clone(source.dentry)
        self.graft(mount, self.top(path))
        return mount

    def move(self, Path source, Path path):
        """MS_MOVE: EINVAL unless source is the root of a mount that has a parent; ELOOP into itself."""
        cdef Mount mount = source.mount
        path = self.top(path)
        if source.dentry is not mount.root or mount.parent is None or mount.namespace is not self or path.mount.namespace is not self:
            raise Errno(EINVAL)
        require_same_kind(mount.root, path.dentry)
        if path.mount.below(mount):
            raise Errno(ELOOP)
        mount.detach()
        mount.attach(path.mount, path.dentry)
        self.changed()

    cdef graft(self, Mount mount, Path path):
        """Attach a mount, with its children, to this namespace."""
        tree = subtree(mount)
        if path.mount.namespace is not self:
            raise Errno(EINVAL)
        require_same_kind(mount.root, path.dentry)
        if len(self.mounts) + len(tree) > MAX_MOUNTS:
            raise Errno(ENOSPC)
        mount.attach(path.mount, path.dentry)
        for each in tree:
            self.adopt(each)

    def umount(self, Path path, int flags=0):
        """umount2(2). EINVAL: no mount there; EBUSY: in use, and not MNT_DETACH; EAGAIN: MNT_EXPIRE for the first time."""
        cdef Mount mount = path.mount
        if path.dentry is not mount.root or mount.namespace is not self:
            raise Errno(EINVAL)
        if mount.parent is None:
            raise Errno(EINVAL if flags & MNT_DETACH else EBUSY)
        if flags & MNT_DETACH:
            for each in subtree(mount):
                self.expel(each)
            mount.detach()
            return
        if mount.children or mount.users > 1:      # path itself is one
            raise Errno(EBUSY)
        if flags & MNT_EXPIRE and not mount.expiring:
            mount.expiring = True
            raise Errno(EAGAIN)
        if mount.fs.nr_mounts == 1:
            mount.fs.sync()
        self.expel(mount)
        mount.detach()
        if mount.fs.nr_mounts == 0:
            mount.fs.unmounted()

    def pivot_root(self, Path new, Path old, Path root):
        """pivot_root(2): new becomes the root of the namespace, and what was the root (the caller's) is shown at old."""
        cdef Mount new_mount = new.mount, root_mount = root.mount
        check_pivot(new, old, root)
        old_parent, old_mountpoint = root_mount.parent, root_mount.mountpoint
        new_mount.detach()
        root_mount.detach()
        root_mount.attach(old.mount, old.dentry)
        if old_parent is None:
            self.root = new_mount
        else:
            new_mount.attach(old_parent, old_mountpoint)
        self.changed()

    def copy(self):
        """A namespace with the same tree for unshare and clone(CLONE_NEWNS), and the map from old to new mounts."""
        cdef dict new_of = {}
        cdef MountNamespace copy = MountNamespace(copy_mount(self.root, self.root.root, new_of))
        for mount in subtree(copy.root)[1:]:
            copy.adopt(mount)
        return copy, new_of


cdef check_pivot(Path new, Path old, Path root):
    """The long list of what pivot_root(2) does not allow."""
    namespace = root.mount.namespace
    if namespace is None or new.mount.namespace is not namespace or old.mount.namespace is not namespace:
        raise Errno(EINVAL)
    if new.dentry.unlinked:
        raise Errno(ENOENT)
    if new.mount is root.mount or old.mount is root.mount:
        raise Errno(EBUSY)
    if root.dentry is not root.mount.root or new.dentry is not new.mount.root or new.mount.parent is None:
        raise Errno(EINVAL)
    if not inside(old, new) or not inside(new, root):
        raise Errno(EINVAL)


cdef bint inside(Path path, Path ancestor):
    """path can be reached from ancestor."""
    cdef Mount mount = path.mount
    cdef Dentry dentry = path.dentry
    while mount is not ancestor.mount:
        if mount.parent is None:
            return False
        dentry, mount = mount.mountpoint, mount.parent
    return dentry.below(ancestor.dentry)


cdef require_same_kind(Dentry what, Dentry where):
    """A directory goes on a directory, anything else on anything else."""
    if where.unlinked or where.inode is None:
        raise Errno(ENOENT)
    if (what.inode.mode & S_IFMT == S_IFDIR) != (where.inode.mode & S_IFMT == S_IFDIR):
        raise Errno(ENOTDIR)


cpdef list subtree(Mount mount):
    """The mount and all that are under it, parents first."""
    cdef list found = [mount]
    for each in found:
        found.extend((<Mount> each).children.values())
    return found


cdef Mount clone_tree(Mount mount, Dentry root):
    """A copy of what is visible under root, without what may not be bound."""
    return copy_mount(mount, root, None)


cdef Mount copy_mount(Mount mount, Dentry root, dict new_of):
    """Copy a tree; with `new_of` (a whole namespace) unbindable mounts too, and old -> new is noted there."""
    cdef Mount copy = mount.clone(root), child
    if new_of is not None:
        new_of[mount] = copy
    for mountpoint, child in mount.children.items():
        if not (<Dentry> mountpoint).below(root) or new_of is None and child.propagation == "unbindable":
            continue
        copy_mount(child, child.root, new_of).attach(copy, mountpoint)
    return copy


def make_namespace(FileSystem root_fs, unsigned long flags=0):
    """A namespace with one mount, for boot and tests."""
    return MountNamespace(Mount(root_fs, root_dentry(root_fs), flags))
