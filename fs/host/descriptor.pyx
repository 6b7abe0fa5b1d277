# SPDX-License-Identifier: Apache-2.0
"""A host descriptor that was handed to the kernel, and who waits for it.

Rule: the host is asked to tell about readiness only while somebody waits, and once for each time: a watch that fired is
renewed when somebody looks and finds the descriptor not ready. So an idle sandbox sleeps, and a descriptor that stays
ready while its program does something else does not keep the kernel awake.
"""

from gofer cimport libc
from kernel.abi.fs cimport O_NONBLOCK, S_IFMT, S_IFSOCK
from kernel.abi.poll cimport EPOLLONESHOT, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.sync.waitqueue cimport WaitEntry, Waiter, WaitQueue

cdef enum:
    WATCHABLE = 0x2007                   # POLLIN, POLLPRI, POLLOUT, POLLRDHUP
    LAST_STANDARD_FD = 2                 # the kernel's own last words go to 2: never closed


cdef class HostDescriptor:
    """A descriptor; `kernel` listens for its events (None: nobody can wait)."""

    def __init__(self, object kernel, int fd, unsigned int mode):
        self.kernel = kernel
        self.fd = fd
        self.owned = fd > LAST_STANDARD_FD
        self.nonblocking = libc.fcntl(fd, libc.F_GETFL) & O_NONBLOCK
        self.is_socket = mode & S_IFMT == S_IFSOCK
        self.is_terminal = libc.isatty(fd)
        self.queue = HostQueue()
        self.queue.descriptor = self

    def close(self):
        """The last file went."""
        if self.token is not None:
            self.kernel.unwatch(self.token)
            self.token = None
        self.queue.descriptor = None
        if self.owned and self.fd >= 0:
            libc.close(self.fd)
        self.fd = -1

    cdef unsigned int ready(self) noexcept:
        """POLL* bits that are true on the host now."""
        cdef libc.pollfd entry
        entry.fd = self.fd
        entry.events = WATCHABLE
        entry.revents = 0
        if libc.poll(&entry, 1, 0) < 0:
            return 0
        return <unsigned short> entry.revents

    cdef int expect(self, unsigned int events) except -1:
        """Have the kernel told when one of the events comes true."""
        events &= WATCHABLE
        self.told &= ~events
        if self.kernel is None or self.fd < 0 or not events & ~self.armed:
            return 0
        try:
            self.token = self.kernel.watch(self.fd, events | self.armed | EPOLLONESHOT, self.fired)
            self.armed |= events
        except OSError:
            self.armed = WATCHABLE       # the host can't watch it, since it is always ready
        return 0

    cdef int not_ready(self, unsigned int events) except -1:
        """Somebody looked, and these are not true: whoever waits for them needs a watch."""
        return self.expect(events & self.queue.wanted())

    def fired(self, unsigned int events):
        """The host has told; the watch is used up."""
        self.armed = 0
        self.told |= events
        self.queue.wake(spelled_out(events))
        self.expect(self.queue.wanted() & ~self.told)


cdef class HostQueue(WaitQueue):
    """Tells its descriptor who waits for what."""

    cpdef WaitEntry add(self, Waiter waiter, unsigned int events=0xffffffff, bint exclusive=False):
        entry = WaitQueue.add(self, waiter, events, exclusive)
        if self.descriptor is not None:
            self.descriptor.expect(plain(events))
        return entry

    cpdef remove(self, WaitEntry entry):
        WaitQueue.remove(self, entry)
        cdef HostDescriptor descriptor = self.descriptor
        if descriptor is not None and self.first is None and descriptor.token is not None:
            descriptor.kernel.unwatch(descriptor.token)
            descriptor.token = None
            descriptor.armed = descriptor.told = 0

    cdef unsigned int wanted(self):
        """The events that somebody waits for."""
        cdef WaitEntry entry = self.first
        cdef unsigned int events = 0
        while entry is not None:
            events |= entry.events
            entry = entry.behind
        return plain(events)


cdef unsigned int plain(unsigned int events):
    """The bits to ask the host for."""
    if events & (POLLIN | POLLRDNORM):
        events |= POLLIN
    if events & (POLLOUT | POLLWRNORM):
        events |= POLLOUT
    return events & WATCHABLE


cdef unsigned int spelled_out(unsigned int events):
    """With the bits that mean the same."""
    events &= WATCHABLE | POLLERR | POLLHUP
    if events & POLLIN:
        events |= POLLRDNORM
    if events & POLLOUT:
        events |= POLLWRNORM
    return events
