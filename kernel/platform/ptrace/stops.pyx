# SPDX-License-Identifier: Apache-2.0
"""The queue of events: stops and deaths that waitpid(2) reports, and what the platform owes the kernel after an order.

Orders are carried out at once, with the kernel waiting; what others report meanwhile is queued here. So a death that another one
waits for (a leader ends after its threads) is always taken. Whoever waits for a thread looks into the queue first.
"""

from libc.errno cimport EINTR, errno

from collections import deque

cdef extern from *:
    """
    #include <signal.h>
    #include <stdint.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/signalfd.h>
    #include <sys/wait.h>
    #include <unistd.h>
    static int children_signalfd(void)
    {
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    static int listen_to(int epoll, int fd)
    {
        struct epoll_event event = {.events = EPOLLIN};
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    """
    int children_signalfd() nogil
    int listen_to(int epoll, int fd) nogil
    int epoll_create1(int flags) nogil
    int eventfd(unsigned int value, int flags) nogil
    int waitpid(int pid, int *status, int options) nogil
    ssize_t read(int fd, void *into, size_t length) nogil
    ssize_t write(int fd, const void *data, size_t length) nogil
    enum:
        EPOLL_CLOEXEC
        EFD_NONBLOCK
        EFD_CLOEXEC
        WNOHANG
        __WALL


cdef class Stops:
    """One per platform."""

    def __cinit__(self):
        self.listener = self.child_signal = self.bell = -1
        self.queued = deque()

    cdef open(self):
        self.listener = epoll_create1(EPOLL_CLOEXEC)
        self.child_signal = children_signalfd()
        self.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        if min(self.listener, self.child_signal, self.bell) < 0:
            raise OSError(errno, "descriptors of the ptrace platform")
        for fd in (self.child_signal, self.bell):
            if listen_to(self.listener, fd) < 0:
                raise OSError(errno, "epoll_ctl")

    cdef put(self, int kind, object subject, long value):
        cdef unsigned long one = 1
        self.queued.append((kind, subject, value))
        write(self.bell, &one, sizeof(one))

    cdef tuple next(self):
        """Silence of the bell means an empty queue, so it is rung again for what is left."""
        cdef unsigned long count = 0
        if not self.queued:
            self.collect()
        read(self.bell, &count, sizeof(count))
        if not self.queued:
            return None
        event = self.queued.popleft()
        count = 1
        if self.queued:
            write(self.bell, &count, sizeof(count))
        return event

    def collect(self):
        """All that waitpid has. Signals are taken first: a stop after that brings another one."""
        cdef char[2048] signals
        cdef int status = 0, tid
        while read(self.child_signal, signals, sizeof(signals)) > 0:
            pass
        while True:
            tid = waitpid(-1, &status, WNOHANG | __WALL)
            if tid > 0:
                self.queued.append((STOPPED, tid, status))
            elif tid == 0 or errno != EINTR:
                return

    cdef long wait_for(self, int tid) noexcept:
        cdef int status = 0, other
        for event in self.queued:
            if event[0] == STOPPED and event[1] == tid:
                self.queued.remove(event)
                return event[2]
        while True:
            other = waitpid(-1, &status, __WALL)
            if other == tid:
                return status
            if other > 0:
                self.put(STOPPED, other, status)
            elif errno != EINTR:
                return -errno
