# SPDX-License-Identifier: Apache-2.0
# What is asked of the host about one traced thread.

from kernel.platform.x86_64.abi cimport machine, report


cdef extern from "<sys/user.h>":
    struct user_regs_struct:
        unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax
        unsigned long rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs


cpdef enum:
    EVENT_FORK = 1                       # PTRACE_EVENT_*, status >> 16
    EVENT_VFORK = 2
    EVENT_CLONE = 3
    EVENT_STOP = 128
    SYSCALL_STOP = 0x85                  # SIGTRAP | 0x80, with PTRACE_O_TRACESYSGOOD


# Each answers 0 (or a count) or -errno; -ESRCH: the thread is being killed, and waitpid will tell.
cdef long ask(int request, int tid, unsigned long first, unsigned long second) noexcept
cdef long get_registers(int tid, user_regs_struct *into) noexcept
cdef long set_registers(int tid, user_regs_struct *values) noexcept
cdef long get_image(int tid, char *into, size_t size) noexcept
cdef long set_image(int tid, const char *image, size_t size) noexcept
cdef long emulate_calls(int tid) noexcept           # go on; stop before the next system call, which is not made
cdef long let_run(int tid) noexcept                 # go on; make system calls
cdef long stop_soon(int tid) noexcept
cdef long seize(int tid) noexcept
cdef int child_of_event(int tid) noexcept           # 0: none
cdef bint fault_waits(int tid) noexcept             # a signal is queued behind this stop
cdef unsigned int call_arch(int tid) noexcept       # AUDIT_ARCH_* of the system call that it is stopped at
cdef bint take_fault(int tid, report *into) noexcept    # False: not a fault of its own, somebody sent the signal

cdef void to_machine(const user_regs_struct *regs, machine *into) noexcept nogil
cdef void from_machine(const machine *state, user_regs_struct *into) noexcept nogil
