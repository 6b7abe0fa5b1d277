# SPDX-License-Identifier: Apache-2.0
"""A guest thread: its registers while the kernel holds its request, and the orders that end the hold.

The registers here are the sentry's own copy, taken once per request by the border; the context gets them back with an order.
What the guest may have rewritten in between is never read. An answer is: context first, then the reply number, then SEND.
"""

from libc.errno cimport ENOENT
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from posix.unistd cimport close, dup

from os import urandom

from kernel.abi.errno cimport Errno
from kernel.platform.log import log
from kernel.platform.x86_64.abi cimport (
    FD_CONTEXTS, FD_DONATED, FORK_FLAGS, MAX_HOST_CALLS, ORDER_CLEAR, ORDER_EXIT, ORDER_FORK, ORDER_HOST, ORDER_RESUME, ORDER_THREAD,
    R8, R9, R10, RAX, RDI, RDX, RFL, RIP, RSI, RSP, SIG_INTR,
)
from kernel.platform.x86_64.frame cimport frame_request, frame_size, signal_mask_and_stack

cdef extern from *:
    """
    #include <sys/syscall.h>
    #include <unistd.h>
    """
    enum:
        SYS_clone
        SYS_tgkill
    long syscall(long number, ...) nogil

cdef enum:
    FLAGS_AT_START = 0x202
    USER_FLAGS = 0x50dd5                 # what set_registers may change
    SYSCALL_BYTES = 2                    # length of the call instruction
    FRAME_ROOM = 1024                    # of a frame beside its image
    IMAGE_ROOM = 0x8000                  # no image is larger: it fits an alternate stack

# Scratch for images and frames; the kernel is one thread and nothing here yields.
cdef char[IMAGE_ROOM + 64] image_scratch
cdef char[IMAGE_ROOM + FRAME_ROOM] frame_scratch

REGISTERS = ("rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rcx", "r11", "rbx", "rbp", "r12", "r13", "r14", "r15", "rsp", "rip", "eflags")


cdef class SystrapThread(GuestThread):
    """Made by SystrapPlatform.new_thread."""

    def __cinit__(self):
        self.slot = -1
        self.original = -1
        self.order = ORDER_RESUME

    def __dealloc__(self):
        free(self.image)
        if self.donations is not None:
            for fd, _ in self.donations:
                close(fd)

    # the request, in meaning

    cdef long syscall_number(self) noexcept:
        return self.original

    cdef void arguments(self, unsigned long *into) noexcept:
        cdef uint64_t *r = &self.machine.regs[0]
        into[0], into[1], into[2], into[3], into[4], into[5] = r[RDI], r[RSI], r[RDX], r[R10], r[R8], r[R9]

    cdef void set_result(self, long value) noexcept:
        self.machine.regs[RAX] = value

    cdef void restart_syscall(self) noexcept:
        self.restart_as(self.original)

    cdef void restart_as(self, long number) noexcept:
        self.machine.regs[RIP] -= SYSCALL_BYTES
        self.machine.regs[RAX] = number

    cdef unsigned long stack_pointer(self) noexcept:
        return self.machine.regs[RSP]

    cdef unsigned long instruction_pointer(self) noexcept:
        return self.machine.regs[RIP]

    # building a state

    cdef void copy_state(self, GuestThread other) noexcept:
        cdef SystrapThread source = <SystrapThread> other
        self.machine = source.machine
        self.machine.regs[RAX] = 0
        self.original = -1
        source.load_image(image_scratch)
        self.keep_image(image_scratch)

    cdef void set_stack(self, unsigned long sp) noexcept:
        self.machine.regs[RSP] = sp

    cdef void set_tls(self, unsigned long base) noexcept:
        self.machine.fs = base

    cdef unsigned long tls(self) noexcept:
        return self.machine.fs

    cdef void set_gs(self, unsigned long base) noexcept:
        self.machine.gs = base

    cdef unsigned long gs(self) noexcept:
        return self.machine.gs

    cdef void start_state(self, unsigned long entry, unsigned long sp) noexcept:
        cdef uint64_t xsave = self.machine.xsave
        memset(&self.machine, 0, sizeof(machine))
        self.machine.xsave = xsave
        self.machine.regs[RIP] = entry
        self.machine.regs[RSP] = sp
        self.machine.regs[RFL] = FLAGS_AT_START
        self.original = -1
        self.layout.fresh_image(image_scratch)
        self.keep_image(image_scratch)

    cpdef dict registers(self):
        found = {name: self.machine.regs[i] for i, name in enumerate(REGISTERS)}
        found.update(orig_rax=self.original & 0xffffffffffffffff, fs_base=self.machine.fs, gs_base=self.machine.gs)
        return found

    cpdef set_registers(self, dict values):
        """Flags are limited to what a program can set itself; bases must be canonical, or leaving would fault."""
        cdef uint64_t flags
        for i, name in enumerate(REGISTERS):
            if name in values and name != "eflags":
                self.machine.regs[i] = <uint64_t> values[name]
        if "eflags" in values:
            flags = values["eflags"]
            self.machine.regs[RFL] = (flags & USER_FLAGS) | FLAGS_AT_START
        if "orig_rax" in values:
            self.original = <long> <int> (values["orig_rax"] & 0xffffffff)
        for name in ("fs_base", "gs_base"):
            if values.get(name, 0) >> 47:
                raise Errno(5)           # EIO, as PTRACE_SETREGS says
        self.machine.fs = values.get("fs_base", self.machine.fs)
        self.machine.gs = values.get("gs_base", self.machine.gs)

    # signal frames

    cdef bint push_signal_frame(self, int signo, bytes info, unsigned long handler, unsigned long restorer, unsigned long mask,
                                unsigned long sa_flags, tuple altstack, unsigned long stack_top) except -1:
        cdef frame_request wanted
        cdef machine before = self.machine
        cdef unsigned long where = 0
        cdef char[128] siginfo
        cdef size_t length
        memset(siginfo, 0, sizeof(siginfo))
        memcpy(siginfo, <const char *> info, min(len(info), 128))
        wanted.signo, wanted.info, wanted.handler, wanted.restorer, wanted.flags = signo, siginfo, handler, restorer, sa_flags
        wanted.error, wanted.trap, wanted.cr2 = self.said.error, self.said.trap, self.said.address
        wanted.saved.mask = mask
        wanted.saved.stack_sp, wanted.saved.stack_flags, wanted.saved.stack_size = altstack
        wanted.stack_top = stack_top
        self.load_image(image_scratch)
        length = self.layout.build(&self.machine, image_scratch, &wanted, frame_scratch, &where)
        if self.space.write(where, frame_scratch, length) != <long> length:
            self.machine = before
            return False
        self.original = -1
        self.layout.forget_vectors(image_scratch)
        self.store_image(image_scratch)
        return True

    cdef tuple pop_signal_frame(self):
        cdef signal_mask_and_stack saved
        cdef size_t size = self.layout.image_size
        cdef unsigned long fpstate
        cdef machine before = self.machine
        if self.space.read(self.machine.regs[RSP] - 8, frame_scratch, frame_size()) != <long> frame_size():
            return None
        fpstate = self.layout.parse(&self.machine, frame_scratch, &saved)
        memset(image_scratch, 0, size + 4)
        if not fpstate:
            self.layout.fresh_image(image_scratch)
        elif self.space.read(fpstate, image_scratch, size + 4) >= 512:
            self.layout.clean_image(image_scratch)
        else:
            self.machine = before
            return None
        self.store_image(image_scratch)
        self.original = -1
        return saved.mask, (saved.stack_sp, saved.stack_flags, saved.stack_size)

    # orders

    cdef void resume(self) noexcept:
        if self.held:
            self.put_state()
            self.give_order(ORDER_RESUME, True)

    cdef int host_calls(self, HostCall *calls, int count, bint then_resume) except -1:
        if not self.held or not 0 <= count <= MAX_HOST_CALLS:
            raise ValueError("host_calls")
        memcpy(self.calls, calls, count * sizeof(HostCall))
        self.nr_calls, self.next_call = count, 0
        self.put_state()
        self.stub.area.put_host_calls(self.slot, self.calls, count)
        self.give_order(ORDER_HOST, then_resume)
        return 0

    cdef int fork(self, GuestThread child, bint then_resume) except -1:
        """The child's slot has its parent's number, so that the inherited alternate stack is right."""
        (<SystrapThread> child).slot = self.slot
        (<SystrapThread> child).stub.claim_slot(self.slot)
        return self.give_birth(<SystrapThread> child, ORDER_FORK, then_resume)

    cdef int clone_thread(self, GuestThread child, bint then_resume) except -1:
        return self.give_birth(<SystrapThread> child, ORDER_THREAD, then_resume)

    cdef void exit(self, unsigned long clear_tid) noexcept:
        if not self.held:
            return
        self.stub.area.put_clear_tid(self.slot, clear_tid)
        if self.leads():                 # its host thread must stay, or the process would become a zombie
            self.parking = True
            if clear_tid:
                self.give_order(ORDER_CLEAR, False)
            else:
                self.held = False
                self.state = PARKED
        else:
            self.give_order(ORDER_EXIT, False)
            if self.state == GUEST:
                self.state = EXITING

    cdef void interrupt(self) noexcept:
        """A newborn's signal stack may not be there yet: it sees the flag instead when it is."""
        if self.state != GUEST or self.kicked:
            return
        self.kicked = True
        if self.newborn:
            self.stub.area.set_interrupted(self.slot)
            if not self.stub.area.newborn_is_ready(self.slot):
                return
        syscall(SYS_tgkill, self.stub.host_pid, self.host_tid, SIG_INTR)

    cpdef int donate(self, int host_fd, int at) except -1:
        cdef int got
        if not self.held or at < FD_DONATED:
            raise ValueError("donate")
        got = self.listener.add_descriptor(self.notification, host_fd, at, False)
        if got >= 0:
            return got
        if got != -ENOENT:
            raise Errno(-got)
        got = dup(host_fd)               # its bell was taken away; it rings again
        if got < 0:
            raise Errno(24)              # EMFILE
        if self.donations is None:
            self.donations = []
        self.donations.append((got, at))
        return at

    def asleep(self):
        return self.state == GUEST and self.stub.area.says_waiting(self.slot)

    # below here: for the platform only

    cdef bint leads(self) noexcept:
        return self.host_tid == self.stub.host_pid

    cdef void new_nonce(self):
        if self.nonce:
            self.births.pop(self.nonce, None)
        self.nonce = 0
        while not self.nonce:
            self.nonce = int.from_bytes(urandom(8), "little")
        self.births[self.nonce] = self

    cdef int give_birth(self, SystrapThread child, unsigned int order, bint then_resume) except -1:
        if not self.held or child.state != STARTING:
            raise ValueError("fork or clone_thread")
        self.child = child
        self.then_resume = then_resume
        self.put_state()
        self.order_birth(order)
        return 0

    cdef void order_birth(self, unsigned int order) noexcept:
        """Also when the host's clone was broken off: each order has a nonce of its own."""
        self.child.new_nonce()
        self.stub.area.put_birth(self.slot, self.child.nonce, self.child.slot)
        self.give_order(order, self.then_resume)

    cdef void give_order(self, unsigned int order, bint then_resume) noexcept:
        self.order = order
        self.then_resume = then_resume
        self.stub.area.put_order(self.slot, order, then_resume)
        self.answer()

    cdef void answer(self) noexcept:
        """Makes the order valid and wakes the thread. A lost answer shows when it rings again."""
        cdef uint64_t notification = self.notification
        self.held = False
        self.kicked = False
        if self.donations is not None and not self.give_descriptors():
            self.state = ARMED
            return
        self.notification = 0
        if self.state != HELLO and not self.newborn:
            self.stub.area.publish(self.slot, self.seq)
        self.state = GUEST
        self.answer_again(notification)

    cdef void answer_again(self, uint64_t notification) noexcept:
        """A newborn process gets its contexts with the answer to its hello."""
        cdef int got
        if self.newborn and self.leads() and self.stub.area.memfd >= 0:
            got = self.listener.add_descriptor(notification, self.stub.area.memfd, FD_CONTEXTS, True)
            if got < 0 and got != -ENOENT:
                log(f"contexts for host process {self.host_tid}: error {-got}")
                self.space.kill()
        else:
            self.listener.answer(notification)

    cdef bint give_descriptors(self) noexcept:
        cdef int fd, at
        for fd, at in self.donations:
            if self.listener.add_descriptor(self.notification, fd, at, False) == -ENOENT:
                return False
        for fd, _ in self.donations:
            close(fd)
        self.donations = None
        return True

    cdef bint permits(self, int number, const uint64_t *args) noexcept:
        """Is this lane-B call part of the standing order? A call that was broken off comes again."""
        cdef int i, k
        if self.state != GUEST:
            return False
        if number == SYS_clone:
            return self.order == ORDER_FORK and args[0] == FORK_FLAGS and not (args[1] | args[2] | args[3] | args[4] | args[5])
        if self.order != ORDER_HOST:
            return False
        for i in range(self.next_call, self.nr_calls):
            if self.calls[i].number != <unsigned long> number:
                continue
            for k in range(6):
                if self.calls[i].args[k] != args[k]:
                    break
            else:
                self.next_call = i
                return True
        return False

    cdef void load_image(self, char *into) noexcept:
        """The vector state; if the guest has spoilt where it lies, a fresh one."""
        if self.image != NULL:
            memcpy(into, self.image, self.layout.image_size)
        elif not self.stub.area.read_xsave(self.slot, self.machine.xsave, into, self.layout.image_size):
            self.layout.fresh_image(into)

    cdef void store_image(self, const char *image) noexcept:
        cdef size_t size = self.layout.image_size
        if self.image != NULL or self.slot < 0 or not self.stub.area.write_xsave(self.slot, self.machine.xsave, image, size):
            self.keep_image(image)

    cdef void keep_image(self, const char *image) noexcept:
        if self.image == NULL:
            self.image = <char *> malloc(self.layout.image_size)
        if self.image != NULL:
            memcpy(self.image, image, self.layout.image_size)

    cdef void put_state(self) noexcept:
        if self.image != NULL:
            self.machine.xsave = self.stub.area.own_xsave(self.slot)
            self.stub.area.write_xsave(self.slot, self.machine.xsave, self.image, self.layout.image_size)
            free(self.image)
            self.image = NULL
        self.stub.area.put_machine(self.slot, &self.machine)
