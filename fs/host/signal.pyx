# SPDX-License-Identifier: Apache-2.0
"""A signal of the host as an event of the kernel's loop."""

from libc.errno cimport errno

cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int sigemptyset(sigset_t *mask)
    int sigaddset(sigset_t *mask, int signo)
    int sigprocmask(int how, const sigset_t *mask, sigset_t *old)
    enum:
        SIG_BLOCK

cdef extern from "<sys/signalfd.h>" nogil:
    int signalfd(int fd, const sigset_t *mask, int flags)
    enum:
        SFD_NONBLOCK
        SFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *data, size_t size)

cdef enum:
    EPOLLIN = 1


cdef class HostSignal:
    """Blocks the signal, and calls callback() for it from now on."""

    cdef int fd
    cdef object callback

    def __init__(self, kernel, int signo, callback):
        cdef sigset_t mask
        sigemptyset(&mask)
        sigaddset(&mask, signo)
        sigprocmask(SIG_BLOCK, &mask, NULL)
        self.callback = callback
        self.fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(errno, "signalfd")
        kernel.watch(self.fd, EPOLLIN, self.came)

    def came(self, events):
        """Once or several times."""
        cdef char data[1024]
        while read(self.fd, data, sizeof(data)) > 0:
            pass
        self.callback()
