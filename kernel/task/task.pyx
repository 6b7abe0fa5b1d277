# SPDX-License-Identifier: Apache-2.0
"""Task: one guest thread, with what a system call needs of it: guest memory, waiting, host calls.

A blocking call is *attempted again*: its handler puts the task into queues with wait_on(), returns block(), and is called anew from
the saved arguments when something fires. Nothing is kept but the arguments, `progress` and a deadline.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memchr

from kernel.abi.errno cimport EFAULT, ENAMETOOLONG, ERESTARTSYS, Errno
from kernel.abi.signal cimport SIGKILL, SIGSTOP
from kernel.sync.waitqueue cimport WaitEntry
from kernel.time.timers cimport TimerQueue

cdef enum:
    PAGE = 4096


cdef class Task(Waiter):
    """A guest thread."""

    def __init__(self, kernel, int tid, ThreadGroup group):
        self.kernel = kernel
        self.runqueue = kernel.run_queue()
        self.tid = tid
        self.group = group
        self.state = ORDERING
        self.entries = []
        self.deadline_ns = -1
        self.altstack = (0, 2, 0)
        self.timerslack_ns = 50000
        self.start_ns = kernel.clock.boottime_ns()

    # guest memory

    cpdef bytes copy_in(self, unsigned long address, Py_ssize_t length):
        """length bytes at address; EFAULT if any of them can't be read."""
        data = self.copy_in_some(address, length)
        if len(data) < length:
            raise Errno(EFAULT)
        return data

    cpdef bytes copy_in_some(self, unsigned long address, Py_ssize_t length):
        """The bytes at address up to the first that can't be read."""
        cdef bytes data
        cdef long got
        if length <= 0 or self.mm is None or self.mm.space is None:
            return b""
        data = PyBytes_FromStringAndSize(NULL, length)
        got = self.mm.space.read(address, PyBytes_AS_STRING(data), length)
        if got == length:
            return data
        return data[:got] if got > 0 else b""

    cpdef copy_out(self, unsigned long address, data):
        """All of data to address, or EFAULT."""
        if self.copy_out_some(address, data) < len(data):
            raise Errno(EFAULT)

    cpdef Py_ssize_t copy_out_some(self, unsigned long address, data) except -1:
        """data to address, up to the first byte that can't be written: how many."""
        cdef Py_buffer view
        cdef long done = 0
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        if view.len and self.mm is not None and self.mm.space is not None:
            done = self.mm.space.write(address, view.buf, view.len)
        PyBuffer_Release(&view)
        return done if done > 0 else 0

    cpdef bytes copy_in_string(self, unsigned long address, Py_ssize_t limit):
        """The string at address without its NUL; ENAMETOOLONG if it is longer than limit bytes."""
        cdef char page[4096]
        cdef long got, want
        cdef char *end
        cdef bytes part
        parts = []
        total = 0
        while total <= limit:
            want = PAGE - (address & (PAGE - 1))
            got = self.mm.space.read(address, page, want)
            if got <= 0:
                raise Errno(EFAULT)
            end = <char *> memchr(page, 0, got)
            part = page[:(end - page) if end != NULL else got]
            parts.append(part)
            total += len(part)
            if end != NULL:
                break
            address += got
        if total > limit:
            raise Errno(ENAMETOOLONG)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    cdef int get(self, unsigned long address, void *into, size_t length) except -1:
        """copy_in for a C object."""
        if self.mm.space.read(address, into, length) != <long> length:
            raise Errno(EFAULT)
        return 0

    cdef int put(self, unsigned long address, const void *data, size_t length) except -1:
        """copy_out for a C object."""
        if self.mm.space.write(address, data, length) != <long> length:
            raise Errno(EFAULT)
        return 0

    cpdef bint writable(self, unsigned long address, Py_ssize_t length):
        """The range could be written as far as the VMA tree knows: asked before state is changed."""
        return self.mm.accessible(address, length, 2)

    # waiting

    cpdef wait_on(self, WaitQueue queue, unsigned int events=0xffffffff):
        """Stand in one more queue until the next attempt."""
        self.entries.append(queue.add(self, events))

    cpdef long block(self, long long deadline_ns=-1, int restart=ERESTARTSYS, object interrupted=None) except? -1:
        """Wait for the queues, or until deadline_ns of the monotonic clock. The handler returns what this returns."""
        self.restart = restart
        self.interrupted = interrupted
        self.state = WAITING
        if deadline_ns >= 0:
            self.deadline_ns = deadline_ns
            self.timer = (<TimerQueue> self.kernel.timers).add(deadline_ns, self.time_is_up)
        return BLOCKED

    cpdef bint wake(self, unsigned int events) except? -1:
        """A queue fired: attempt the call again, once."""
        if self.state != WAITING or self.queued:
            return False
        self.queued = True
        self.runqueue.push(self)
        return True

    def time_is_up(self):
        """The deadline passed."""
        self.timer = None
        self.timed_out = True
        self.wake(0)

    cdef void leave_queues(self):
        cdef WaitEntry entry
        for entry in self.entries:
            entry.queue.remove(entry)
        self.entries.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.deadline_ns = -1

    cpdef tell_ids(self):
        """Whenever one of them changes. With strace each call is to be seen, so nothing is told; with a filter each is to be judged."""
        cdef unsigned int[7] ids
        cdef Creds creds = self.creds
        cdef ThreadGroup parent = self.group.parent
        self.told_creds = creds
        if self.thread is None or self.kernel.strace:
            return
        ids[0], ids[1], ids[2] = self.group.pid if self.seccomp is None else 0, self.tid, 0 if parent is None else parent.pid
        ids[3], ids[4], ids[5], ids[6] = creds.uid, creds.euid, creds.gid, creds.egid
        self.thread.set_ids(ids)
        if self.seccomp is not None:
            self.take_mask()

    cdef void own_mask(self, unsigned long mask) noexcept:
        """Its thread has changed it by itself."""
        self.blocked = mask & ~(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1))

    cpdef take_mask(self):
        """Its mask is looked at, or a signal begins to wait: `blocked` is up to date, and from now on it asks before it changes it."""
        cdef unsigned long mask = 0
        if self.thread is not None and self.thread.take_mask(&mask):
            self.own_mask(mask)

    cpdef find_robust_list(self):
        """Its thread may have set it by itself."""
        cdef unsigned long head = 0 if self.thread is None else self.thread.robust_list()
        if head:
            self.robust_list = head

    cpdef set_robust_list(self, unsigned long head):
        self.robust_list = head
        self.thread.tell_robust_list(head)

    cpdef bint signal_pending(self):
        """A signal that is not blocked waits, or the end."""
        return self.killed or (self.pending.mask | self.group.pending.mask) & ~self.blocked != 0

    def waits_natively(self):
        """In a futex wait that the host serves."""
        return self.thread is not None and self.thread.asleep()

    def is_running(self):
        """Runs guest code, or is being served: what the load average counts."""
        return self.state == GUEST or self.state == SERVING

    def host_tid(self):
        """The host thread that runs it, in the sandbox's pid namespace; 0 if there is none."""
        return 0 if self.thread is None else self.thread.host_tid

    # host calls

    cpdef long host_calls(self, list calls, long result, object then=None, object failed=None) except? -1:
        """Have its own host thread make host calls, then go on with `result`.

        calls: tuples (number, up to six arguments) or, with eight elements, a host descriptor at the end that is given to the stub
        for the call and whose number there replaces argument 4. If a call fails the rest are not made.
        then(task, results) is called afterwards, with [(number, result)]; failed(task, results) if a call failed and there is no then;
        without them the failed call's error is the result.
        """
        return self.kernel.order_host_calls(self, calls, result, then, failed)
