# SPDX-License-Identifier: Apache-2.0
"""ptrace(2), through python-ptrace: one function a request, errors as numbers.

python-ptrace calls the C library by ctypes; it knows neither PTRACE_SEIZE nor PTRACE_SYSEMU, so those numbers stand here and go
through its ptrace() as well. A thread that is being killed answers ESRCH to everything, which is no error here.
"""

from libc.errno cimport EIO
from libc.stdint cimport uint64_t
from libc.string cimport memset

from ptrace import PtraceError
from ptrace.binding.func import (
    PTRACE_CONT as CONT, PTRACE_GETREGS as GETREGS, PTRACE_GETREGSET as GETREGSET, PTRACE_O_TRACECLONE as TRACECLONE,
    PTRACE_O_TRACEFORK as TRACEFORK, PTRACE_O_TRACESYSGOOD as TRACESYSGOOD, PTRACE_SETREGS as SETREGS, PTRACE_SETREGSET as SETREGSET,
    ptrace, ptrace_geteventmsg, ptrace_getsiginfo,
)

from kernel.platform.x86_64.abi cimport (
    R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RFL, RIP, RSI, RSP,
)

cdef extern from *:
    """
    #include <stdint.h>
    #include <sys/uio.h>
    struct peek_range { uint64_t off; uint32_t flags; int32_t nr; };
    struct call_info { uint8_t op, pad[3]; uint32_t arch; uint64_t ip, sp, nr, args[6]; uint64_t room[4]; };
    """
    struct iovec:
        void *iov_base
        size_t iov_len
    struct peek_range:
        unsigned long off
        unsigned int flags
        int nr
    struct call_info:
        unsigned char op
        unsigned int arch

cdef enum:
    SYSEMU = 31
    SEIZE = 0x4206
    INTERRUPT = 0x4207
    PEEKSIGINFO = 0x4209
    GET_SYSCALL_INFO = 0x420e
    EXITKILL = 0x100000
    NT_X86_XSTATE = 0x202
    SIGINFO_BYTES = 128
    USER_CS = 0x33
    USER_SS = 0x2b
    SIGTRAP = 5
    SIGBUS = 7
    SIGFPE = 8
    SIGSEGV = 11
    SI_KERNEL = 0x80
    SEGV_ACCERR = 2
    FPE_INTDIV = 1
    TRAP_BRKPT = 1                       # with SI_KERNEL: int3

cdef unsigned long HIGHEST_BASE = 0x7fffffffffff
OPTIONS = TRACESYSGOOD | TRACEFORK | TRACECLONE | EXITKILL


cdef long ask(int request, int tid, unsigned long first, unsigned long second) noexcept:
    try:
        return ptrace(request, tid, first, second)
    except PtraceError as error:
        return -error.errno if error.errno else -EIO


cdef long get_registers(int tid, user_regs_struct *into) noexcept:
    return ask(GETREGS, tid, 0, <unsigned long> into)


cdef long set_registers(int tid, user_regs_struct *values) noexcept:
    return ask(SETREGS, tid, 0, <unsigned long> values)


cdef long get_image(int tid, char *into, size_t size) noexcept:
    """Bytes of the vector state in the standard xsave format."""
    cdef iovec where
    where.iov_base, where.iov_len = into, size
    cdef long error = ask(GETREGSET, tid, NT_X86_XSTATE, <unsigned long> &where)
    return error if error else <long> where.iov_len


cdef long set_image(int tid, const char *image, size_t size) noexcept:
    cdef iovec where
    where.iov_base, where.iov_len = <void *> image, size
    return ask(SETREGSET, tid, NT_X86_XSTATE, <unsigned long> &where)


cdef long emulate_calls(int tid) noexcept:
    return ask(SYSEMU, tid, 0, 0)


cdef long let_run(int tid) noexcept:
    return ask(CONT, tid, 0, 0)


cdef long stop_soon(int tid) noexcept:
    return ask(INTERRUPT, tid, 0, 0)


cdef long seize(int tid) noexcept:
    """Its children and threads are traced from birth; if we die, they die."""
    return ask(SEIZE, tid, 0, OPTIONS)


cdef int child_of_event(int tid) noexcept:
    try:
        return ptrace_geteventmsg(tid)
    except PtraceError:
        return 0


cdef bint fault_waits(int tid) noexcept:
    """A stop that we asked for comes before the signal of a fault that happened at the same moment."""
    cdef peek_range range_
    cdef char[SIGINFO_BYTES] info
    range_.off, range_.flags, range_.nr = 0, 0, 1
    return ask(PEEKSIGINFO, tid, <unsigned long> &range_, <unsigned long> &info[0]) == 1


cdef unsigned int call_arch(int tid) noexcept:
    cdef call_info info
    memset(&info, 0, sizeof(info))
    if ask(GET_SYSCALL_INFO, tid, sizeof(info), <unsigned long> &info) < 0:
        return 0
    return info.arch


cdef bint take_fault(int tid, report *into) noexcept:
    """The host tells tracers no error code and trap number of the processor: what follows from the signal is said."""
    try:
        info = ptrace_getsiginfo(tid)
        into.signo, into.code = info.si_signo, info.si_code
        into.address = info._sifields._sigfault._addr or 0 if into.code != SI_KERNEL else 0
    except PtraceError:
        return False
    into.error, into.trap = 0, 6
    if into.signo == SIGSEGV or into.signo == SIGBUS:
        into.trap = 13 if into.code == SI_KERNEL else 14
        into.error = 0 if into.code == SI_KERNEL else 5 if into.code == SEGV_ACCERR else 4
    elif into.signo == SIGFPE:
        into.trap = 0 if into.code == FPE_INTDIV else 19
    elif into.signo == SIGTRAP:
        into.trap = 3 if into.code == SI_KERNEL or into.code == TRAP_BRKPT else 1
    return into.code > 0


cdef void to_machine(const user_regs_struct *regs, machine *into) noexcept nogil:
    """All but orig_rax."""
    cdef uint64_t *r = &into.regs[0]
    r[RAX], r[RDI], r[RSI], r[RDX], r[R10], r[R8], r[R9] = regs.rax, regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9
    r[RCX], r[R11], r[RBX], r[RBP] = regs.rcx, regs.r11, regs.rbx, regs.rbp
    r[R12], r[R13], r[R14], r[R15] = regs.r12, regs.r13, regs.r14, regs.r15
    r[RSP], r[RIP], r[RFL] = regs.rsp, regs.rip, regs.eflags
    into.fs, into.gs = regs.fs_base, regs.gs_base


cdef void from_machine(const machine *state, user_regs_struct *into) noexcept nogil:
    """orig_rax -1: the host restarts no call. A base that the host would refuse is 0."""
    cdef const uint64_t *r = &state.regs[0]
    memset(into, 0, sizeof(user_regs_struct))
    into.rax, into.rdi, into.rsi, into.rdx, into.r10, into.r8, into.r9 = r[RAX], r[RDI], r[RSI], r[RDX], r[R10], r[R8], r[R9]
    into.rcx, into.r11, into.rbx, into.rbp = r[RCX], r[R11], r[RBX], r[RBP]
    into.r12, into.r13, into.r14, into.r15 = r[R12], r[R13], r[R14], r[R15]
    into.rsp, into.rip, into.eflags = r[RSP], r[RIP], r[RFL]
    into.fs_base = state.fs if state.fs <= HIGHEST_BASE else 0
    into.gs_base = state.gs if state.gs <= HIGHEST_BASE else 0
    into.cs, into.ss = USER_CS, USER_SS
    into.orig_rax = <unsigned long> -1
