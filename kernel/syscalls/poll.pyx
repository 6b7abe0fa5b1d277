# SPDX-License-Identifier: Apache-2.0
"""poll(2), ppoll(2), select(2), pselect(2): wait for any of many files.

One attempt looks at every file; if none is ready the task stands in all their queues until one fires, and looks again. What
the guest passed is fetched once, at the first attempt, and kept in task.progress with the deadline.
"""

from kernel.abi.errno cimport EBADF, EINTR, EINVAL, ERESTARTNOHAND, Errno
from kernel.abi.fs cimport O_PATH
from kernel.abi.poll cimport (
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
)
from kernel.abi.task cimport RLIMIT_NOFILE
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from kernel.syscalls.sigmask cimport set_temporary_mask
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task

cdef enum:
    READ_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
    WRITE_SET = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
    EXCEPT_SET = POLLPRI
    LEAST_TABLE = 256                    # descriptors that a table has room for, open or not
    # how a remaining timeout is written back
    NO_TIMEOUT = 0
    TIMEVAL = 1
    TIMESPEC = 2

cdef object ONE = 1                      # of Python's kind, which can be shifted by more than 31
cdef long long NS_PER_S = 1000000000
cdef long long MAX_SECONDS = 9000000000  # 285 years: later is never


cdef struct PollFd:
    int fd
    short events
    short revents


cdef class Poll:
    """One poll or select call between its attempts."""
    cdef long long deadline_ns           # CLOCK_MONOTONIC; -1: none
    cdef bint at_once                    # a timeout of 0: look, don't wait
    cdef bytearray fds                   # PollFd[count]
    cdef int count
    cdef unsigned long timeout_address   # where the remaining time goes
    cdef int timeout_kind                # NO_TIMEOUT, TIMEVAL, TIMESPEC
    cdef unsigned long sets[3]           # select: addresses of the sets
    cdef int set_bytes                   # select: length of each

    cdef PollFd *array(self):
        return <PollFd *> <char *> self.fds


cdef long sys_poll(Task task, const unsigned long *args) except? -1:
    """poll(2): timeout in ms, negative for none."""
    cdef Poll call = task.progress
    cdef int timeout_ms = <int> args[2]
    if call is None:
        call = task.progress = poll_call(task, args[0], <unsigned int> args[1])
        set_deadline(task, call, timeout_ms // 1000, timeout_ms % 1000 * 1000000LL, timeout_ms >= 0)
    return attempt_poll(task, call, args[0])


cdef long sys_ppoll(Task task, const unsigned long *args) except? -1:
    """ppoll(2): timeout as timespec, and a signal mask for the time of the wait."""
    cdef Poll call = task.progress
    if call is None:
        timeout = copy_in_timeout(task, args[2], TIMESPEC)
        call = poll_call(task, args[0], <unsigned int> args[1])
        start(task, call, timeout, args[2], TIMESPEC)
        set_temporary_mask(task, args[3], args[4])
        task.progress = call
    return finish(task, call, attempt_poll(task, call, args[0]))


cdef long sys_select(Task task, const unsigned long *args) except? -1:
    """select(2): timeout as timeval, updated to what is left."""
    cdef Poll call = task.progress
    if call is None:
        timeout = copy_in_timeout(task, args[4], TIMEVAL)
        call = select_call(task, <int> args[0], args[1], args[2], args[3])
        start(task, call, timeout, args[4], TIMEVAL)
        task.progress = call
    return finish(task, call, attempt_select(task, call))


cdef long sys_pselect6(Task task, const unsigned long *args) except? -1:
    """pselect(2): timeout as timespec; the last argument points at {mask, size of mask}."""
    cdef Poll call = task.progress
    cdef unsigned long mask[2]
    if call is None:
        mask[0] = mask[1] = 0
        if args[5]:
            task.get(args[5], mask, sizeof(mask))
        timeout = copy_in_timeout(task, args[4], TIMESPEC)
        call = select_call(task, <int> args[0], args[1], args[2], args[3])
        start(task, call, timeout, args[4], TIMESPEC)
        set_temporary_mask(task, mask[0], mask[1])
        task.progress = call
    return finish(task, call, attempt_select(task, call))


define(7, "poll(fds: Ptr, nfds: UInt, timeout: Int)", sys_poll)
define(23, "select(nfds: Int, readfds: Ptr, writefds: Ptr, exceptfds: Ptr, timeout: Ptr)", sys_select)
define(270, "pselect6(nfds: Int, readfds: Ptr, writefds: Ptr, exceptfds: Ptr, timeout: Ptr, sigmask: Ptr)", sys_pselect6)
define(271, "ppoll(fds: Ptr, nfds: UInt, timeout: Ptr, sigmask: Ptr, sigsetsize: Size)", sys_ppoll)


cdef Poll poll_call(Task task, unsigned long address, unsigned int count):
    """A call from a struct pollfd[count]; EINVAL, EFAULT."""
    cdef Poll call = Poll()
    if count > task.group.limits.soft(RLIMIT_NOFILE):
        raise Errno(EINVAL)
    call.count = count
    call.fds = bytearray(task.copy_in(address, count * sizeof(PollFd)))
    call.deadline_ns = -1
    return call


cdef Poll select_call(Task task, int nfds, unsigned long readfds, unsigned long writefds, unsigned long exceptfds):
    """A call from three sets of bits: one PollFd for each descriptor in any of them; EINVAL, EFAULT.

    What lies beyond the table of descriptors is not looked at, as in Linux.
    """
    cdef Poll call = Poll()
    cdef PollFd wanted
    cdef int fd, which
    cdef const unsigned char *set
    cdef short[3] events = [READ_SET, WRITE_SET, EXCEPT_SET]
    if nfds < 0:
        raise Errno(EINVAL)
    nfds = min(nfds, max(<int> LEAST_TABLE, <int> len((<FdTable> task.files).files)))
    call.set_bytes = (nfds + 63) // 64 * 8
    call.sets[0], call.sets[1], call.sets[2] = readfds, writefds, exceptfds
    call.fds = bytearray()
    call.deadline_ns = -1
    bits = [task.copy_in(call.sets[which], call.set_bytes) if call.sets[which] else bytes(call.set_bytes) for which in range(3)]
    for fd in range(nfds):
        wanted.fd, wanted.events, wanted.revents = fd, 0, 0
        for which in range(3):
            set = bits[which]
            if set[fd >> 3] >> (fd & 7) & 1:
                wanted.events |= events[which]
        if wanted.events:
            call.fds += (<char *> &wanted)[:sizeof(PollFd)]
            call.count += 1
    return call


cdef long attempt_poll(Task task, Poll call, unsigned long address) except? -1:
    """Look; write the results out and return how many are ready, or wait."""
    cdef int ready = look(task, call)
    if ready == 0 and not call.at_once and not task.timed_out:
        return wait(task, call)
    task.copy_out(address, call.fds)
    return ready


cdef long attempt_select(Task task, Poll call) except? -1:
    """Look; write the three sets out and return how many bits are set, or wait. EBADF for any descriptor that is not open."""
    cdef int i
    cdef long total = 0
    cdef PollFd *fds = call.array()
    look(task, call)
    for i in range(call.count):
        if fds[i].revents & POLLNVAL:
            raise Errno(EBADF)
    bits = [bytearray(call.set_bytes), bytearray(call.set_bytes), bytearray(call.set_bytes)]
    for i in range(call.count):
        for which, events in enumerate((READ_SET, WRITE_SET, EXCEPT_SET)):
            if fds[i].events & events == events and fds[i].revents & events:
                bits[which][fds[i].fd >> 3] |= 1 << (fds[i].fd & 7)
                total += 1
    if total == 0 and not call.at_once and not task.timed_out:
        return wait(task, call)
    for i in range(3):
        if call.sets[i]:
            task.copy_out(call.sets[i], bits[i])
    return total


cdef int look(Task task, Poll call) except -1:
    """Fill in revents; how many are not 0."""
    cdef PollFd *fds = call.array()
    cdef int i, ready = 0
    cdef File file
    for i in range(call.count):
        fds[i].revents = 0
        if fds[i].fd < 0:
            continue
        file = file_or_none(task, fds[i].fd)
        if file is None:
            fds[i].revents = POLLNVAL
        else:
            fds[i].revents = file.poll() & (<unsigned short> fds[i].events | POLLERR | POLLHUP)
        if fds[i].revents:
            ready += 1
    return ready


cdef long wait(Task task, Poll call) except? -1:
    """Stand in the queues of all files."""
    cdef PollFd *fds = call.array()
    cdef int i
    cdef File file
    for i in range(call.count):
        if fds[i].fd >= 0:
            file = file_or_none(task, fds[i].fd)
            if file is not None:
                task.wait_on(file.poll_queue(), <unsigned short> fds[i].events | POLLERR | POLLHUP)
    return task.block(call.deadline_ns, ERESTARTNOHAND, interrupted)


cdef File file_or_none(Task task, int fd):
    cdef File file = (<FdTable> task.files).find(fd)
    return None if file is None or file.flags & O_PATH else file


cdef tuple copy_in_timeout(Task task, unsigned long address, int kind):
    """(seconds, ns) from a timeval or timespec, None if address is NULL; EINVAL, EFAULT."""
    cdef long value[2]
    if address == 0:
        return None
    task.get(address, value, sizeof(value))
    if kind == TIMEVAL:
        value[0] += value[1] // 1000000
        value[1] = value[1] % 1000000 * 1000
    if value[0] < 0 or value[1] < 0 or value[1] >= NS_PER_S:
        raise Errno(EINVAL)
    return value[0], value[1]


cdef int start(Task task, Poll call, tuple timeout, unsigned long address, int kind) except -1:
    """Set the deadline, and where the remaining time is written."""
    if timeout is not None:
        set_deadline(task, call, timeout[0], timeout[1], True)
        if not call.at_once:
            call.timeout_address = address
            call.timeout_kind = kind
    return 0


cdef int set_deadline(Task task, Poll call, long long seconds, long long ns, bint finite) except -1:
    call.at_once = finite and seconds == 0 and ns == 0
    if finite and seconds < MAX_SECONDS and not call.at_once:
        call.deadline_ns = task.kernel.clock.monotonic_ns() + seconds * NS_PER_S + ns
    return 0


cdef long finish(Task task, Poll call, long result) except? -1:
    """After an attempt: unless it waits, write the remaining time."""
    if result >= 0:
        write_remaining(task, call)
    return result


cdef int write_remaining(Task task, Poll call) except -1:
    """A timeout in memory that can't be written is no error."""
    cdef long long left
    cdef long value[2]
    if call.timeout_kind == NO_TIMEOUT:
        return 0
    left = MAX_SECONDS * NS_PER_S if call.deadline_ns < 0 else max(0, call.deadline_ns - task.kernel.clock.monotonic_ns())
    value[0] = left // NS_PER_S
    value[1] = left % NS_PER_S
    if call.timeout_kind == TIMEVAL:
        value[1] //= 1000
    task.copy_out_some(call.timeout_address, (<char *> value)[:sizeof(value)])
    return 0


def interrupted(Task task):
    """A handler is going to run: EINTR, with the remaining time written."""
    write_remaining(task, task.progress)
    return -EINTR
