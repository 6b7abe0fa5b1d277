# SPDX-License-Identifier: Apache-2.0
"""epoll(7): a set of files, and the list of those that may be ready.

An item stands in the wait queue of its file. When that fires the item goes to the ready list, and who waits for the epoll is woken.
Rules:
- the ready list may hold items that are ready no longer: whoever collects asks the file again;
- a level-triggered item that was reported goes back to the end of the list; an edge-triggered one waits for the next wake-up; a one-shot
  one is disabled until modified;
- items are known by descriptor and file; the file's release removes them (File.epolls);
- an epoll in an epoll: no cycles, at most MAX_NESTS deep.
"""

from fs.anon.inode cimport anon_inode
from fs.vfs.file cimport File
from kernel.abi.errno cimport EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM, Errno
from kernel.abi.fs cimport O_RDWR, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG
from kernel.abi.poll cimport (
    EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM,
)

cdef enum:
    MAX_NESTS = 4                        # epolls between the innermost and the outermost
    MAX_WATCHES = 1000000                # of all epolls: /proc/sys/fs/epoll/max_user_watches
    MEMORY_MAJOR = 1                     # /dev/null and its like can't be polled

cdef unsigned int ET = 0x80000000
cdef unsigned int PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | ET | EPOLLEXCLUSIVE
cdef unsigned int EXCLUSIVE_OK = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | ET | EPOLLEXCLUSIVE


cdef long nr_watches = 0


cdef class EpollItem(Waiter):
    """One file in one epoll."""

    def __cinit__(self):
        global nr_watches
        nr_watches += 1

    def __dealloc__(self):
        global nr_watches
        nr_watches -= 1

    cpdef bint wake(self, unsigned int events) except? -1:
        """The file's readiness may have changed. True if somebody who waits for the epoll was woken."""
        if not self.events & ~PRIVATE_BITS:
            return False
        self.epoll.ready[self] = None
        if self.epoll.waiters.empty():
            return False
        self.epoll.waiters.wake(POLLIN | POLLRDNORM, 1)
        return True

    cdef unsigned int now(self) except? 0xffffffff:
        """Wanted events that are true now."""
        return self.file.poll() & self.events & ~PRIVATE_BITS

    cdef int listen(self) except -1:
        """Stand in the file's queue for the wanted events."""
        self.entry = self.file.poll_queue().add(self, self.events & ~PRIVATE_BITS, self.events & EPOLLEXCLUSIVE != 0)
        return 0

    cdef int leave(self) except -1:
        self.entry.queue.remove(self.entry)
        return 0

    def file_released(self):
        """The last descriptor of the file was closed."""
        self.epoll.drop(self)


cdef class Epoll(File):
    """An epoll instance."""

    def __init__(self, unsigned int flags=0):
        self.inode = anon_inode(b"[eventpoll]")
        self.path = self.inode.path
        self.flags = O_RDWR | flags
        self.items = {}
        self.ready = {}

    cpdef add(self, int fd, File file, unsigned int events, bytes data):
        """EPOLL_CTL_ADD: EEXIST, ELOOP; EPERM for files that are always ready; EINVAL for what EPOLLEXCLUSIVE does not allow."""
        cdef EpollItem item
        self.check_file(file)
        if events & EPOLLEXCLUSIVE and (events & ~EXCLUSIVE_OK or isinstance(file, Epoll)):
            raise Errno(EINVAL)
        if (fd, file) in self.items:
            raise Errno(EEXIST)
        if isinstance(file, Epoll) and ((<Epoll> file).reaches(self, set()) or (<Epoll> file).depth({}) + self.height({}) > MAX_NESTS + 1):
            raise Errno(ELOOP)
        if nr_watches >= MAX_WATCHES:
            raise Errno(ENOSPC)
        item = EpollItem.__new__(EpollItem)
        item.epoll, item.file, item.fd, item.data = self, file, fd, data
        item.events = events | POLLERR | POLLHUP
        self.items[fd, file] = item
        if file.epolls is None:
            file.epolls = {}
        file.epolls[item] = None
        item.listen()
        if item.now():
            item.wake(0)

    cpdef modify(self, int fd, File file, unsigned int events, bytes data):
        """EPOLL_CTL_MOD: ENOENT, EINVAL. Arms an item again and looks at it."""
        cdef EpollItem item
        self.check_file(file)
        item = self.find(fd, file)
        if (events | item.events) & EPOLLEXCLUSIVE:
            raise Errno(EINVAL)
        item.events = events | POLLERR | POLLHUP
        item.data = data
        item.leave()
        item.listen()
        self.ready.pop(item, None)
        if item.now():
            item.wake(0)

    cpdef remove(self, int fd, File file):
        """EPOLL_CTL_DEL: ENOENT."""
        self.check_file(file)
        self.drop(self.find(fd, file))

    cdef int check_file(self, File file) except -1:
        cdef unsigned int kind = <unsigned int> file.inode.mode & S_IFMT
        if file is self:
            raise Errno(EINVAL)
        if kind == S_IFREG or kind == S_IFDIR or kind == S_IFCHR and <unsigned long> file.inode.rdev >> 8 == MEMORY_MAJOR:
            raise Errno(EPERM)
        return 0

    cdef EpollItem find(self, int fd, File file):
        item = self.items.get((fd, file))
        if item is None:
            raise Errno(ENOENT)
        return item

    cpdef drop(self, EpollItem item):
        """Forget an item."""
        self.items.pop((item.fd, item.file), None)
        self.ready.pop(item, None)
        item.leave()
        if item.file.epolls is not None:
            item.file.epolls.pop(item, None)

    cpdef list collect(self, int most):
        """Up to `most` ready items as (events, data), first come first served; each is treated by its trigger."""
        cdef EpollItem item
        cdef unsigned int events
        cdef list found = [], again = []
        for item in list(self.ready):
            if len(found) >= most:
                break
            del self.ready[item]
            events = item.now()
            if not events:
                continue
            found.append((events, item.data))
            if item.events & EPOLLONESHOT:
                item.events &= PRIVATE_BITS
            elif not item.events & ET:
                again.append(item)
        for item in again:
            self.ready[item] = None
        return found

    cpdef unsigned int poll(self) except? 0xffffffff:
        """Readable if collect would find something."""
        cdef EpollItem item
        for item in list(self.ready):
            if item.now():
                return POLLIN | POLLRDNORM
            self.ready.pop(item, None)
        return 0

    cdef bint reaches(self, Epoll target, set seen) except -1:
        """target can be reached from here: adding this to it would make a cycle. Who was seen is not asked again: paths may be many."""
        cdef EpollItem item
        if self is target:
            return True
        seen.add(self)
        for item in self.items.values():
            if isinstance(item.file, Epoll) and item.file not in seen and (<Epoll> item.file).reaches(target, seen):
                return True
        return False

    cdef int depth(self, dict known) except -1:
        """Levels of epolls from here down."""
        cdef EpollItem item
        cdef int below = 0
        if self in known:
            return known[self]
        for item in self.items.values():
            if isinstance(item.file, Epoll):
                below = max(below, (<Epoll> item.file).depth(known))
        known[self] = below + 1
        return below + 1

    cdef int height(self, dict known) except -1:
        """Levels of epolls from here up."""
        cdef EpollItem item
        cdef int above = 0
        if self in known:
            return known[self]
        if self.epolls is not None:
            for item in self.epolls:
                above = max(above, item.epoll.height(known))
        known[self] = above + 1
        return above + 1

    cpdef release(self):
        """The items leave the queues of files that live on."""
        for item in list(self.items.values()):
            self.drop(item)
