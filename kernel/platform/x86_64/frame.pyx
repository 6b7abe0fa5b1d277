# SPDX-License-Identifier: Apache-2.0
"""Signal frames of x86_64 (struct rt_sigframe): what a handler finds on its stack, and what rt_sigreturn takes from it.

Pure: bytes in, bytes out. Layout, flags and the red zone as in arch/x86/kernel/signal_64.c; the vector state is in the standard
xsave format with Linux's magic numbers around it, which glibc, Go and debuggers look at. Nothing in a guest's frame can reach a
register that it could not set itself: flags are masked, and the xsave header is cleaned so that it can be loaded.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from kernel.platform.x86_64.abi cimport (
    R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RFL, RIP, RSI, RSP, machine,
)

cdef enum:
    UC_FLAGS = 7                         # UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
    RED_ZONE = 128
    USER_CS = 0x33
    USER_SS = 0x2b
    DF_RF_TF = 0x10500
    RESTORED_FLAGS = 0x50dd5             # FIX_EFLAGS: what rt_sigreturn takes from the frame
    FORCED_FLAGS = 0x202
    LEGACY_SIZE = 512                    # fxsave area
    SOFTWARE_BYTES = 464                 # in it: struct _fpx_sw_bytes
    HEADER = 512                         # the xsave header: xstate_bv, xcomp_bv, reserved
    HEADER_SIZE = 64
    MXCSR = 24
    MXCSR_MASK = 28
    MXCSR_DEFAULT = 0x1f80
    MXCSR_MASK_DEFAULT = 0xffbf
    X87 = 1                              # components
    SSE = 2
    FP_AND_SSE = 3
    AVX = 4
    X87_REGISTERS = 32
    XMM_REGISTERS = 160
    XMM_END = 416
    YMM_END = 832                        # upper halves, which begin behind the header
    MAGIC2_SIZE = 4

cdef uint16_t CONTROL_WORD = 0x37f      # of the x87, initially
cdef uint32_t FP_XSTATE_MAGIC1 = 0x46505853
cdef uint32_t FP_XSTATE_MAGIC2 = 0x46505845

cdef packed struct software_bytes:
    uint32_t magic1, extended_size
    uint64_t xfeatures
    uint32_t xstate_size
    uint32_t padding[7]

cdef packed struct sigcontext:
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags
    uint16_t cs, gs, fs, ss
    uint64_t error, trap, old_mask, cr2, fpstate
    uint64_t reserved[8]

cdef packed struct sigframe:
    uint64_t restorer
    uint64_t uc_flags, uc_link, stack_sp
    uint32_t stack_flags, pad
    uint64_t stack_size
    sigcontext mcontext
    uint64_t mask
    char info[128]


cdef size_t frame_size() noexcept nogil:
    return sizeof(sigframe)


cdef class FrameLayout:
    """Knows the size of this host's vector state (measured by the zygote, where no guest could lie)."""

    def __cinit__(self):
        self.image_size = LEGACY_SIZE

    cdef void fresh_image(self, char *image) noexcept nogil:
        """Vectors as execve leaves them."""
        memset(image, 0, self.image_size)
        self.forget_vectors(image)

    cdef void forget_vectors(self, char *image) noexcept nogil:
        """All components in their initial state, whatever bytes lie there; xrstor still loads mxcsr from memory."""
        cdef uint32_t mxcsr = MXCSR_DEFAULT
        memset(image + HEADER, 0, HEADER_SIZE)
        memcpy(image + MXCSR, &mxcsr, 4)

    cdef void spell_out(self, char *image) noexcept nogil:
        """The processor leaves out components in their initial state; who reads the bytes finds them as they are."""
        cdef uint64_t present = FP_AND_SSE
        if self.image_size >= HEADER + HEADER_SIZE:
            memcpy(&present, image + HEADER, 8)
        if not present & X87:
            memset(image, 0, MXCSR)
            memcpy(image, &CONTROL_WORD, 2)
            memset(image + X87_REGISTERS, 0, XMM_REGISTERS - X87_REGISTERS)
        if not present & SSE:
            memset(image + XMM_REGISTERS, 0, XMM_END - XMM_REGISTERS)
        if not present & AVX and self.image_size >= YMM_END:
            memset(image + HEADER + HEADER_SIZE, 0, YMM_END - HEADER - HEADER_SIZE)

    cdef void clean_image(self, char *image) noexcept nogil:
        """Makes an image from the guest one that xrstor accepts, as Linux does for a frame; without the magic only fxsave counts."""
        cdef uint64_t features = FP_AND_SSE
        cdef uint64_t present = 0
        cdef uint32_t mxcsr = 0
        memcpy(&mxcsr, image + MXCSR, 4)
        mxcsr &= self.host.mxcsr_mask if self.host.mxcsr_mask else <uint32_t> MXCSR_MASK_DEFAULT
        memcpy(image + MXCSR, &mxcsr, 4)
        memcpy(&present, image + HEADER, 8)
        if self.image_is_whole(image):
            features = self.host.xfeatures
        else:
            present = FP_AND_SSE
        memset(image + HEADER, 0, HEADER_SIZE)
        present &= features
        memcpy(image + HEADER, &present, 8)

    cdef bint image_is_whole(self, const char *image) noexcept nogil:
        """check_xstate_in_sigframe; the caller has read image_size + 4 bytes."""
        cdef software_bytes sw
        cdef uint32_t magic2 = 0
        memcpy(&sw, image + SOFTWARE_BYTES, sizeof(sw))
        memcpy(&magic2, image + self.image_size, MAGIC2_SIZE)
        return (sw.magic1 == FP_XSTATE_MAGIC1 and magic2 == FP_XSTATE_MAGIC2 and sw.xstate_size == self.image_size
                and sw.extended_size == self.image_size + MAGIC2_SIZE)

    cdef size_t build(self, machine *state, const char *image, const frame_request *wanted, char *into,
                      unsigned long *where) noexcept nogil:
        """Lays out the frame for state in `into` (image_size + 1024 bytes), gives its guest address and length, and makes state
        that of the handler's first instruction. The vectors are the caller's business."""
        cdef unsigned long top = state.regs[RSP] - RED_ZONE
        cdef unsigned long at_image, at_frame
        cdef sigframe frame
        if wanted.stack_top:
            top = wanted.stack_top
        at_image = (top - self.image_size - MAGIC2_SIZE) & ~<unsigned long> 63
        at_frame = ((at_image - sizeof(sigframe)) & ~<unsigned long> 15) - 8
        fill_frame(&frame, state, wanted, at_image)
        memset(into, 0, at_image - at_frame)
        memcpy(into, &frame, sizeof(frame))
        self.put_image(into + (at_image - at_frame), image)
        state.regs[RSP] = at_frame
        state.regs[RIP] = wanted.handler
        state.regs[RDI] = wanted.signo
        state.regs[RSI] = at_frame + (<char *> &frame.info - <char *> &frame)
        state.regs[RDX] = at_frame + 8
        state.regs[RAX] = 0
        state.regs[RFL] &= ~<unsigned long> DF_RF_TF
        where[0] = at_frame
        return at_image + self.image_size + MAGIC2_SIZE - at_frame

    cdef void put_image(self, char *into, const char *image) noexcept nogil:
        """The image between its two magic numbers; sizes and features are the host's, not what the slot says."""
        cdef software_bytes sw
        memcpy(into, image, self.image_size)
        memset(&sw, 0, sizeof(sw))
        sw.magic1 = FP_XSTATE_MAGIC1
        sw.extended_size = self.image_size + MAGIC2_SIZE
        sw.xfeatures = self.host.xfeatures
        sw.xstate_size = self.image_size
        memcpy(into + SOFTWARE_BYTES, &sw, sizeof(sw))
        memcpy(into + self.image_size, &FP_XSTATE_MAGIC2, MAGIC2_SIZE)

    cdef unsigned long parse(self, machine *state, const char *frame_bytes, signal_mask_and_stack *saved) noexcept nogil:
        """rt_sigreturn: registers, mask and stack from a copied frame; the guest address of its vector state (0: none)."""
        cdef sigframe frame
        cdef uint64_t *r = state.regs
        memcpy(&frame, frame_bytes, sizeof(frame))
        cdef sigcontext *m = &frame.mcontext
        r[R8], r[R9], r[R10], r[R11] = m.r8, m.r9, m.r10, m.r11
        r[R12], r[R13], r[R14], r[R15] = m.r12, m.r13, m.r14, m.r15
        r[RDI], r[RSI], r[RBP], r[RBX] = m.rdi, m.rsi, m.rbp, m.rbx
        r[RDX], r[RAX], r[RCX], r[RSP], r[RIP] = m.rdx, m.rax, m.rcx, m.rsp, m.rip
        r[RFL] = (r[RFL] & ~<uint64_t> RESTORED_FLAGS) | (m.rflags & RESTORED_FLAGS) | FORCED_FLAGS
        saved.mask = frame.mask
        saved.stack_sp = frame.stack_sp
        saved.stack_flags = frame.stack_flags
        saved.stack_size = frame.stack_size
        return m.fpstate


cdef void fill_frame(sigframe *frame, const machine *state, const frame_request *wanted, unsigned long at_image) noexcept nogil:
    cdef const uint64_t *r = &state.regs[0]
    cdef sigcontext *m = &frame.mcontext
    memset(frame, 0, sizeof(sigframe))
    frame.restorer = wanted.restorer
    frame.uc_flags = UC_FLAGS
    frame.stack_sp = wanted.saved.stack_sp
    frame.stack_flags = wanted.saved.stack_flags
    frame.stack_size = wanted.saved.stack_size
    frame.mask = wanted.saved.mask
    memcpy(frame.info, wanted.info, 128)
    m.r8, m.r9, m.r10, m.r11 = r[R8], r[R9], r[R10], r[R11]
    m.r12, m.r13, m.r14, m.r15 = r[R12], r[R13], r[R14], r[R15]
    m.rdi, m.rsi, m.rbp, m.rbx = r[RDI], r[RSI], r[RBP], r[RBX]
    m.rdx, m.rax, m.rcx, m.rsp = r[RDX], r[RAX], r[RCX], r[RSP]
    m.rip, m.rflags = r[RIP], r[RFL]
    m.cs, m.ss = USER_CS, USER_SS
    m.error, m.trap, m.cr2 = wanted.error, wanted.trap, wanted.cr2
    m.old_mask = wanted.saved.mask
    m.fpstate = at_image
