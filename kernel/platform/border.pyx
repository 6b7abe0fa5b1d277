# SPDX-License-Identifier: Apache-2.0
"""The border: the only file that touches memory which a guest can write behind our back.

One sealed memfd per address space holds the contexts of its threads. The rule: what the guest says is copied once into sentry
memory; what is read here is never read again for a decision, and no pointer into a context leaves this file. Nothing is believed:
addresses are checked against the slot, counts are clamped by the caller's own numbers. Orders and registers are only ever written.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_NORESERVE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from posix.time cimport timespec
from posix.unistd cimport close, ftruncate

from kernel.platform.x86_64.abi cimport (
    CTX_BASE, CTX_SIZE, IS_STRING, MAX_HOST_CALLS, NR_IDS, NR_PIECES, NSLOT, R8, R9, R10, RAX, RCX, RDI, RDX, RSI, SLOT, SLOT_STACK,
    SLOT_WINDOW, SLOT_XSAVE, WINDOW_SIZE, answer, context, machine, piece, report, request, window,
)

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/mman.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    #include <time.h>
    static inline void publish_u32(volatile uint32_t *where, uint32_t value) { __atomic_store_n(where, value, __ATOMIC_RELEASE); }
    static inline uint64_t acquire_u64(const volatile uint64_t *where) { return __atomic_load_n(where, __ATOMIC_ACQUIRE); }
    static inline void relax(void) { __builtin_ia32_pause(); }
    static inline void full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    static inline int seal(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL); }
    """
    int memfd_create(const char *name, unsigned int flags) nogil
    enum:
        MFD_CLOEXEC
        MFD_ALLOW_SEALING
        SYS_futex
        MADV_REMOVE
    int seal(int fd) nogil
    int madvise(void *where, size_t length, int advice) nogil
    void publish_u32(unsigned int *where, unsigned int value) nogil
    uint64_t acquire_u64(const uint64_t *where) nogil
    void relax() nogil
    void full_fence() nogil
    long syscall(long number, ...) nogil

cdef enum:
    BOOT_PROGRAM = 64                    # the filter lies behind its struct sock_fprog
    SYS_seccomp = 317
    SECCOMP_SET_MODE_FILTER = 1


cdef class ContextArea:
    """The contexts of one address space, as the sentry maps them."""

    def __cinit__(self):
        self.memfd = memfd_create("contexts", MFD_CLOEXEC | MFD_ALLOW_SEALING)
        if self.memfd < 0:
            raise OSError("memfd_create")
        if ftruncate(self.memfd, CTX_SIZE) or seal(self.memfd):
            raise OSError("contexts")
        cdef void *where = mmap(NULL, CTX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, self.memfd, 0)
        if where == MAP_FAILED:
            raise OSError("mmap of contexts")
        self.memory = <char *> where

    def __dealloc__(self):
        if self.memory != NULL:
            munmap(self.memory, CTX_SIZE)
        self.forget_memfd()

    cdef context *at(self, int slot) noexcept nogil:
        """Callers pass slots that the sentry itself chose."""
        return <context *> (self.memory + <size_t> (slot & (NSLOT - 1)) * SLOT)

    cdef void forget_memfd(self) noexcept:
        if self.memfd >= 0:
            close(self.memfd)
        self.memfd = -1

    cdef void drop(self) noexcept:
        """The process is dead: give the memory back, though some object may still hold us."""
        madvise(self.memory, CTX_SIZE, MADV_REMOVE)
        self.forget_memfd()

    cdef void clear(self, int slot) noexcept nogil:
        memset(self.at(slot), 0, sizeof(context))

    cdef void wipe(self, int slot) noexcept nogil:
        """What calls have left in the slot; the thread itself may be on its signal stack."""
        memset(<char *> self.at(slot) + SLOT_XSAVE, 0, SLOT_STACK - SLOT_XSAVE)

    cdef void take(self, int slot, machine *state, report *said) noexcept nogil:
        cdef context *c = self.at(slot)
        memcpy(state, &c.machine, sizeof(machine))
        memcpy(said, &c.report, sizeof(report))

    cdef void take_call(self, int slot, machine *state) noexcept nogil:
        """Number and arguments of a system call."""
        cdef request *r = &self.at(slot).request
        state.regs[RAX] = r.number
        state.regs[RDI], state.regs[RSI], state.regs[RDX] = r.args[0], r.args[1], r.args[2]
        state.regs[R10], state.regs[R8], state.regs[R9] = r.args[3], r.args[4], r.args[5]

    cdef void take_rest(self, int slot, machine *state) noexcept nogil:
        """All registers but those that take_call() took."""
        cdef machine *m = &self.at(slot).machine
        memcpy(&state.regs[RCX], &m.regs[RCX], sizeof(machine) - RCX * sizeof(m.regs[0]))

    cdef void take_report(self, int slot, report *said) noexcept nogil:
        memcpy(said, &self.at(slot).report, sizeof(report))

    cdef void take_results(self, int slot, HostCall *calls, int count) noexcept nogil:
        """Results only: numbers and arguments stay the sentry's own."""
        cdef context *c = self.at(slot)
        cdef int i
        for i in range(min(count, <int> MAX_HOST_CALLS)):
            calls[i].result = c.host[i].result

    cdef bint take_window(self, int slot, Window into) noexcept:
        """The pieces of a request, clamped so that each lies in the window. False if there is none."""
        cdef window *w = <window *> (<char *> self.at(slot) + SLOT_WINDOW)
        cdef piece *p
        cdef unsigned int i
        if not into.begin():
            return False
        memcpy(&into.here, w, sizeof(window))
        into.here.nr_in = min(into.here.nr_in, <unsigned int> NR_PIECES)
        into.here.nr_out = min(into.here.nr_out, <unsigned int> NR_PIECES)
        for i in range(into.here.nr_in):
            p = &into.here.incoming[i]
            into.is_string[i] = p.offset & IS_STRING != 0
            p.offset &= ~<unsigned int> IS_STRING
            clamp_piece(p)
            memcpy(into.data + p.offset, <char *> w + p.offset, p.length)
        for i in range(into.here.nr_out):
            clamp_piece(&into.here.outgoing[i])
        return into.here.nr_in + into.here.nr_out > 0

    cdef bint hot_request(self, int slot, unsigned int seq, unsigned int looks, unsigned int *what) noexcept nogil:
        """Has the thread laid down the request of this number? Its bell may ring all the same. looks: how often to look."""
        cdef const uint64_t *posted = <const uint64_t *> &self.at(slot).request.posted
        cdef uint64_t found
        while looks:
            found = acquire_u64(posted)
            if <unsigned int> found == seq:
                what[0] = found >> 32
                return True
            relax()
            looks -= 1
        return False

    cdef unsigned int says_cpu(self, int slot) noexcept nogil:
        """Where the guest says that it ran; good enough for a policy."""
        return self.at(slot).cpu

    cdef uint64_t says_rang(self, int slot) noexcept nogil:
        """When, in ticks; for the same use."""
        return self.at(slot).rang

    cdef bint says_waiting(self, int slot) noexcept nogil:
        """The guest's word, good enough for what it is shown about itself."""
        return self.at(slot).waiting != 0

    cdef unsigned long says_mask(self, int slot) noexcept nogil:
        """Its signal mask. It is the guest's own, and so is what comes of a wrong one."""
        return self.at(slot).mask

    cdef unsigned long take_mask_back(self, int slot) noexcept nogil:
        """The same, and from now on it asks before it changes it."""
        publish_u32(&self.at(slot).mask_is_local, 0)
        full_fence()
        return self.at(slot).mask

    cdef unsigned long says_robust_list(self, int slot) noexcept nogil:
        return self.at(slot).robust_list

    cdef bint newborn_is_ready(self, int slot) noexcept nogil:
        full_fence()
        return self.at(slot).ready != 0

    cdef void put_machine(self, int slot, const machine *state) noexcept nogil:
        memcpy(&self.at(slot).machine, state, sizeof(machine))

    cdef void put_answer(self, int slot, const answer *what, bint publish) noexcept nogil:
        """All of it at once: the guest's thread may be looking at this cache line. publish: the number as well, which makes it valid."""
        cdef answer *a = &self.at(slot).answer
        a.order = what.order
        a.then_resume = what.then_resume
        a.plain = what.plain
        a.result = what.result
        memcpy(a.filled, what.filled, sizeof(a.filled))
        if publish:
            publish_u32(&a.rep, what.rep)

    cdef void put_host_calls(self, int slot, const HostCall *calls, int count) noexcept nogil:
        cdef context *c = self.at(slot)
        cdef int i
        for i in range(count):
            c.host[i].number = calls[i].number
            memcpy(c.host[i].args, calls[i].args, sizeof(calls[i].args))
            c.host[i].result = 0
        c.nr_host_calls = count

    cdef void put_birth(self, int slot, unsigned long nonce, int child_slot) noexcept nogil:
        cdef context *c = self.at(slot)
        c.nonce = nonce
        c.child = CTX_BASE + <unsigned long> child_slot * SLOT

    cdef void put_ids(self, int slot, const unsigned int *ids) noexcept nogil:
        cdef context *c = self.at(slot)
        cdef int i
        for i in range(NR_IDS):
            publish_u32(&c.ids[i], ids[i])

    cdef void put_mask(self, int slot, unsigned long mask) noexcept nogil:
        """Its signal mask, which it may change by itself from now on."""
        self.at(slot).mask = mask
        publish_u32(&self.at(slot).mask_is_local, 1)

    cdef void put_robust_list(self, int slot, unsigned long head) noexcept nogil:
        self.at(slot).robust_list = head

    cdef void put_clear_tid(self, int slot, unsigned long address) noexcept nogil:
        self.at(slot).clear_tid = address

    cdef void put_outgoing(self, int slot, Window what, int i, unsigned long at, const void *data, size_t length) noexcept:
        """Bytes of the answer; the caller has found that they fit the piece."""
        memcpy(<char *> self.at(slot) + SLOT_WINDOW + what.here.outgoing[i].offset + at, data, length)

    cdef const char *outgoing(self, int slot, Window what, int i) noexcept:
        """For a copy into the guest's memory only: the guest may have changed it meanwhile."""
        return <char *> self.at(slot) + SLOT_WINDOW + what.here.outgoing[i].offset

    cdef void set_interrupted(self, int slot) noexcept nogil:
        publish_u32(&self.at(slot).interrupted, 1)

    cdef void set_spin(self, int slot, unsigned int ticks) noexcept nogil:
        publish_u32(&self.at(slot).answer.spin, ticks)

    cdef bint read_xsave(self, int slot, unsigned long address, void *into, size_t size) noexcept nogil:
        """False if the address can't be an image in this thread's slot."""
        cdef unsigned long offset = address - CTX_BASE - <unsigned long> slot * SLOT
        if not valid_image(offset, size):
            return False
        memcpy(into, <char *> self.at(slot) + offset, size)
        return True

    cdef bint write_xsave(self, int slot, unsigned long address, const void *data, size_t size) noexcept nogil:
        cdef unsigned long offset = address - CTX_BASE - <unsigned long> slot * SLOT
        if not valid_image(offset, size):
            return False
        memcpy(<char *> self.at(slot) + offset, data, size)
        self.at(slot).live = 0           # leaving loads it
        return True

    cdef unsigned long own_xsave(self, int slot) noexcept nogil:
        """Where the sentry puts an image when no signal frame holds one."""
        return CTX_BASE + <unsigned long> slot * SLOT + SLOT_XSAVE

    cdef unsigned long prepare_zygote(self, unsigned long nonce, const unsigned char *program, size_t size, unsigned int flags) noexcept:
        """Slot 0: seccomp(SET_MODE_FILTER, flags, &sock_fprog) as the first host call. Afterwards nobody writes the filter."""
        cdef context *c = self.at(0)
        cdef unsigned long where = self.own_xsave(0)
        cdef unsigned long fprog[2]
        fprog[0] = size // 8
        fprog[1] = where + BOOT_PROGRAM
        memcpy(<char *> c + SLOT_XSAVE, fprog, sizeof(fprog))
        memcpy(<char *> c + SLOT_XSAVE + BOOT_PROGRAM, program, size)
        c.nonce = nonce
        c.host[0].number = SYS_seccomp
        c.host[0].args[0] = SECCOMP_SET_MODE_FILTER
        c.host[0].args[1] = flags
        c.host[0].args[2] = where
        return where

    cdef int wait_listener(self, int milliseconds) noexcept nogil:
        """Waits a while for the zygote's filter; the descriptor number of the listener in the zygote, or -1."""
        cdef context *c = self.at(0)
        cdef timespec wait
        wait.tv_sec = milliseconds // 1000
        wait.tv_nsec = (milliseconds % 1000) * 1000000
        if not c.listener:
            syscall(SYS_futex, &c.listener, 0, 0, &wait, NULL, 0)
        return c.listener - 1

    cdef void take_birth(self, Birth *into) noexcept nogil:
        cdef context *c = self.at(0)
        into.vdso, into.hwcap, into.hwcap2, into.minsigstksz = c.vdso, c.hwcap, c.hwcap2, c.minsigstksz
        into.xfeatures = c.xfeatures
        into.xstate_size = c.xstate_size
        into.mxcsr_mask = c.mxcsr_mask


cdef void clamp_piece(piece *p) noexcept:
    if p.offset >= WINDOW_SIZE:
        p.offset = p.length = 0
    p.length = min(p.length, <unsigned int> WINDOW_SIZE - p.offset)


cdef bint valid_image(unsigned long offset, size_t size) noexcept nogil:
    return offset % 64 == 0 and SLOT_XSAVE <= offset < SLOT and size <= SLOT - offset
