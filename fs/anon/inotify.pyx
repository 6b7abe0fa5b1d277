# SPDX-License-Identifier: Apache-2.0
"""Watching files and directories (inotify(7)).

A Watch hangs in Inode.watches; what the VFS tells it (fs.vfs.notify) is queued for read(2). Equal events in a row are one; beyond
MAX_QUEUED events the rest is lost and IN_Q_OVERFLOW says so.
"""

import struct
from _collections import deque

from fs.anon.inode cimport anon_inode
from kernel.abi.errno cimport EAGAIN, EEXIST, EINVAL, EMFILE, ENOSPC, ENOTTY, Errno
from kernel.abi.fs cimport (
    FIONREAD, IN_ALL_EVENTS, IN_DELETE_SELF, IN_IGNORED, IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE, IN_MOVE_SELF, IN_Q_OVERFLOW, IN_UNMOUNT,
    O_RDONLY,
)
from kernel.abi.poll cimport POLLIN, POLLRDNORM
from kernel.mm.userbuffer cimport UserBuffer

cdef enum:
    HEADER = 16                          # struct inotify_event without the name, and what names are padded to
    MAX_QUEUED = 16384                   # /proc/sys/fs/inotify/max_queued_events
    MAX_WATCHES = 65536                  # of all instances: /proc/sys/fs/inotify/max_user_watches
    MAX_INSTANCES = 128                  # /proc/sys/fs/inotify/max_user_instances
    ALWAYS = IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW

cdef unsigned int ONESHOT = 0x80000000

nr_watches = 0
cdef int nr_instances = 0


cdef class Watch:
    """One inode that one instance watches."""

    def event(self, unsigned int mask, unsigned int cookie=0, name=None):
        """The VFS tells what happened. Deletion and unmounting end the watch."""
        cdef unsigned int what = mask & ~(<unsigned int> IN_ISDIR)
        if self.inotify.watches.get(self.wd) is not self:
            return
        if what & (IN_DELETE_SELF | IN_MOVE_SELF):
            mask = what                  # whether it was a directory is not told of the thing itself
        if what & self.mask or what & ALWAYS:
            self.inotify.queue_event(self.wd, mask & (self.mask | IN_ISDIR | ALWAYS), cookie, name or b"")
            if self.mask & ONESHOT:
                self.inotify.remove(self.wd)
                return
        if what & (IN_DELETE_SELF | IN_UNMOUNT):
            self.inotify.remove(self.wd)


cdef class Inotify(File):
    """An inotify instance."""

    def __init__(self, unsigned int flags=0):
        """EMFILE beyond MAX_INSTANCES."""
        global nr_instances
        if nr_instances >= MAX_INSTANCES:
            raise Errno(EMFILE)
        nr_instances += 1
        self.inode = anon_inode(b"inotify")
        self.path = self.inode.path
        self.flags = O_RDONLY | flags
        self.watches = {}
        self.by_inode = {}
        self.queue = deque()

    cpdef int add(self, object path, unsigned int mask) except -1:
        """Watch what is at path: the descriptor, new or that of an existing watch whose mask is changed. EEXIST, ENOSPC."""
        global nr_watches
        cdef Watch watch
        inode = path.inode()
        watch = self.by_inode.get(inode)
        if watch is not None:
            if mask & IN_MASK_CREATE:
                raise Errno(EEXIST)
            kept = mask & ~(<unsigned int> (IN_MASK_ADD | IN_MASK_CREATE))
            watch.mask = watch.mask | kept if mask & IN_MASK_ADD else kept
            return watch.wd
        if nr_watches >= MAX_WATCHES:
            raise Errno(ENOSPC)
        self.last_wd += 1
        watch = Watch.__new__(Watch)
        watch.inotify, watch.wd, watch.dentry, watch.inode = self, self.last_wd, path.dentry, inode
        watch.mask = mask & ~(<unsigned int> (IN_MASK_ADD | IN_MASK_CREATE))
        self.watches[watch.wd] = watch
        self.by_inode[inode] = watch
        if inode.watches is None:
            inode.watches = []
        inode.watches.append(watch)
        nr_watches += 1
        return watch.wd

    cpdef remove(self, int wd):
        """inotify_rm_watch: EINVAL for an unknown one. IN_IGNORED is its last event."""
        cdef Watch watch = self.watches.get(wd)
        if watch is None:
            raise Errno(EINVAL)
        self.forget(watch)
        self.queue_event(wd, IN_IGNORED, 0, b"")

    cdef int forget(self, Watch watch) except -1:
        global nr_watches
        del self.watches[watch.wd]
        self.by_inode.pop(watch.inode, None)
        watches = watch.inode.watches
        if watches is not None and watch in watches:
            watches.remove(watch)
            if not watches:
                watch.inode.watches = None
        nr_watches -= 1
        return 0

    cdef int queue_event(self, int wd, unsigned int mask, unsigned int cookie, bytes name) except -1:
        """Add an event, unless the last one is the same or the queue is full."""
        event = (wd, mask, cookie, name)
        if self.queue and self.queue[-1] == event:
            return 0
        if len(self.queue) >= MAX_QUEUED:
            event = (-1, IN_Q_OVERFLOW, 0, b"")
            if self.queue[-1] == event:
                return 0
        self.queue.append(event)
        self.waiters.wake(POLLIN | POLLRDNORM)
        return 0

    cpdef long read(self, object task, UserBuffer buf, long long pos) except? -1:
        """As many whole events as fit: EINVAL if not even the first does, -EAGAIN without events."""
        cdef long total = 0
        if not self.queue:
            return -EAGAIN
        while self.queue:
            event = pack(self.queue[0])
            if len(event) > buf.left():
                break
            buf.put(event)
            total += len(event)
            self.queue.popleft()
        return total or -EINVAL

    cpdef unsigned int poll(self) except? 0xffffffff:
        return POLLIN | POLLRDNORM if self.queue else 0

    cpdef long ioctl(self, object task, unsigned int command, unsigned long argument) except? -1:
        """FIONREAD: bytes that all events take."""
        if command != FIONREAD:
            raise Errno(ENOTTY)
        task.copy_out(argument, struct.pack("<i", sum([len(pack(event)) for event in self.queue])))
        return 0

    cpdef release(self):
        global nr_instances
        nr_instances -= 1
        for watch in list(self.watches.values()):
            self.forget(watch)
        self.queue.clear()

    def fdinfo(self):
        """Lines of /proc/[pid]/fdinfo."""
        return [describe(watch) for watch in self.watches.values()]


cdef str describe(Watch watch):
    inode = watch.inode
    return f"inotify wd:{watch.wd:x} ino:{inode.ino:x} sdev:{inode.fs.dev:x} mask:{watch.mask & IN_ALL_EVENTS:x} ignored_mask:0"


cdef bytes pack(tuple event):
    """struct inotify_event: names end in at least one NUL and are padded."""
    wd, mask, cookie, name = event
    if name:
        name = name.ljust((len(name) // HEADER + 1) * HEADER, b"\0")
    return struct.pack("<iIII", wd, mask, cookie, len(name)) + name
