# SPDX-License-Identifier: Apache-2.0
"""epoll_create(2), epoll_ctl(2), epoll_wait(2) and their later forms."""

from libc.string cimport memcpy

from fs.anon.epoll cimport Epoll
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from kernel.abi.errno cimport EBADF, EFAULT, EINVAL, ERESTARTNOHAND, Errno
from kernel.abi.fs cimport O_CLOEXEC, O_PATH
from kernel.abi.poll cimport EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, POLLIN
from kernel.syscalls.sigmask cimport set_temporary_mask
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task

cdef enum:
    EVENT_SIZE = 12                      # struct epoll_event is packed on x86-64: events, then 8 bytes of data
    MAX_EVENTS = 178956970               # that many fill an int

cdef unsigned long ADDRESS_END = 0x7ffffffff000
cdef long long NS_PER_S = 1000000000
cdef long long MAX_SECONDS = 9000000000
cdef long long FOREVER = -1


cdef long sys_epoll_create(Task task, const unsigned long *args) except? -1:
    """epoll_create(2): size is only checked."""
    if <int> args[0] <= 0:
        return -EINVAL
    return (<FdTable> task.files).install(Epoll())


cdef long sys_epoll_create1(Task task, const unsigned long *args) except? -1:
    """epoll_create1(2)."""
    if <int> args[0] & ~O_CLOEXEC:
        return -EINVAL
    return (<FdTable> task.files).install(Epoll(), args[0] & O_CLOEXEC != 0)


cdef long sys_epoll_ctl(Task task, const unsigned long *args) except? -1:
    """epoll_ctl(2): add, modify or remove a descriptor."""
    cdef int operation = <int> args[1], fd = <int> args[2]
    cdef char event[EVENT_SIZE]
    cdef unsigned int events = 0
    cdef File file, target
    if operation != EPOLL_CTL_DEL:
        task.get(args[3], event, EVENT_SIZE)
        memcpy(&events, event, 4)
    file = opened(task, <int> args[0])
    target = opened(task, fd)
    if not isinstance(file, Epoll):
        return -EINVAL
    if operation == EPOLL_CTL_ADD:
        (<Epoll> file).add(fd, target, events, event[4:EVENT_SIZE])
    elif operation == EPOLL_CTL_MOD:
        (<Epoll> file).modify(fd, target, events, event[4:EVENT_SIZE])
    elif operation == EPOLL_CTL_DEL:
        (<Epoll> file).remove(fd, target)
    else:
        return -EINVAL
    return 0


cdef long sys_epoll_wait(Task task, const unsigned long *args) except? -1:
    """epoll_wait(2): timeout in ms, negative for none."""
    return wait_ms(task, args)


cdef long sys_epoll_pwait(Task task, const unsigned long *args) except? -1:
    """epoll_pwait(2): with a signal mask for the time of the wait."""
    if task.progress is None:
        set_temporary_mask(task, args[4], args[5])
    return wait_ms(task, args)


cdef long sys_epoll_pwait2(Task task, const unsigned long *args) except? -1:
    """epoll_pwait2(2): timeout as timespec, NULL for none."""
    cdef long value[2]
    cdef long long timeout_ns = FOREVER
    if task.progress is None:
        if args[3]:
            task.get(args[3], value, sizeof(value))
            if value[0] < 0 or value[1] < 0 or value[1] >= NS_PER_S:
                return -EINVAL
            if value[0] < MAX_SECONDS:
                timeout_ns = value[0] * NS_PER_S + value[1]
        set_temporary_mask(task, args[4], args[5])
    return wait(task, <int> args[0], args[1], <int> args[2], timeout_ns)


define(213, "epoll_create(size: Int)", sys_epoll_create)
define(232, "epoll_wait(epfd: Fd, events: Out, maxevents: Int, timeout: Int)", sys_epoll_wait)
define(233, "epoll_ctl(epfd: Fd, op: Int, fd: Fd, event: Ptr)", sys_epoll_ctl)
define(281, "epoll_pwait(epfd: Fd, events: Out, maxevents: Int, timeout: Int, sigmask: Ptr, sigsetsize: Size)", sys_epoll_pwait)
define(291, "epoll_create1(flags: Int)", sys_epoll_create1)
define(441, "epoll_pwait2(epfd: Fd, events: Out, maxevents: Int, timeout: Ptr, sigmask: Ptr, sigsetsize: Size)", sys_epoll_pwait2)


cdef long wait_ms(Task task, const unsigned long *args) except? -1:
    cdef long long timeout_ms = <int> args[3]
    return wait(task, <int> args[0], args[1], <int> args[2], timeout_ms * 1000000 if timeout_ms >= 0 else FOREVER)


cdef long wait(Task task, int epfd, unsigned long address, int most, long long timeout_ns) except? -1:
    """Copy out what is ready, or wait until timeout_ns after the first attempt; task.progress is the deadline."""
    cdef Epoll epoll
    cdef File file
    if most <= 0 or most > MAX_EVENTS:
        return -EINVAL
    if address > ADDRESS_END - most * EVENT_SIZE:
        return -EFAULT
    file = opened(task, epfd)
    if not isinstance(file, Epoll):
        return -EINVAL
    epoll = <Epoll> file
    if epoll.ready:
        found = collect(task, epoll, address, most)
        if found:
            return found
    if timeout_ns == 0 or task.timed_out:
        return 0
    if task.progress is None:
        task.progress = FOREVER if timeout_ns == FOREVER else task.kernel.clock.monotonic_ns() + timeout_ns
    task.wait_on(epoll.waiters, POLLIN)
    return task.block(task.progress, ERESTARTNOHAND)


cdef long collect(Task task, Epoll epoll, unsigned long address, int most) except? -1:
    """Copy ready events out: how many. Memory that can't be written is found before edges are lost."""
    cdef unsigned int events
    most = min(most, <int> len(epoll.ready))
    if not task.writable(address, most * EVENT_SIZE):
        raise Errno(EFAULT)
    parts = []
    for events, data in epoll.collect(most):
        parts.append((<char *> &events)[:4])
        parts.append(data)
    if parts:
        task.copy_out(address, b"".join(parts))
    return len(parts) // 2


cdef File opened(Task task, int fd):
    """The file behind a descriptor; EBADF, also for O_PATH."""
    cdef File file = (<FdTable> task.files).get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    return file
