# SPDX-License-Identifier: Apache-2.0
"""A guest thread as far as it is registers: the request in meaning, the states of births, the frames of signals.

Shared by the platforms, which differ in how registers come from the host and go back. These here are the sentry's own copy, taken
once per request; what the guest may have rewritten in between is never read. Vector state is fetched when it is needed only.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from kernel.abi.errno cimport Errno
from kernel.platform.x86_64.abi cimport R8, R9, R10, RAX, RDI, RDX, RFL, RIP, RSI, RSP
from kernel.platform.x86_64.frame cimport frame_request, frame_size, signal_mask_and_stack

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


cdef class MachineThread(GuestThread):
    """What a platform's thread inherits."""

    def __cinit__(self):
        self.original = -1

    def __dealloc__(self):
        free(self.image)

    cdef void complete(self) noexcept:
        pass

    cdef void touch(self) noexcept:
        self.complete()
        self.changed = True

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
        self.touch()
        self.machine.regs[RIP] -= SYSCALL_BYTES
        self.machine.regs[RAX] = number

    cdef unsigned long stack_pointer(self) noexcept:
        self.complete()
        return self.machine.regs[RSP]

    cdef unsigned long instruction_pointer(self) noexcept:
        self.complete()
        return self.machine.regs[RIP]

    # building a state

    cdef void copy_state(self, GuestThread other) noexcept:
        cdef MachineThread source = <MachineThread> other
        source.complete()
        self.partial, self.changed = False, True
        self.machine = source.machine
        self.machine.regs[RAX] = 0
        self.original = -1
        source.load_image(image_scratch)
        self.keep_image(image_scratch)

    cdef void set_stack(self, unsigned long sp) noexcept:
        self.touch()
        self.machine.regs[RSP] = sp

    cdef void set_tls(self, unsigned long base) noexcept:
        self.touch()
        self.machine.fs = base

    cdef unsigned long tls(self) noexcept:
        self.complete()
        return self.machine.fs

    cdef void set_gs(self, unsigned long base) noexcept:
        self.touch()
        self.machine.gs = base

    cdef unsigned long gs(self) noexcept:
        self.complete()
        return self.machine.gs

    cdef void start_state(self, unsigned long entry, unsigned long sp) noexcept:
        cdef uint64_t xsave
        self.touch()
        xsave = self.machine.xsave
        memset(&self.machine, 0, sizeof(machine))
        self.machine.xsave = xsave
        self.machine.regs[RIP] = entry
        self.machine.regs[RSP] = sp
        self.machine.regs[RFL] = FLAGS_AT_START
        self.original = -1
        self.layout.fresh_image(image_scratch)
        self.keep_image(image_scratch)

    cpdef dict registers(self):
        self.complete()
        found = {name: self.machine.regs[i] for i, name in enumerate(REGISTERS)}
        found.update(orig_rax=self.original & 0xffffffffffffffff, fs_base=self.machine.fs, gs_base=self.machine.gs)
        return found

    cpdef set_registers(self, dict values):
        """Flags are limited to what a program can set itself; bases must be canonical, or leaving would fault."""
        cdef uint64_t flags
        self.touch()
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
        cdef machine before
        cdef unsigned long where = 0
        cdef char[128] siginfo
        cdef size_t length
        self.touch()
        before = self.machine
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
        cdef machine before
        self.touch()
        before = self.machine
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

    # vector state

    cdef bint fetch_image(self, char *into) noexcept:
        return False

    cdef void load_image(self, char *into) noexcept:
        """If the guest has spoilt where it lies, a fresh one."""
        if self.image != NULL:
            memcpy(into, self.image, self.layout.image_size)
        elif not self.fetch_image(into):
            self.layout.fresh_image(into)
        self.layout.spell_out(into)

    cdef void store_image(self, const char *image) noexcept:
        self.keep_image(image)

    cdef void keep_image(self, const char *image) noexcept:
        if self.image == NULL:
            self.image = <char *> malloc(self.layout.image_size)
        if self.image != NULL:
            memcpy(self.image, image, self.layout.image_size)

    cdef void drop_image(self) noexcept:
        free(self.image)
        self.image = NULL
