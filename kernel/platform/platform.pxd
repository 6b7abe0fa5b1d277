# SPDX-License-Identifier: Apache-2.0
# What the rest of the kernel sees of the platform: abstract classes that kernel/platform/systrap (and ptrace) fill.
# No register name leaves kernel/platform.

cdef struct HostCall:                    # one system call that the guest's own host thread makes for us
    unsigned long number
    unsigned long args[6]
    long result


cdef class PlatformEvents:               # the kernel's side; kernel.task.kernel.Kernel is a subclass
    # Each is called from Platform.dispatch(), one at a time. The thread's request is held until it is given an order
    # (resume, host_calls, fork, clone_thread, exit) now or later.
    cdef int on_syscall(self, GuestThread thread) except -1
    cdef int on_foreign_syscall(self, GuestThread thread) except -1            # int 0x80, x32: answered ENOSYS
    cdef int on_fault(self, GuestThread thread, int signo, int code, unsigned long address) except -1
    cdef int on_interrupt(self, GuestThread thread) except -1                  # after interrupt(): guest code was stopped
    cdef int on_futex_interrupt(self, GuestThread thread) except -1  # a native futex wait was broken off; registers as at the call
    cdef int on_host_calls(self, GuestThread thread, HostCall *calls, int count) except -1   # done (or one failed: the rest were not made)
    cdef int on_clone(self, GuestThread thread, long error) except -1  # fork() or clone_thread() without result given ended; 0 or -errno
    cdef int on_born(self, GuestThread thread) except -1  # a new stub or thread said hello and waits for its first order
    # of a private mapping without write permission that holds all of [start, end): its PROT_*; else 0
    cdef int code_protection(self, GuestThread thread, unsigned long start, unsigned long end) noexcept
    cdef int page_protection(self, GuestThread thread, unsigned long page) noexcept      # its PROT_*; -1 if nothing is mapped there
    cdef int on_mask(self, GuestThread thread, unsigned long mask) except -1  # it has changed its signal mask by itself; before its request
    cdef int on_breach(self, GuestThread thread, str what) except -1  # broke the protocol: its stub was killed; on_space_dead follows
    cdef int on_space_dead(self, Space space, int wait_status) except -1       # the stub's host process is gone


cdef class Space:                        # one host address space: a stub process
    cdef public object mm                # the kernel's MM, for its own use
    cdef readonly int host_pid           # in the sentry's pid namespace; 0 before the hello
    cdef readonly bint dead
    # bytes read (may be short), or -EFAULT; -ESRCH when dead
    cdef long read(self, unsigned long address, void *into, size_t length) noexcept
    cdef long write(self, unsigned long address, const void *data, size_t length) noexcept    # same; respects page protection
    cpdef kill(self)                                                                   # SIGKILL, now; on_space_dead follows


cdef class GuestThread:                  # one host thread that runs one guest thread
    cdef public object task              # the kernel's Task, for its own use
    cdef readonly Space space
    cdef readonly int host_tid           # 0 before the hello
    cdef readonly bint held              # its request is with the kernel (SERVING); else it runs guest code

    # the request, in meaning
    cdef long syscall_number(self) noexcept
    cdef void arguments(self, unsigned long *into) noexcept                    # six
    cdef void set_result(self, long value) noexcept                            # what the system call answers
    cdef void restart_syscall(self) noexcept                                   # go back to the call instruction with the original number
    cdef void restart_as(self, long number) noexcept                           # same, with another number (restart_syscall(2))
    cdef unsigned long stack_pointer(self) noexcept
    cdef unsigned long instruction_pointer(self) noexcept

    # building a guest thread's state
    cdef void copy_state(self, GuestThread other) noexcept                     # registers of other, result 0 (fork, clone)
    cdef void set_stack(self, unsigned long sp) noexcept
    cdef void set_tls(self, unsigned long base) noexcept                       # fs base, when it next resumes
    cdef unsigned long tls(self) noexcept
    cdef void set_gs(self, unsigned long base) noexcept
    cdef unsigned long gs(self) noexcept
    cdef void start_state(self, unsigned long entry, unsigned long sp) noexcept  # fresh registers after execve, vectors reset
    cpdef dict registers(self)                                                 # for logs, core-like reports and ptrace: name -> value
    cpdef set_registers(self, dict values)

    # signals: frames are this architecture's business
    # info: 128 bytes siginfo. altstack: (sp, flags, size) recorded in the frame; on_stack: top to start from or 0 for the current stack.
    # False if the frame can't be written.
    cdef bint push_signal_frame(self, int signo, bytes info, unsigned long handler, unsigned long restorer, unsigned long mask,
                                unsigned long sa_flags, tuple altstack, unsigned long stack_top) except -1
    # None if the frame is bad; else (mask, (sp, flags, size)). Registers are then the restored ones.
    cdef tuple pop_signal_frame(self)

    # orders; each ends the hold
    cdef void resume(self) noexcept
    # Make the calls in the guest's address space. then_result: if all succeed go on with the guest code, set_result() having been
    # called before; else on_host_calls tells. At most 40 calls.
    cdef int host_calls(self, HostCall *calls, int count, bint then_resume) except -1
    cdef int fork(self, GuestThread child, bint then_resume) except -1          # child: from Platform.new_thread(space=None)
    cdef int clone_thread(self, GuestThread child, bint then_resume) except -1  # child: from Platform.new_thread(space=self.space)
    # the host thread ends: *clear_tid = 0, futex wake (0: none). Leaders are parked.
    cdef void exit(self, unsigned long clear_tid) noexcept
    cdef void interrupt(self) noexcept  # if it runs guest code: make it come to on_interrupt soon; no-op when held
    # held only: (start, size) of all that the guest may have mapped, if no other thread ever was in its stub, which so can be emptied
    # for another program of the same owner; what the platform knew of the old one is forgotten. None: take a fresh stub.
    cdef tuple start_over(self)
    cpdef int donate(self, int host_fd, int at) except -1  # held only: duplicates host_fd into the stub at number `at` (>= 8), cloexec

    # Its signal mask: when it goes on it may change it by itself if is_local. take_mask(): no longer; True if it is not held and so
    # what is in `into` counts, not what was told. These are the guest's own words about itself.
    cdef void tell_mask(self, unsigned long mask, bint is_local) noexcept
    cdef bint take_mask(self, unsigned long *into) noexcept
    # Head of its list of robust futexes: 0, or what it has set by itself, or what was told.
    cdef unsigned long robust_list(self) noexcept
    cdef void tell_robust_list(self, unsigned long head) noexcept

    # pid, tid, ppid, uid, euid, gid, egid: may answer these calls without asking from now on, also while guest code runs
    cdef void set_ids(self, const unsigned int *ids) noexcept


cdef class Platform:
    cdef PlatformEvents events
    cdef readonly int listener           # POLLIN: call dispatch()
    cdef readonly bint reaps             # it waits for the host's children itself, before and instead of child_died()
    cpdef start(self, PlatformEvents events)                                   # births the zygote; before the sentry's filter
    cpdef int dispatch(self) except -1                                         # takes and serves one notification; 0 if there was none
    cpdef describe(self, list pieces)    # [(number, [(COPY_*, argument, bytes, argument that counts or None)])]; an optimisation only
    # Spins for a request of a thread that spins as well: 2 one was served, 1 look for other events now but don't sleep, 0 there is none
    cdef int serve_hot(self) except -1
    cpdef str statistics(self)                                                 # one line for the debug log
    cpdef GuestThread new_thread(self, Space space)                            # prepares context and nonce; space None: a new Space for it
    cpdef spawn(self, GuestThread thread)  # the zygote makes a stub for a thread with a new Space; on_born follows
    cpdef int child_died(self, int host_pid, int wait_status) except -1        # from the kernel's SIGCHLD reaping
    cpdef unsigned long vdso(self)                                             # AT_SYSINFO_EHDR for guests
    cpdef dict limits(self)  # min_address, guest_end (exclusive), minsigstksz, hwcap, hwcap2, platform name
    cpdef release(self, GuestThread thread)  # the kernel forgets a thread; its slot is reused when the host says it is gone
