# SPDX-License-Identifier: Apache-2.0
"""ioctls on the seccomp listener. No policy: who may say what is decided in systrap.pyx.

ENOENT from any of them means that the thread left its notification (a signal, a stop, the freezer, death). It is no error: the
sequence number of the bell tells what to do when it rings again. WAIT_KILLABLE_RECV is not used, since it blocks the freezer.
"""

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.fcntl cimport O_CLOEXEC
from posix.ioctl cimport ioctl
from posix.signal cimport SIG_BLOCK, SIG_SETMASK, sigfillset, sigset_t
from posix.unistd cimport close

cdef extern from *:
    """
    #include <signal.h>
    #include <sys/ioctl.h>
    #include <linux/seccomp.h>
    #ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
    #define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
    #endif
    #ifndef SECCOMP_ADDFD_FLAG_SEND
    #define SECCOMP_ADDFD_FLAG_SEND 2
    #endif
    """
    unsigned long SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_SET_FLAGS
    int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) nogil
    enum:
        SECCOMP_ADDFD_FLAG_SETFD
        SECCOMP_ADDFD_FLAG_SEND
        SECCOMP_USER_NOTIF_FLAG_CONTINUE

    struct seccomp_notif_resp:
        uint64_t id
        int64_t val
        int error
        uint32_t flags

    struct seccomp_notif_addfd:
        uint64_t id
        uint32_t flags, srcfd, newfd, newfd_flags

cdef class Listener:
    """One descriptor for all stubs of a zygote."""

    def __cinit__(self, int fd):
        self.fd = fd

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    cdef bint set_sync_wake_up(self, bint on) noexcept:
        """SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP; False below Linux 6.6."""
        return ioctl(self.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, <unsigned long> on) == 0

    cdef bint receive(self, seccomp_notif *into) noexcept nogil:
        """Only after POLLIN, or it may block. False if the caller has gone meanwhile."""
        memset(into, 0, sizeof(seccomp_notif))
        return ioctl(self.fd, SECCOMP_IOCTL_NOTIF_RECV, into) == 0

    cdef int answer(self, uint64_t id) noexcept nogil:
        return self.send(id, 0)

    cdef int let_continue(self, uint64_t id) noexcept nogil:
        """Let the host execute the call. Only for calls whose registers say all."""
        return self.send(id, SECCOMP_USER_NOTIF_FLAG_CONTINUE)

    cdef int send(self, uint64_t id, uint32_t flags) noexcept nogil:
        cdef seccomp_notif_resp reply
        memset(&reply, 0, sizeof(reply))
        reply.id = id
        reply.flags = flags
        if ioctl(self.fd, SECCOMP_IOCTL_NOTIF_SEND, &reply) == 0:
            return 0
        self.nr_lost += 1
        return -errno

    cdef int add_descriptor(self, uint64_t id, int host_fd, int at, bint and_answer) noexcept nogil:
        """Our host_fd becomes `at` in the stub. Waits until the target has run. The number, or -errno.

        A signal to us in the middle would take the descriptor back but leave the answer: so none.
        """
        cdef seccomp_notif_addfd add
        cdef sigset_t all, before
        cdef int got
        memset(&add, 0, sizeof(add))
        add.id = id
        add.flags = SECCOMP_ADDFD_FLAG_SETFD | (SECCOMP_ADDFD_FLAG_SEND if and_answer else 0)
        add.srcfd = host_fd
        add.newfd = at
        add.newfd_flags = O_CLOEXEC
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        got = ioctl(self.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add)
        if got < 0:
            got = -errno
        pthread_sigmask(SIG_SETMASK, &before, NULL)
        return got
