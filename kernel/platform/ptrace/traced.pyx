# SPDX-License-Identifier: Apache-2.0
"""The second platform: guest threads are traced host threads, and python-ptrace is how we speak about them to the host.

Slow (two stops of the thread and two switches for each system call) and short: a reference for the first one, and a way to look at
guests where its shim is under suspicion. Everything that it knows comes from the host, so there is no protocol to break: on_breach is
never called. Absent: native waking without a stop, and a filter in the traced processes, which make no system call that we did not order.
"""

from kernel.platform.log import log
from kernel.platform.platform cimport GuestThread, PlatformEvents, Space
from kernel.platform.ptrace.birth import make_process
from kernel.platform.ptrace.code import CALL, CALL_AT, DATA, PAGE_SIZE, TITLE_AT
from kernel.platform.ptrace.courier import Courier
from kernel.platform.ptrace.requests cimport (
    EVENT_STOP, SYSCALL_STOP, call_arch, fault_waits, get_image, get_registers, seize, stop_soon, take_fault, user_regs_struct,
)
from kernel.platform.ptrace.space cimport TracedSpace
from kernel.platform.ptrace.stops import BORN, CALLED, CLONED, STOPPED, UNBORN
from kernel.platform.ptrace.thread cimport GUEST, NATIVE, ORDERED
from kernel.platform.x86_64.abi cimport CTX_BASE, FORK_FLAGS, GUEST_END, RAX, RSI, STACK_HIGH, STACK_LOW

cdef extern from *:
    """
    #include <linux/audit.h>
    #include <linux/auxvec.h>
    #include <signal.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #ifndef AT_MINSIGSTKSZ
    #define AT_MINSIGSTKSZ 51
    #endif
    """
    bint WIFSTOPPED(int status)
    int WSTOPSIG(int status)
    const unsigned int AUDIT_ARCH_X86_64
    enum:
        AT_HWCAP
        AT_HWCAP2
        AT_MINSIGSTKSZ
        AT_SYSINFO_EHDR
        MAP_ANONYMOUS
        MAP_FIXED
        MAP_PRIVATE
        PROT_READ
        PROT_WRITE
        PR_SET_NAME
        SEGV_ACCERR
        SIGBUS
        SIGFPE
        SIGILL
        SIGKILL
        SIGSEGV
        SIGTRAP
        SYS_futex
        SYS_membarrier
        SYS_mmap
        SYS_munmap
        SYS_prctl
        SYS_sched_yield
cdef extern from "<signal.h>" nogil:
    int kill(int pid, int signo)

cdef enum:
    X32_BIT = 0x40000000
    MIN_ADDRESS = 0x10000                # mmap_min_addr
    SMALLEST_FRAME = 2048
    IMAGE_ROOM = 0x8000
    AUXV_WORDS = 512
    XFEATURES = 464                      # where the host puts them in an image
    MXCSR_MASK = 28
    REGISTER_SYNC_CORE = 64              # membarrier: every process inherits it
    FUTEX_OP = 0x7f
    FETCHED = 0x15                       # error codes: user, present, and instruction fetch or write
    WROTE = 7
    ERESTARTSYS = 512                    # what the host's registers show in a call that a stop broke off
    ERESTARTNOINTR = 513
    ERESTARTNOHAND = 514
    ERESTART_RESTARTBLOCK = 516

NATIVE_FUTEX = (0, 1, 9, 10)             # WAIT, WAKE and their BITSET forms
FAULTS = (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP)
cdef unsigned long CALL_IP = CALL_AT, AFTER_CALL = CALL_AT + 2, CALL_END = CALL_AT + len(CALL[1])


cdef class PtracePlatform(Platform):
    """One per sandbox."""

    def __cinit__(self):
        self.listener = -1
        self.reaps = True
        self.layout = FrameLayout()
        self.stops = Stops()
        self.bound = {}
        self.spaces = {}

    cpdef start(self, PlatformEvents events):
        self.events = events
        self.stops.open()
        self.listener = self.stops.listener
        self.courier = Courier()
        self.zygote = self.new_thread(None)
        pid = make_process(self.courier.far.fileno())
        if seize(pid) < 0 or stop_soon(pid) < 0 or not WIFSTOPPED(self.stops.wait_for(pid)):
            raise OSError("the first process can't be traced")
        self.bind(self.zygote, pid)
        self.measure_machine()
        self.empty_zygote()

    cpdef int dispatch(self) except -1:
        cdef tuple event = self.stops.next()
        if event is None:
            return 0
        kind, subject, value = event
        if kind != STOPPED:
            self.on_made(kind, subject, value)
        elif not WIFSTOPPED(value):
            self.on_end(subject, value)
        elif subject in self.bound:
            self.on_stop(self.bound[subject], value)
        return 1

    cpdef GuestThread new_thread(self, Space space):
        cdef TracedThread thread = TracedThread()
        thread.home = TracedSpace() if space is None else space
        thread.space = thread.home
        thread.stops, thread.layout, thread.courier, thread.platform = self.stops, self.layout, self.courier, self
        thread.home.threads.add(thread)
        return thread

    cpdef spawn(self, GuestThread thread):
        """The zygote is always held: it forks at once."""
        self.zygote.hold()
        self.zygote.give_birth(<TracedThread> thread, FORK_FLAGS, False)
        if not thread.host_tid:
            self.stops.put(UNBORN, thread, 0)

    cpdef int child_died(self, int host_pid, int wait_status) except -1:
        """Nobody calls it: this platform waits itself."""
        return 0

    cpdef unsigned long vdso(self):
        """0 if the host put it where guests may unmap it."""
        return self.layout.host.vdso if self.layout.host.vdso >= CTX_BASE else 0

    cpdef dict limits(self):
        return {
            "min_address": MIN_ADDRESS,
            "guest_end": GUEST_END,
            "minsigstksz": self.layout.host.minsigstksz or SMALLEST_FRAME,
            "hwcap": self.layout.host.hwcap,
            "hwcap2": self.layout.host.hwcap2,
            "platform": "x86_64",
        }

    cpdef release(self, GuestThread thread):
        cdef TracedThread t = <TracedThread> thread
        t.home.threads.discard(t)
        t.task = None
        t.released = True

    # what the queue brings

    cdef int on_made(self, int kind, TracedThread thread, long value) except -1:
        """An order was carried out."""
        if kind == UNBORN:
            log("the zygote can't fork")
            self.bury(thread.home)
            self.events.on_space_dead(thread.home, SIGKILL)
            return 0
        if thread is self.zygote or thread.state != ORDERED:
            return 0
        thread.hold()
        if kind == BORN:
            self.events.on_born(thread)
        elif thread.released:            # it was killed on its way to us
            return 0
        elif kind == CALLED:
            self.events.on_host_calls(thread, thread.calls, value)
        elif kind == CLONED:
            self.events.on_clone(thread, value)
        return 0

    cdef int on_stop(self, TracedThread thread, long status) except -1:
        cdef int event = status >> 16, signo = WSTOPSIG(status)
        if thread.state == GUEST:
            return self.on_guest_stop(thread, event, signo)
        if thread.state == NATIVE:
            return self.on_futex_stop(thread, event, signo)
        thread.go_on()
        return 0

    cdef int on_guest_stop(self, TracedThread thread, int event, int signo) except -1:
        cdef user_regs_struct regs
        if event == 0 and signo == SYSCALL_STOP:
            return self.on_call(thread)
        if event == EVENT_STOP and not fault_waits(thread.host_tid):
            if thread.take(&regs) and not thread.released:
                thread.original = -1
                thread.hold()
                self.events.on_interrupt(thread)
            return 0
        if event or signo not in FAULTS or not take_fault(thread.host_tid, &thread.said):
            if thread.kicked and not event:
                stop_soon(thread.host_tid)
            thread.go_on()               # signals that somebody sends from outside mean nothing here
            return 0
        if thread.take(&regs) and not thread.released:
            guess_access(thread, regs.rip)
            thread.original = -1
            thread.hold()
            self.events.on_fault(thread, thread.said.signo & 31 or SIGSEGV, thread.said.code, thread.said.address)
        return 0

    cdef int on_call(self, TracedThread thread) except -1:
        cdef user_regs_struct regs
        cdef unsigned int arch = call_arch(thread.host_tid)
        if not thread.take(&regs) or thread.released:
            return 0
        thread.original = <int> regs.orig_rax
        thread.machine.regs[RAX] = regs.orig_rax
        if arch != AUDIT_ARCH_X86_64 or (thread.original >= 0 and thread.original & X32_BIT):
            thread.hold()
            return self.events.on_foreign_syscall(thread)
        if thread.original == SYS_sched_yield:
            thread.machine.regs[RAX] = 0
            thread.run_guest()
            return 0
        if thread.original == SYS_futex and thread.machine.regs[RSI] & FUTEX_OP in NATIVE_FUTEX:
            thread.run_futex()
            return 0
        thread.hold()
        return self.events.on_syscall(thread)

    cdef int on_futex_stop(self, TracedThread thread, int event, int signo) except -1:
        """The trap behind the call, or a stop that we asked for: before the call, in it, or between call and trap."""
        cdef user_regs_struct regs
        cdef bint done
        if get_registers(thread.host_tid, &regs) < 0 or thread.released:
            return 0
        done = regs.rip == CALL_END if event == 0 else regs.rip == AFTER_CALL and not broken_off(<long> regs.rax)
        if event == EVENT_STOP and not done:
            if regs.rip == CALL_END:     # the trap's signal comes next
                thread.wanted = True
                thread.go_on()
                return 0
            thread.hold()
            return self.events.on_futex_interrupt(thread)
        if not done or event == 0 and signo != SIGTRAP:
            thread.go_on()
            return 0
        thread.machine.regs[RAX] = regs.rax
        if event == 0 and not thread.wanted:
            thread.run_guest()
            return 0
        thread.original = -1
        thread.hold()
        return self.events.on_interrupt(thread)

    cdef int on_end(self, int tid, long status) except -1:
        cdef TracedThread thread = self.bound.pop(tid, None)
        cdef TracedSpace space = self.spaces.pop(tid, None)
        if thread is not None:
            thread.home.tids.discard(tid)
            thread.end()
        if space is None:
            return 0
        if thread is self.zygote:
            log(f"the zygote died with status {status:#x}")
            return 0
        self.bury(space)
        self.events.on_space_dead(space, status)
        return 0

    # who is who

    def bind(self, TracedThread thread, int tid):
        thread.begin(tid)
        self.bound[tid] = thread
        thread.home.tids.add(tid)
        if not thread.home.host_pid:
            thread.home.bind(tid)
            self.spaces[tid] = thread.home

    def adopt_newborn(self, TracedThread thread, int tid):
        """A child that an order made: it stops before its first instruction. False if it is dead already."""
        cdef long status = self.stops.wait_for(tid)
        self.bind(thread, tid)
        if status >= 0 and WIFSTOPPED(status):
            return True
        self.stops.put(STOPPED, tid, status)
        return False

    def bury(self, TracedSpace space):
        cdef TracedThread thread
        space.set_dead()
        for thread in space.threads:
            thread.end()
        for tid in space.tids:
            self.bound.pop(tid, None)
        space.threads.clear()
        space.tids.clear()

    # the zygote

    def measure_machine(self):
        """From its auxiliary vector and its vector state, before any guest exists."""
        cdef user_regs_struct regs
        cdef unsigned long[AUXV_WORDS] words
        cdef char[IMAGE_ROOM] image
        cdef long got, i = 1
        get_registers(self.zygote.host_tid, &regs)
        got = self.zygote.home.read(regs.rsp, words, min(sizeof(words), STACK_HIGH - regs.rsp)) // 8
        while i < got and words[i]:      # argv
            i += 1
        i += 1
        while i < got and words[i]:      # envp
            i += 1
        found = {words[k]: words[k + 1] for k in range(i + 1, got - 1, 2)}
        host = &self.layout.host
        host.vdso, host.hwcap, host.hwcap2 = found.get(AT_SYSINFO_EHDR, 0), found.get(AT_HWCAP, 0), found.get(AT_HWCAP2, 0)
        host.minsigstksz = found.get(AT_MINSIGSTKSZ, 0)
        got = get_image(self.zygote.host_tid, image, sizeof(image))
        if got < 576:
            raise OSError("this processor or kernel has no xsave")
        host.xfeatures = (<unsigned long *> (image + XFEATURES))[0]
        host.mxcsr_mask = (<unsigned int *> (image + MXCSR_MASK))[0]
        host.xstate_size = self.layout.image_size = got

    def empty_zygote(self):
        """Only our two pages and the vdso stay."""
        cdef TracedThread thread = self.zygote
        thread.hold()
        calls = (
            (SYS_mmap, DATA, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            (SYS_munmap, STACK_LOW, STACK_HIGH - STACK_LOW),
            (SYS_munmap, 0, CTX_BASE),
            (SYS_membarrier, REGISTER_SYNC_CORE),
            (SYS_prctl, PR_SET_NAME, TITLE_AT),
        )
        for number, *arguments in calls:
            result = thread.make_call(number, arguments)
            if -4096 < result < 0 and number != SYS_membarrier:
                raise OSError(f"host call {number} in the first process: error {-result}")


cdef void guess_access(TracedThread thread, unsigned long ip) noexcept:
    """The processor's error code of a fault on a page that can be read: fetching an instruction, or writing."""
    cdef char byte = 0
    if thread.said.signo == SIGSEGV and thread.said.code == SEGV_ACCERR and thread.home.read(thread.said.address, &byte, 1) == 1:
        thread.said.error = FETCHED if thread.said.address == ip else WROTE


cdef bint broken_off(long result) noexcept:
    return -result in (ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK)
