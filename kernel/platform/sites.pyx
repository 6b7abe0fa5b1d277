# SPDX-License-Identifier: Apache-2.0
"""Rewriting of call sites: what traps often becomes a jump into the shim.

Two forms are known. `mov $number, %eax; syscall` (seven bytes), and `syscall; cmp $imm32, %rax` (eight, of which seven change: the C
library's read and write, syscall(), Go). Both become `jmp *slot`: the slot holds the address of a stub in the shim that knows the site's
number, and the site's record says what the shim must do in place of the bytes that went. Slots and records are guest memory.

A thread may be anywhere while seven bytes change, so they are written by one instruction within one cache line, and every old
boundary between them becomes the start of something that faults: 0x06 (no instruction) behind the `mov`, `in $n, %eax` (privileged)
behind the `syscall`. middle() does what was meant there; a thread that was in the call meanwhile comes back to such a place.

Only code of private mappings without write permission; the mapping has its own protection again afterwards.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from kernel.platform.x86_64.abi cimport (
    HOST_CMPXCHG8, NSITE, R11, RAX, RCX, RFL, RIP, SITE_BYTES, SITE_RECORDS, SITE_SLOTS, SITE_STUB, SITE_STUBS, site,
)

cdef enum:
    OFTEN = 8                            # traps of a site before it is rewritten: less would not pay for the order
    NEVER = 0x7fffffff
    LINE = 64
    SYSCALL_BYTES = 2
    MOV_BYTES = 5
    JUMP_BYTES = 7
    COMPARISON_BYTES = 6
    PAGE = 4096
    SYS_mmap = 9
    SYS_mprotect = 10
    PROT_READ_WRITE = 3
    PROT_WRITE = 2
    MAP_PRIVATE_ANONYMOUS_FIXED = 0x32
    CF = 1
    PF = 4
    AF = 0x10
    ZF = 0x40
    SF = 0x80
    OF = 0x800
    ARITHMETIC = CF | PF | AF | ZF | SF | OF

cdef bytes SYSCALL = b"\x0f\x05"
cdef bytes COMPARE = b"\x48\x3d"
cdef bytes JUMP = b"\xff\x24"


cdef class Sites:
    """Of one address space."""

    def __cinit__(self):
        self.numbers = {}
        self.waiting = []

    def __dealloc__(self):
        free(self.counters)

    cdef void drop(self) noexcept:
        """The process is dead; what still holds us should not hold the memory."""
        free(self.counters)
        self.counters = NULL
        self.numbers = {}
        self.waiting = []

    cdef Counter *counter_of(self, uint64_t back) noexcept:
        """The counter that this call shares with others, or NULL."""
        if self.counters == NULL:
            self.counters = <Counter *> calloc(NR_COUNTERS, sizeof(Counter))
        if self.counters == NULL:
            return NULL
        return &self.counters[(back ^ back >> 12) % NR_COUNTERS]

    cdef bint often(self, uint64_t back) noexcept:
        """One more trap came from the call that ends at `back`: should it be rewritten now?"""
        cdef Counter *counter = self.counter_of(back)
        if counter == NULL:
            return False
        if counter.address != back:
            counter.address, counter.hits = back, 0
        if counter.hits == NEVER:
            return False
        counter.hits += 1
        return counter.hits >= OFTEN and not self.busy and not self.forks and not self.waiting

    cdef void never(self, uint64_t back) noexcept:
        """It can't be rewritten; as long as its counter is not needed for another one it is not looked at again."""
        cdef Counter *counter = self.counter_of(back)
        if counter != NULL:
            counter.address, counter.hits = back, NEVER

    cdef Sites copy(self):
        """For a child of fork, which has a copy of the code and of the table."""
        cdef Sites child = Sites()
        child.numbers = dict(self.numbers)
        child.mapped = self.mapped
        return child

    cdef void map_call(self, HostCall *call) noexcept:
        """The order that makes the table."""
        memset(call, 0, sizeof(HostCall))
        call.number = SYS_mmap
        call.args[0], call.args[1], call.args[2], call.args[3] = SITE_SLOTS, SITE_BYTES, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED
        call.args[4] = <unsigned long> -1

    cdef int plan(self, Space space, uint64_t back, int protection, HostCall *calls):
        """Writes the site's record and slot, and fills SITE_CALLS orders: permission, code, old permission. 0: it can't be."""
        cdef unsigned char code[16]      # 8 bytes on either side of `back`
        cdef unsigned char wanted[8]
        cdef site record
        cdef uint64_t window, page, slot_value, slot
        if space.read(back - 8, code, 16) != 16 or memcmp(code + 6, <const char *> SYSCALL, SYSCALL_BYTES):
            return 0
        record.back, record.number, record.compare = back, -1, 0
        if code[1] == 0xb8:
            memcpy(&record.number, code + 2, 4)
            self.start = back - JUMP_BYTES
        elif memcmp(code + 8, <const char *> COMPARE, 2) == 0:
            memcpy(&record.compare, code + 10, 4)
            self.start = back - SYSCALL_BYTES
        if record.number < 0 and record.compare == 0:
            return 0
        window = self.start if self.start % LINE <= LINE - 8 else self.start - 1
        if window // LINE != (self.start + JUMP_BYTES - 1) // LINE or (window + 8 - 1) // LINE != window // LINE or window < back - 8:
            return 0                     # it crosses a line
        self.number = self.numbers.get(self.start, len(self.numbers))
        if self.number >= NSITE:
            return 0
        slot = SITE_SLOTS + 8 * <uint64_t> self.number
        slot_value = SITE_STUBS + SITE_STUB * <uint64_t> self.number
        if (space.write(SITE_RECORDS + sizeof(site) * <uint64_t> self.number, &record, sizeof(site)) != sizeof(site)
                or space.write(slot, &slot_value, 8) != 8):
            return 0
        self.numbers[self.start] = self.number
        self.back = back
        memcpy(wanted, code + (window - (back - 8)), 8)
        write_jump(wanted + (self.start - window), <uint32_t> slot)
        memset(calls, 0, SITE_CALLS * sizeof(HostCall))
        page = window // PAGE * PAGE
        calls[0].number = calls[2].number = SYS_mprotect
        calls[0].args[0] = calls[2].args[0] = page
        calls[0].args[1] = calls[2].args[1] = PAGE
        calls[0].args[2], calls[2].args[2] = protection | PROT_WRITE, protection
        calls[1].number = HOST_CMPXCHG8
        calls[1].args[0] = window
        memcpy(&calls[1].args[1], code + (window - (back - 8)), 8)
        memcpy(&calls[1].args[2], wanted, 8)
        return SITE_CALLS

    cdef Middle middle(self, Space space, machine *state):
        """A fault at state's instruction: if it is inside a rewritten site, what was meant happens to state."""
        cdef uint64_t ip = state.regs[RIP]
        if self.numbers.get(ip - MOV_BYTES) is not None and self.is_jump(space, ip - MOV_BYTES):
            state.regs[RIP] = ip + SYSCALL_BYTES
            state.regs[RCX] = state.regs[RIP]
            state.regs[R11] = state.regs[RFL]
            return A_CALL
        if self.numbers.get(ip - SYSCALL_BYTES) is not None and self.is_jump(space, ip - SYSCALL_BYTES):
            return self.compare(space, state)
        return NO_SITE

    cdef Middle compare(self, Space space, machine *state):
        """The comparison that stood at state's instruction, by the record of its site."""
        cdef site record
        cdef uint64_t ip = state.regs[RIP]
        cdef int number = self.numbers[ip - SYSCALL_BYTES]
        if space.read(SITE_RECORDS + sizeof(site) * <uint64_t> number, &record, sizeof(site)) != sizeof(site) or record.compare == 0:
            return NO_SITE
        state.regs[RFL] = (state.regs[RFL] & ~<uint64_t> ARITHMETIC) | flags_of(state.regs[RAX], <uint64_t> <long> record.compare)
        state.regs[RIP] = ip + COMPARISON_BYTES
        return COMPARED

    cdef bint is_jump(self, Space space, uint64_t start):
        """Is it still ours? The memory may have been mapped anew."""
        cdef unsigned char code[JUMP_BYTES]
        cdef unsigned char wanted[JUMP_BYTES]
        write_jump(wanted, <uint32_t> (SITE_SLOTS + 8 * <uint64_t> <int> self.numbers[start]))
        return space.read(start, code, JUMP_BYTES) == JUMP_BYTES and memcmp(code, wanted, JUMP_BYTES) == 0


cdef void write_jump(unsigned char *into, uint32_t slot) noexcept:
    """jmp *slot, with a scale in its SIB byte that means nothing here and reads as `in $n, %eax` when it comes first."""
    memcpy(into, <const char *> JUMP, 2)
    into[2] = 0xe5
    memcpy(into + 3, &slot, 4)


cdef uint64_t flags_of(uint64_t a, uint64_t b) noexcept:
    """The arithmetic flags of a - b."""
    cdef uint64_t result = a - b, flags = 0
    cdef unsigned int low = result & 0xff
    low ^= low >> 4
    low ^= low >> 2
    low ^= low >> 1
    if a < b:
        flags |= CF
    if not low & 1:
        flags |= PF
    if (a ^ b ^ result) & AF:
        flags |= AF
    if result == 0:
        flags |= ZF
    if result >> 63:
        flags |= SF
    if ((a ^ b) & (a ^ result)) >> 63:
        flags |= OF
    return flags
