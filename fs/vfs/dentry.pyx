# SPDX-License-Identifier: Apache-2.0
"""Dentries: the cache of names.

Rules: a Dentry in its parent's `children` is current, whether positive or negative; one file system has one tree, however often it is
mounted. File systems that change from outside (`cache_dentries` false) are asked at every lookup, but a Dentry stays the
same object as long as the inode number does, so that what is mounted on it stays in place.
The cache is bounded: beyond `max_cached` leaves that nobody holds are dropped, those not looked up lately first.
"""

from _collections import OrderedDict

from cpython.ref cimport PyObject

from kernel.abi.errno cimport ENOENT, Errno
from kernel.abi.fs cimport S_IFMT

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)

cdef enum:
    MAX_CACHED = 65536
    MIN_CACHED = 256
    PRUNE_BATCH = 32                     # looked at for each insertion beyond the maximum
    UNUSED_REFERENCES = 3                # the parent's dict, `cached`, the pruner's variable

cdef Py_ssize_t max_cached = MAX_CACHED
cdef object cached = OrderedDict()       # Dentry -> None, oldest first (the front of a plain dict is slow to find once it is emptied)


cpdef Dentry root_dentry(FileSystem fs):
    """The root of a file system's tree."""
    if fs.root_dentry is None:
        fs.root_dentry = Dentry(None, b"", fs.root)
    return fs.root_dentry


cpdef forget_tree(Dentry root):
    """The file system's last mount went: nothing holds its dentries any longer but who uses them, not even their parents."""
    cdef Dentry dentry
    cdef list pending = [root]
    while pending:
        dentry = pending.pop()
        cached.pop(dentry, None)
        if dentry.children:
            pending.extend(dentry.children.values())
            dentry.children = None


cdef class Dentry:
    """A name and what it leads to."""

    def __init__(self, Dentry parent, bytes name, Inode inode):
        self.parent = parent
        self.name = name
        self.inode = inode

    cpdef Dentry lookup(self, bytes name):
        """The entry `name` of this directory: positive or negative. Permissions were checked."""
        cdef Dentry child
        if self.children is not None and self.inode.fs.cache_dentries:
            child = self.children.get(name)
            if child is not None:
                child.referenced = True
                return child
        return self.lookup_in_inode(name)

    cdef Dentry lookup_in_inode(self, bytes name):
        """Ask the file system. It may wait, so the cache is looked at afterwards."""
        cdef Dentry child
        cdef Inode inode = None
        if self.unlinked:
            raise Errno(ENOENT)
        try:
            inode = self.inode.lookup(name)
        except Errno as error:
            if error.number != ENOENT:
                raise
        child = None if self.children is None else self.children.get(name)
        if child is not None and same_object(child.inode, inode):
            child.inode = inode
            return child
        if child is not None:
            child.remove()
        return self.attach(name, inode)

    cpdef Dentry attach(self, bytes name, Inode inode):
        """A new entry, put in the cache unless it is negative in a file system that others change."""
        cdef Dentry child = Dentry(self, name, inode)
        if inode is not None or self.inode.fs.cache_dentries:
            remember(self, child)
        return child

    cpdef instantiate(self, Inode inode):
        """The name of a negative dentry was created."""
        self.inode = inode
        self.unlinked = False
        remember(self.parent, self)

    cpdef remove(self):
        """The name is gone. Who still holds the dentry keeps its inode."""
        if self.parent is not None and self.parent.children is not None and self.parent.children.get(self.name) is self:
            del self.parent.children[self.name]
        self.unlinked = True
        self.children = None             # of a directory: nothing is found or made in it any more
        cached.pop(self, None)

    cpdef move(self, Dentry new_parent, bytes new_name):
        """rename(2): the entry gets another place; the one that it replaces was removed."""
        self.parent.children.pop(self.name, None)
        self.parent = new_parent
        self.name = new_name
        remember(new_parent, self)

    cpdef exchange(self, Dentry other):
        """RENAME_EXCHANGE."""
        self.parent, other.parent = other.parent, self.parent
        self.name, other.name = other.name, self.name
        remember(self.parent, self)
        remember(other.parent, other)

    cpdef bint below(self, Dentry ancestor):
        """The ancestor itself, or somewhere under it."""
        cdef Dentry dentry = self
        while dentry is not None:
            if dentry is ancestor:
                return True
            dentry = dentry.parent
        return False


cdef bint same_object(Inode old, Inode new):
    if old is None or new is None:
        return old is new
    return old is new or old.ino == new.ino and old.fs is new.fs and (old.mode ^ new.mode) & S_IFMT == 0


cdef remember(Dentry parent, Dentry child):
    if parent.children is None:
        parent.children = {}
    parent.children[child.name] = child
    child.referenced = True
    cached[child] = None
    if len(cached) > max_cached:
        prune()


cpdef bound_cache(Py_ssize_t limit):
    """A file system whose names cost something of which the host has only so much says how many may be remembered."""
    global max_cached
    max_cached = max(MIN_CACHED, min(max_cached, limit))


cdef prune():
    """Drop leaves that nobody holds; who was looked up lately goes to the end of the line once."""
    cdef Dentry dentry
    cdef int _i
    for _i in range(min(PRUNE_BATCH, len(cached))):
        dentry = next(iter(cached))
        del cached[dentry]
        if not dentry.referenced and unused(dentry):
            dentry.parent.children.pop(dentry.name, None)
        else:
            dentry.referenced = False
            cached[dentry] = None


cdef bint unused(Dentry dentry):
    if dentry.children or dentry.nr_mounts or dentry.parent is None or dentry.parent.children is None:
        return False
    return dentry.parent.children.get(dentry.name) is dentry and Py_REFCNT(<PyObject *> dentry) < UNUSED_REFERENCES


def drop_caches():
    """Forget every name that nobody holds (/proc/sys/vm/drop_caches)."""
    cdef Py_ssize_t _i
    for _i in range(2 * len(cached) // PRUNE_BATCH + 1):
        prune()


def cache_size():
    """How many names are remembered, for tests and debugging."""
    return len(cached)
