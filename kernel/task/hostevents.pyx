# SPDX-License-Identifier: Apache-2.0
"""Host descriptors and host children that the kernel's loop listens to.

A callback that fails is logged and the loop goes on: no guest is to blame.
"""

from libc.errno cimport errno as host_errno
from libc.string cimport memset

from kernel.task.failure import failure_text

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event *event)
    int epoll_wait(int epfd, epoll_event *events, int maxevents, int timeout)
    enum:
        EPOLLIN
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLL_CTL_MOD
        EPOLL_CLOEXEC

cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int sigemptyset(sigset_t *mask)
    int sigaddset(sigset_t *mask, int signo)
    int sigprocmask(int how, const sigset_t *mask, sigset_t *old)
    enum:
        SIG_BLOCK
        SIGCHLD

cdef extern from "<sys/signalfd.h>" nogil:
    int signalfd(int fd, const sigset_t *mask, int flags)
    enum:
        SFD_NONBLOCK
        SFD_CLOEXEC

cdef extern from "<sys/resource.h>" nogil:
    struct rusage:
        long ru_maxrss

cdef extern from "<sys/wait.h>" nogil:
    int wait4(int pid, int *status, int options, rusage *usage)
    enum:
        WNOHANG
        __WALL

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *buf, size_t count)

cdef enum:
    BATCH = 16                           # events taken at once


cdef class Watch:
    """One host descriptor that the loop listens to."""


cdef class HostEvents:
    """The kernel's epoll."""

    def __init__(self, log):
        self.log = log
        self.watches = {}
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(host_errno, "epoll_create1")

    cpdef Watch watch(self, int fd, unsigned int events, callback):
        """Call back with EPOLL* bits whenever the host descriptor has one of `events`; one watch a descriptor."""
        cdef epoll_event event
        cdef Watch watch = Watch()
        memset(&event, 0, sizeof(event))
        event.events = events
        event.data.fd = fd
        operation = EPOLL_CTL_MOD if fd in self.watches else EPOLL_CTL_ADD
        if epoll_ctl(self.epoll, operation, fd, &event) < 0:
            raise OSError(host_errno, "epoll_ctl")
        watch.fd, watch.callback = fd, callback
        self.watches[fd] = watch
        return watch

    cpdef unwatch(self, Watch watch):
        """Stop listening; the descriptor must still be open."""
        if self.watches.get(watch.fd) is watch:
            del self.watches[watch.fd]
            epoll_ctl(self.epoll, EPOLL_CTL_DEL, watch.fd, NULL)

    def watch_children(self, child_ended):
        """Tell of every child of this process that ends: (host pid, wait status, maxrss)."""
        cdef sigset_t mask
        sigemptyset(&mask)
        sigaddset(&mask, SIGCHLD)
        sigprocmask(SIG_BLOCK, &mask, NULL)
        self.child_ended = child_ended
        self.child_signal = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC)
        if self.child_signal < 0:
            raise OSError(host_errno, "signalfd")
        self.watch(self.child_signal, EPOLLIN, self.on_child_signal)

    def on_child_signal(self, events):
        """Some children are gone."""
        cdef char buf[1024]
        cdef int status = 0, pid
        cdef rusage usage
        while read(self.child_signal, buf, sizeof(buf)) > 0:
            pass
        while True:
            pid = wait4(-1, &status, WNOHANG | __WALL, &usage)
            if pid <= 0:
                return
            self.child_ended(pid, status, usage.ru_maxrss)

    cdef int run(self) except -1:
        cdef epoll_event events[BATCH]
        cdef int count = epoll_wait(self.epoll, events, BATCH, 0)
        cdef Watch watch
        for i in range(count):
            watch = self.watches.get(events[i].data.fd)
            if watch is not None:
                try:
                    watch.callback(events[i].events)
                except Exception as error:
                    self.log("host event on descriptor %d: %s" % (watch.fd, failure_text(error)))
        return 0
