# SPDX-License-Identifier: Apache-2.0
# One guest thread, as Linux's task_struct.

from kernel.mm.mm cimport MM
from kernel.platform.platform cimport GuestThread
from kernel.signal.pending cimport Pending
from kernel.sync.runqueue cimport RunQueue
from kernel.sync.waitqueue cimport Waiter, WaitQueue
from kernel.task.creds cimport Creds
from kernel.task.group cimport ThreadGroup

cpdef enum:
    # What a handler may return besides a count and -errno.
    BLOCKED = -0x100000                  # task.block() was called: attempt again when a queue fires, a signal comes or time is up
    ORDERED = -0x100001                  # the handler has given the thread its order itself (or will later)

cdef enum TaskState:
    GUEST                                # runs guest code (or is on its way to the kernel)
    SERVING                              # the kernel is working on its request right now
    WAITING                              # blocked inside a system call; held
    ORDERING                             # its host thread makes host calls for us
    STOPPED                              # job control or ptrace stop; held
    DEAD


cdef class Task(Waiter):
    cdef public int tid
    cdef public ThreadGroup group
    cdef public object kernel            # kernel.task.kernel.Kernel
    cdef RunQueue runqueue
    cdef public MM mm
    cdef public Creds creds
    cdef public object files             # fs.vfs.fdtable.FdTable
    cdef public object fs                # fs.vfs.context.FsContext: root, cwd, umask, mounts
    cdef public object uts               # kernel.task.namespaces.UtsNamespace
    cdef public object ipc               # kernel.ipc.namespace.IpcNamespace
    cdef public bytes comm               # at most 15 bytes
    cdef GuestThread thread
    cdef public TaskState state

    # signals
    cdef public unsigned long blocked    # signal mask, bit signo - 1
    cdef public Pending pending          # of this thread
    cdef public unsigned long saved_blocked      # mask to restore after sigsuspend and the like
    cdef public bint restore_blocked
    cdef public tuple altstack           # (sp, flags, size)

    # the system call being served
    cdef public long number
    cdef unsigned long args[6]
    cdef public object progress          # what one attempt leaves for the next; None at the first
    cdef public bint timed_out           # this attempt was started because the deadline passed
    cdef public long long deadline_ns    # of the wait in progress, monotonic; -1: none
    cdef public long long call_deadline_ns   # of the whole call, fixed by its first attempt; -1: none yet
    cdef public int restart              # ERESTARTSYS or ERESTARTNOHAND: what a handler that runs means for this call
    cdef public object interrupted       # called with the task instead of EINTR when a handler is going to run; returns the result
    cdef list entries                    # WaitEntry: the queues it stands in
    cdef object timer
    cdef bint queued
    cdef public object after_host_calls  # callback(task, results) or None
    cdef public bint in_call             # stopped inside a system call that is attempted again when it goes on
    cdef public object forked            # the child its host thread is making; None
    cdef public object born_action       # callback(task) instead of going to guest code at its birth; None

    # the rest of task_struct
    cdef public int exit_signal          # sent to the parent at exit of the leader; 0 for CLONE_THREAD
    cdef public unsigned long clear_child_tid
    cdef public unsigned long robust_list
    cdef public int pdeath_signal
    cdef public bint no_new_privs
    cdef public bint keep_caps
    cdef public unsigned int personality
    cdef public int nice
    cdef public object sched             # kernel.task.sched.SchedAttr
    cdef public object vfork_parent      # task that waits for our exec or exit
    cdef public bint killed              # a fatal signal or group exit is under way
    cdef public object tracer            # ptrace
    cdef public object seccomp           # filters the guest installed
    cdef public long long start_ns
    cdef public unsigned long timerslack_ns
    cdef public int exit_code            # wait status
    cdef Creds told_creds                # those that its thread answers getuid and the like from; None: not told

    # guest memory
    cpdef bytes copy_in(self, unsigned long address, Py_ssize_t length)        # all or EFAULT
    cpdef copy_out(self, unsigned long address, data)                          # all or EFAULT
    cpdef bytes copy_in_some(self, unsigned long address, Py_ssize_t length)   # what is readable, may be b""
    cpdef Py_ssize_t copy_out_some(self, unsigned long address, data) except -1
    cpdef bytes copy_in_string(self, unsigned long address, Py_ssize_t limit)  # without the NUL; ENAMETOOLONG past limit bytes
    cdef int get(self, unsigned long address, void *into, size_t length) except -1
    cdef int put(self, unsigned long address, const void *data, size_t length) except -1
    cpdef bint writable(self, unsigned long address, Py_ssize_t length)        # by the VMA tree: probe before state changes

    # waiting
    cpdef wait_on(self, WaitQueue queue, unsigned int events=*)                # stand in one more queue
    cpdef long block(self, long long deadline_ns=*, int restart=*, object interrupted=*) except? -1    # returns BLOCKED
    cdef void leave_queues(self)
    cdef void own_mask(self, unsigned long mask) noexcept
    cpdef take_mask(self)
    cpdef find_robust_list(self)
    cpdef set_robust_list(self, unsigned long head)
    cpdef bint signal_pending(self)                                            # a signal that is not blocked waits

    # host calls made by its own host thread
    cpdef long host_calls(self, list calls, long result, object then=*, object failed=*) except? -1   # returns ORDERED

    cpdef tell_ids(self)                                                       # its pids or credentials changed: see set_ids of GuestThread
