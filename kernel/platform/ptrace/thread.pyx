# SPDX-License-Identifier: Apache-2.0
"""A guest thread under ptrace: how orders are carried out.

Guest code runs with PTRACE_SYSEMU only: none of its own system calls is ever made. A host call is made from our code page, whose
system call instruction is followed by a trap; the thread can't get further. Orders are carried out at once, while the kernel waits, and
their events are queued: simple, and slow. Only a futex call runs on its own, since it may wait.
"""

from libc.errno cimport EFAULT, ESRCH
from libc.string cimport memcpy

from kernel.abi.errno cimport Errno
from kernel.platform.platform cimport GuestThread
from kernel.platform.ptrace.code import CALL, CALL_AT, DATA, EXCHANGE, EXCHANGE_AT
from kernel.platform.ptrace.courier import HEADER, MSG_FLAGS, RECEIVED, SOCKET
from kernel.platform.ptrace.requests cimport (
    EVENT_CLONE, EVENT_FORK, EVENT_VFORK, child_of_event, emulate_calls, from_machine, get_image, get_registers, let_run,
    set_image, set_registers, stop_soon, to_machine,
)
from kernel.platform.ptrace.stops import BORN, CALLED, CLONED, STOPPED
from kernel.platform.x86_64.abi cimport FD_DONATED, FORK_FLAGS, HOST_CMPXCHG, R8, R9, R10, RDI, RDX, RSI, THREAD_FLAGS

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    """
    bint WIFSTOPPED(int status)
    int WSTOPSIG(int status)
    enum:
        O_CLOEXEC
        SYS_clone
        SYS_close
        SYS_dup3
        SYS_exit
        SYS_futex
        SYS_recvmsg

cdef enum:
    SIGTRAP = 5
    SIGBUS = 7
    SIGSEGV = 11
    FUTEX_WAKE = 1

cdef unsigned long CALL_IP = CALL_AT, CALL_END = CALL_AT + len(CALL[1])
cdef unsigned long EXCHANGE_IP = EXCHANGE_AT, EXCHANGE_END = EXCHANGE_AT + len(EXCHANGE[1])


cdef class TracedThread(MachineThread):
    """Made by PtracePlatform.new_thread."""

    cdef bint fetch_image(self, char *into) noexcept:
        return self.host_tid and get_image(self.host_tid, into, self.layout.image_size) == <long> self.layout.image_size

    def asleep(self):
        return self.state == NATIVE

    # orders

    cdef void resume(self) noexcept:
        if self.held:
            self.held = False
            self.run_guest()

    cdef int host_calls(self, HostCall *calls, int count, bint then_resume) except -1:
        cdef int made = 0
        cdef bint failed = False
        if not self.held or not 0 <= count <= MAX_HOST_CALLS:
            raise ValueError("host_calls")
        memcpy(self.calls, calls, count * sizeof(HostCall))
        self.held = False
        self.state = ORDERED
        while made < count and not failed:
            self.calls[made].result = self.make(&self.calls[made])
            failed = -4096 < self.calls[made].result < 0
            made += 1
        if then_resume and not failed:
            self.run_guest()
        elif self.state == ORDERED:
            self.stops.put(CALLED, self, made)
        return 0

    cdef int fork(self, GuestThread child, bint then_resume) except -1:
        return self.give_birth(<TracedThread> child, FORK_FLAGS, then_resume)

    cdef int clone_thread(self, GuestThread child, bint then_resume) except -1:
        return self.give_birth(<TracedThread> child, THREAD_FLAGS, then_resume)

    cdef void exit(self, unsigned long clear_tid) noexcept:
        cdef HostCall call
        if not self.held:
            return
        self.held = False
        if clear_tid:
            self.clear_word(clear_tid)
        if self.state == GONE:
            return
        if self.leads():                 # its host thread must stay, or the process would become a zombie
            self.state = PARKED
            return
        call.number, call.args[0] = SYS_exit, 0
        self.state = EXITING
        if self.aim(&call):
            let_run(self.host_tid)

    cdef void interrupt(self) noexcept:
        if (self.state == GUEST or self.state == NATIVE) and not self.kicked:
            self.kicked = True
            stop_soon(self.host_tid)

    cpdef int donate(self, int host_fd, int at) except -1:
        cdef long got
        cdef int received = -1
        cdef bytes header = HEADER
        if not self.held or at < FD_DONATED:
            raise ValueError("donate")
        try:
            self.courier.send(host_fd)
        except OSError as error:
            raise Errno(error.errno)
        if self.home.write(DATA, <const char *> header, len(header)) != len(header):
            return at                    # it is being killed
        got = self.call(SYS_recvmsg, SOCKET, DATA, MSG_FLAGS)
        if got >= 0 and self.home.read(RECEIVED, &received, sizeof(received)) == sizeof(received):
            got = self.call(SYS_dup3, received, at, O_CLOEXEC)
            self.call(SYS_close, received, 0, 0)
        if got < 0 and got != -ESRCH:
            raise Errno(-got)
        return at

    # below here: for the platform only

    cdef void begin(self, int host_tid) noexcept:
        self.host_tid = host_tid
        self.state = ORDERED

    cdef void end(self) noexcept:
        self.state = GONE
        self.held = False

    cdef void hold(self) noexcept:
        self.kicked = self.wanted = False
        self.state = HELD
        self.held = True

    cdef bint leads(self) noexcept:
        return self.host_tid == self.home.host_pid

    cdef bint take(self, user_regs_struct *regs) noexcept:
        if get_registers(self.host_tid, regs) < 0:
            return False
        to_machine(regs, &self.machine)
        return True

    cdef void run_guest(self) noexcept:
        cdef user_regs_struct regs
        if self.state == GONE:
            return
        self.state = GUEST
        self.kicked = self.wanted = False
        if self.image != NULL:
            set_image(self.host_tid, self.image, self.layout.image_size)
            self.drop_image()
        from_machine(&self.machine, &regs)
        set_registers(self.host_tid, &regs)
        emulate_calls(self.host_tid)

    cdef void go_on(self) noexcept:
        if self.state == GUEST:
            emulate_calls(self.host_tid)
        elif self.state == NATIVE or self.state == EXITING:
            let_run(self.host_tid)

    cdef void run_futex(self) noexcept:
        """The guest's own call with its own arguments, made behind its back."""
        cdef HostCall call
        cdef unsigned long *r = <unsigned long *> &self.machine.regs[0]
        call.number = SYS_futex
        call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5] = r[RDI], r[RSI], r[RDX], r[R10], r[R8], r[R9]
        self.state = NATIVE
        if self.aim(&call):
            let_run(self.host_tid)

    cdef int give_birth(self, TracedThread child, unsigned long flags, bint then_resume) except -1:
        cdef HostCall order
        cdef long result
        if not self.held or child.state != STARTING:
            raise ValueError("fork or clone_thread")
        self.held = False
        self.state = ORDERED
        self.newborn = 0
        order.number, order.args[0] = SYS_clone, flags
        order.args[1] = order.args[2] = order.args[3] = order.args[4] = order.args[5] = 0
        result = self.make(&order)
        if self.newborn and self.platform.adopt_newborn(child, self.newborn):
            self.stops.put(BORN, child, 0)
        if result >= 0 and then_resume:
            self.run_guest()
        elif self.state == ORDERED:
            self.stops.put(CLONED, self, min(result, 0))
        return 0

    # host calls

    cdef long call(self, unsigned long number, unsigned long first, unsigned long second, unsigned long third) noexcept:
        cdef HostCall order
        order.number, order.args[0], order.args[1], order.args[2] = number, first, second, third
        order.args[3] = order.args[4] = order.args[5] = 0
        return self.make(&order)

    def make_call(self, number, arguments):
        cdef HostCall order
        cdef int i
        order.number = number
        for i in range(6):
            order.args[i] = <unsigned long> (arguments[i] & 0xffffffffffffffff if i < len(arguments) else 0)
        return self.make(&order)

    cdef long make(self, const HostCall *call) noexcept:
        if not self.aim(call) or let_run(self.host_tid) < 0:
            return -ESRCH
        return self.finish(EXCHANGE_END if call.number == HOST_CMPXCHG else CALL_END)

    cdef bint aim(self, const HostCall *call) noexcept:
        """Registers for a host call, before the instruction that makes it."""
        cdef user_regs_struct regs
        if self.state == GONE:
            return False
        from_machine(&self.machine, &regs)
        regs.rdi, regs.rsi, regs.rdx = call.args[0], call.args[1], call.args[2]
        regs.r10, regs.r8, regs.r9 = call.args[3], call.args[4], call.args[5]
        regs.rax, regs.rip, regs.eflags = call.number, CALL_IP, 2
        if call.number == HOST_CMPXCHG:  # (address, expected, new)
            regs.rax, regs.rdx, regs.rip = call.args[1] & 0xffffffff, call.args[2], EXCHANGE_IP
        return set_registers(self.host_tid, &regs) == 0

    cdef long finish(self, unsigned long end) noexcept:
        """Until the trap behind the instruction. Other stops on the way: a birth, one that was asked for earlier."""
        cdef user_regs_struct regs
        cdef long status
        cdef int event
        while True:
            status = self.stops.wait_for(self.host_tid)
            if status < 0 or not WIFSTOPPED(status):
                if status >= 0:
                    self.stops.put(STOPPED, self.host_tid, status)
                self.end()
                return -ESRCH
            event = status >> 16
            if event == EVENT_FORK or event == EVENT_VFORK or event == EVENT_CLONE:
                self.newborn = child_of_event(self.host_tid)
            elif event == 0 and (WSTOPSIG(status) == SIGSEGV or WSTOPSIG(status) == SIGBUS):
                return -EFAULT
            elif event == 0 and WSTOPSIG(status) == SIGTRAP and get_registers(self.host_tid, &regs) == 0 and regs.rip == end:
                return <long> regs.rax
            if let_run(self.host_tid) < 0:
                self.home.kill()         # it can only be dying

    cdef void clear_word(self, unsigned long address) noexcept:
        """pthread_join waits on this word with the shared kind of futex, as Linux wakes it."""
        cdef unsigned int zero = 0
        if self.home.write(address, &zero, sizeof(zero)) == sizeof(zero):
            self.call(SYS_futex, address, FUTEX_WAKE, 1)
