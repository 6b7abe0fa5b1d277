# SPDX-License-Identifier: Apache-2.0
"""The platform as the kernel sees it: who runs guest instructions, and what they may be told.

Abstract. `systrap` (our default; the shim) and `ptrace` (slow reference) are the two that exist.
"""


cdef class PlatformEvents:
    """What a platform reports; the kernel overrides all of it."""

    cdef int on_syscall(self, GuestThread thread) except -1:
        raise NotImplementedError

    cdef int on_foreign_syscall(self, GuestThread thread) except -1:
        raise NotImplementedError

    cdef int on_fault(self, GuestThread thread, int signo, int code, unsigned long address) except -1:
        raise NotImplementedError

    cdef int on_interrupt(self, GuestThread thread) except -1:
        raise NotImplementedError

    cdef int on_futex_interrupt(self, GuestThread thread) except -1:
        raise NotImplementedError

    cdef int on_host_calls(self, GuestThread thread, HostCall *calls, int count) except -1:
        raise NotImplementedError

    cdef int on_clone(self, GuestThread thread, long error) except -1:
        raise NotImplementedError

    cdef int on_born(self, GuestThread thread) except -1:
        raise NotImplementedError

    cdef int code_protection(self, GuestThread thread, unsigned long start, unsigned long end) noexcept:
        return 0

    cdef int page_protection(self, GuestThread thread, unsigned long page) noexcept:
        return -1

    cdef int on_mask(self, GuestThread thread, unsigned long mask) except -1:
        return 0

    cdef int on_breach(self, GuestThread thread, str what) except -1:
        raise NotImplementedError

    cdef int on_space_dead(self, Space space, int wait_status) except -1:
        raise NotImplementedError


cdef class Space:
    """A stub process."""

    cdef long read(self, unsigned long address, void *into, size_t length) noexcept:
        return -3

    cdef long write(self, unsigned long address, const void *data, size_t length) noexcept:
        return -3

    cpdef kill(self):
        raise NotImplementedError


cdef class GuestThread:
    """A host thread of a stub."""

    cdef long syscall_number(self) noexcept:
        return -1

    cdef void arguments(self, unsigned long *into) noexcept:
        pass

    cdef void set_result(self, long value) noexcept:
        pass

    cdef void restart_syscall(self) noexcept:
        pass

    cdef void restart_as(self, long number) noexcept:
        pass

    cdef unsigned long stack_pointer(self) noexcept:
        return 0

    cdef unsigned long instruction_pointer(self) noexcept:
        return 0

    cdef void set_ids(self, const unsigned int *ids) noexcept:
        pass

    cdef void copy_state(self, GuestThread other) noexcept:
        pass

    cdef void set_stack(self, unsigned long sp) noexcept:
        pass

    cdef void set_tls(self, unsigned long base) noexcept:
        pass

    cdef unsigned long tls(self) noexcept:
        return 0

    cdef void set_gs(self, unsigned long base) noexcept:
        pass

    cdef unsigned long gs(self) noexcept:
        return 0

    cdef void start_state(self, unsigned long entry, unsigned long sp) noexcept:
        pass

    cpdef dict registers(self):
        raise NotImplementedError

    cpdef set_registers(self, dict values):
        raise NotImplementedError

    cdef bint push_signal_frame(self, int signo, bytes info, unsigned long handler, unsigned long restorer, unsigned long mask,
                                unsigned long sa_flags, tuple altstack, unsigned long stack_top) except -1:
        raise NotImplementedError

    cdef tuple pop_signal_frame(self):
        raise NotImplementedError

    cdef void resume(self) noexcept:
        pass

    cdef int host_calls(self, HostCall *calls, int count, bint then_resume) except -1:
        raise NotImplementedError

    cdef int fork(self, GuestThread child, bint then_resume) except -1:
        raise NotImplementedError

    cdef int clone_thread(self, GuestThread child, bint then_resume) except -1:
        raise NotImplementedError

    cdef void exit(self, unsigned long clear_tid) noexcept:
        pass

    cdef void interrupt(self) noexcept:
        pass

    cdef tuple start_over(self):
        return None

    cpdef int donate(self, int host_fd, int at) except -1:
        raise NotImplementedError

    cdef void tell_mask(self, unsigned long mask, bint is_local) noexcept:
        pass

    cdef bint take_mask(self, unsigned long *into) noexcept:
        return False

    cdef unsigned long robust_list(self) noexcept:
        return 0

    cdef void tell_robust_list(self, unsigned long head) noexcept:
        pass

    def asleep(self):
        """It waits in a call that the host serves (futex), so to others it is not running."""
        return False


cdef class Platform:
    """The factory, and the source of events."""

    cpdef start(self, PlatformEvents events):
        raise NotImplementedError

    cpdef int dispatch(self) except -1:
        raise NotImplementedError

    cpdef describe(self, list pieces):
        pass

    cdef int serve_hot(self) except -1:
        return 0

    cpdef str statistics(self):
        return ""

    cpdef GuestThread new_thread(self, Space space):
        raise NotImplementedError

    cpdef spawn(self, GuestThread thread):
        raise NotImplementedError

    cpdef int child_died(self, int host_pid, int wait_status) except -1:
        raise NotImplementedError

    cpdef unsigned long vdso(self):
        raise NotImplementedError

    cpdef dict limits(self):
        raise NotImplementedError

    cpdef release(self, GuestThread thread):
        raise NotImplementedError
