# SPDX-License-Identifier: Apache-2.0
"""The stub's seccomp filter, written as rows and assembled to BPF at build time.

The rule: a row's shape must be harmless whoever calls with any registers, or its verdict is NOTIFY, where the sentry compares
the registers with its own order. Everything else, and every call from outside the shim's text, is TRAP (SIGSYS).
Nothing here runs in a sandbox: kernel/platform/x86_64/build_shim.py writes the result into a C header.
"""

import struct
from collections.abc import Callable, Mapping

TRAP = 0x00030000  # SECCOMP_RET_TRAP
ALLOW = 0x7FFF0000  # SECCOMP_RET_ALLOW
NOTIFY = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
AUDIT_ARCH_X86_64 = 0xC000003E

# struct seccomp_data
NR, ARCH, IP = 0, 4, 8

# linux/bpf_common.h
LD, AND, ADD_X, TAX, RET = 0x20, 0x54, 0x0C, 0x07, 0x06
JEQ, JGE, JSET = 0x15, 0x35, 0x45

# x86_64 system calls that appear in a row
CLOSE, MMAP, MPROTECT, MUNMAP, PREAD64, PWRITE64, SCHED_YIELD, MREMAP, MSYNC, MINCORE, MADVISE = 3, 9, 10, 11, 17, 18, 24, 25, 26, 27, 28
CLONE, EXIT, SIGALTSTACK, FUTEX, RESTART_SYSCALL, EXIT_GROUP = 56, 60, 131, 202, 219, 231
FALLOCATE, MEMBARRIER, MLOCK2 = 285, 324, 325

PROT_ALL = 7
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE = 1, 2, 0x10, 0x20, 0x4000, 0x8000
MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE = 3, 4, 8, 10, 14, 15
ORDERED_ADVICE = 9, 18, 19, 20, 21, 22, 23  # REMOVE, WIPEONFORK, KEEPONFORK, COLD, PAGEOUT, POPULATE_READ, POPULATE_WRITE
FUTEX_OP, FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET = 0x7F, 0, 1, 9, 10
FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP = 3, 4, 5
MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 1 << 5
MAX_DESCRIPTOR = 0x10000


def low(arg: int) -> int:
    """Offset of the low half of an argument."""
    return 16 + 8 * arg


def high(arg: int) -> int:
    return low(arg) + 4


class Program:
    """BPF instructions; jumps to labels are resolved at the end. A check falls through when true and traps when not."""

    def __init__(self) -> None:
        self.code: list[tuple[int, str | None, str | None, int]] = []
        self.labels: dict[str, int] = {}
        self.nr_labels = 0

    def emit(self, op: int, k: int = 0, yes: str | None = None, no: str | None = None) -> None:
        self.code.append((op, yes, no, k & 0xFFFFFFFF))

    def fresh(self) -> str:
        self.nr_labels += 1
        return f"L{self.nr_labels}"

    def here(self, label: str) -> None:
        self.labels[label] = len(self.code)

    def load(self, offset: int) -> None:
        self.emit(LD, offset)

    def answer(self, verdict: int) -> None:
        self.emit(RET, verdict)

    def trap_unless(self, op: int, k: int) -> None:
        good = self.fresh()
        self.emit(op, k, yes=good)
        self.answer(TRAP)
        self.here(good)

    def trap_if(self, op: int, k: int) -> None:
        good = self.fresh()
        self.emit(op, k, no=good)
        self.answer(TRAP)
        self.here(good)

    def one_of(self, *values: int) -> None:
        """The accumulator is one of values."""
        good = self.fresh()
        for value in values:
            self.emit(JEQ, value, yes=good)
        self.answer(TRAP)
        self.here(good)

    def verdict_for(self, verdict: int, *values: int) -> None:
        """If the accumulator is one of values, that is the answer; else go on."""
        for value in values:
            other = self.fresh()
            self.emit(JEQ, value, no=other)
            self.answer(verdict)
            self.here(other)

    def equal(self, arg: int, value: int) -> None:
        """All 64 bits of an argument."""
        self.load(low(arg))
        self.trap_unless(JEQ, value)
        self.load(high(arg))
        self.trap_unless(JEQ, value >> 32)

    def only_bits(self, arg: int, bits: int) -> None:
        """No bit of an argument but these (within the low half)."""
        self.load(low(arg))
        self.trap_if(JSET, ~bits)
        self.load(high(arg))
        self.trap_unless(JEQ, 0)

    def below(self, address: int, length: int, end: int) -> None:
        """The range guard: hi32(address) + hi32(length) < hi32(end). The 4 GiB that a carry or page rounding may add end below our own."""
        self.load(high(length))
        self.trap_if(JGE, 0x8000)
        self.emit(TAX)
        self.load(high(address))
        self.trap_if(JGE, 0x8000)
        self.emit(ADD_X)
        self.trap_if(JGE, end >> 32)

    def row(self, number: int, verdict: int, checks: Callable[[], None] | None = None) -> None:
        """One system call: its checks, then its verdict."""
        after = self.fresh()
        self.load(NR)
        self.emit(JEQ, number, no=after)
        if checks:
            checks()
        self.answer(verdict)
        self.here(after)

    def assemble(self) -> list[tuple[int, int, int, int]]:
        """(code, jt, jf, k) of each instruction."""

        def distance(label: str | None, at: int) -> int:
            jump = 0 if label is None else self.labels[label] - at - 1
            if not 0 <= jump < 256:
                raise ValueError(f"jump of {jump} at {at}")
            return jump

        return [(op, distance(yes, at), distance(no, at), k) for at, (op, yes, no, k) in enumerate(self.code)]


def stub_filter(abi: Mapping[str, int], strict: bool = False) -> list[tuple[int, int, int, int]]:
    """The filter of every stub. strict: the memory calls of lane A go to lane B as well."""
    p = Program()
    memory = NOTIFY if strict else ALLOW
    only_from_shim(p, abi["SHIM_BASE"], abi["SHIM_SIZE"])
    for number in abi["NR_BELL"], abi["NR_HELLO"]:
        p.row(number, NOTIFY)
    p.row(FUTEX, ALLOW, lambda: futex_shapes(p))
    p.row(MUNMAP, memory, lambda: p.below(0, 1, abi["GUEST_END"]))
    p.row(MPROTECT, memory, lambda: mprotect_shape(p, abi["GUEST_END"]))
    mmap_rows(p, abi, memory)
    madvise_rows(p, abi, memory)
    clone_rows(p, abi)
    # restart_syscall is how the host itself goes on with a timed futex wait after a stop or a freeze
    for number in CLOSE, SIGALTSTACK, SCHED_YIELD, RESTART_SYSCALL, EXIT, EXIT_GROUP:
        p.row(number, ALLOW)
    p.row(MEMBARRIER, ALLOW, lambda: membarrier_shape(p))
    for number in MREMAP, PREAD64, PWRITE64, MSYNC, MLOCK2, MINCORE, FALLOCATE:
        p.row(number, NOTIFY)
    p.answer(TRAP)
    return p.assemble()


def only_from_shim(p: Program, base: int, size: int) -> None:
    """Makes guest calls trap. No security boundary: a guest may jump into the shim."""
    p.load(ARCH)
    p.trap_unless(JEQ, AUDIT_ARCH_X86_64)
    p.load(IP + 4)
    p.trap_unless(JEQ, base >> 32)
    p.load(IP)
    p.trap_unless(JGE, base)
    p.trap_if(JGE, (base & 0xFFFFFFFF) + size)


def futex_shapes(p: Program) -> None:
    p.load(low(1))
    p.emit(AND, FUTEX_OP)
    p.verdict_for(NOTIFY, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP)
    p.one_of(FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET)


def mprotect_shape(p: Program, end: int) -> None:
    p.below(0, 1, end)
    p.only_bits(2, PROT_ALL)


def membarrier_shape(p: Program) -> None:
    p.equal(0, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)
    p.equal(1, 0)


def mmap_rows(p: Program, abi: Mapping[str, int], memory: int) -> None:
    """Three shapes: the contexts of a newborn, anonymous private memory, a donated descriptor."""

    def checks() -> None:
        other, file = p.fresh(), p.fresh()
        p.load(low(4))
        p.emit(JEQ, abi["FD_CONTEXTS"], no=other)
        for arg, value in enumerate((abi["CTX_BASE"], abi["CTX_SIZE"], 3, MAP_SHARED | MAP_FIXED, abi["FD_CONTEXTS"], 0)):
            p.equal(arg, value)
        p.answer(ALLOW)
        p.here(other)
        p.below(0, 1, abi["GUEST_END"])
        p.only_bits(2, PROT_ALL)
        p.load(high(3))
        p.trap_unless(JEQ, 0)
        p.load(low(4))
        p.emit(JEQ, -1, no=file)
        p.load(low(3))
        p.emit(AND, ~(MAP_NORESERVE | MAP_POPULATE))
        p.one_of(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
        p.answer(memory)
        p.here(file)
        p.trap_unless(JGE, abi["FD_DONATED"])
        p.trap_if(JGE, MAX_DESCRIPTOR)
        p.load(low(3))
        p.emit(AND, ~(MAP_NORESERVE | MAP_POPULATE))
        p.one_of(MAP_PRIVATE | MAP_FIXED, MAP_SHARED | MAP_FIXED)

    p.row(MMAP, memory, checks)


def madvise_rows(p: Program, abi: Mapping[str, int], memory: int) -> None:
    """DONTFORK of the contexts, exactly; of guest memory the five that only tune or empty it. The rest by order."""

    def checks() -> None:
        other = p.fresh()
        p.load(low(2))
        p.emit(JEQ, MADV_DONTFORK, no=other)
        p.equal(0, abi["CTX_BASE"])
        p.equal(1, abi["CTX_SIZE"])
        p.answer(ALLOW)
        p.here(other)
        p.verdict_for(NOTIFY, *ORDERED_ADVICE)
        p.one_of(MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE)
        p.below(0, 1, abi["GUEST_END"])

    p.row(MADVISE, memory, checks)


def clone_rows(p: Program, abi: Mapping[str, int]) -> None:
    """The thread word passes; the fork word is the sentry's to judge, or there would be processes that nobody knows of."""

    def checks() -> None:
        thread = p.fresh()
        p.load(high(0))
        p.trap_unless(JEQ, 0)
        for arg in 2, 3, 4:
            p.equal(arg, 0)
        p.load(low(0))
        p.emit(JEQ, abi["FORK_FLAGS"], no=thread)
        p.answer(NOTIFY)
        p.here(thread)
        p.one_of(abi["THREAD_FLAGS"])

    p.row(CLONE, ALLOW, checks)


def pack(program: list[tuple[int, int, int, int]]) -> bytes:
    """An array of struct sock_filter."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
