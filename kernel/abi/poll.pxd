# SPDX-License-Identifier: Apache-2.0
# Readiness and epoll (asm-generic/poll.h, uapi/linux/eventpoll.h).

cpdef enum:
    POLLIN = 0x001
    POLLPRI = 0x002
    POLLOUT = 0x004
    POLLERR = 0x008
    POLLHUP = 0x010
    POLLNVAL = 0x020
    POLLRDNORM = 0x040
    POLLRDBAND = 0x080
    POLLWRNORM = 0x100
    POLLWRBAND = 0x200
    POLLMSG = 0x400
    POLLRDHUP = 0x2000
    # epoll_event.events beyond the POLL* bits
    EPOLLEXCLUSIVE = 1 << 28
    EPOLLWAKEUP = 1 << 29
    EPOLLONESHOT = 1 << 30
    EPOLL_CTL_ADD = 1
    EPOLL_CTL_DEL = 2
    EPOLL_CTL_MOD = 3
