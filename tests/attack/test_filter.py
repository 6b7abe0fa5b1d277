# SPDX-License-Identifier: Apache-2.0
"""The stub's filter, run by an interpreter of our own: what it lets pass can't touch what is ours, whatever the registers."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "kernel" / "platform" / "x86_64"))

from build_shim import abi_constants  # noqa: E402

from kernel.platform import filter as bpf  # noqa: E402

ABI = abi_constants()
PROGRAMS = {strict: bpf.stub_filter(ABI, strict) for strict in (False, True)}
IN_SHIM = ABI["SHIM_BASE"] + 0x123
MASK = 0xFFFFFFFF
PAGE = 4096


def verdict(number, args, ip=IN_SHIM, arch=bpf.AUDIT_ARCH_X86_64, strict=False):
    """What the host would do: a classic BPF machine over struct seccomp_data."""
    data = struct.pack("<iIQ6Q", number, arch, ip, *(a & 0xFFFFFFFFFFFFFFFF for a in args))
    at = accumulator = index = 0
    while True:
        code, yes, no, k = PROGRAMS[strict][at]
        at += 1
        if code == bpf.LD:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif code == bpf.AND:
            accumulator &= k
        elif code == bpf.ADD_X:
            accumulator = (accumulator + index) & MASK
        elif code == bpf.TAX:
            index = accumulator
        elif code == bpf.RET:
            return k
        else:
            taken = {bpf.JEQ: accumulator == k, bpf.JGE: accumulator >= k, bpf.JSET: accumulator & k != 0}[code]
            at += yes if taken else no


interesting = st.sampled_from(
    [0, 1, 3, 7, 8, 0x11, 0x32, PAGE, 0x10000, MASK, MASK + 1, -1, -PAGE, 1 << 63, ABI["FORK_FLAGS"], ABI["THREAD_FLAGS"]]
    + [ABI[name] + delta for name in ("GUEST_END", "CTX_BASE", "SHIM_BASE", "RO_PAGE", "CTX_SIZE") for delta in (-PAGE, -1, 0, 1)]
)
register = interesting | st.integers(0, (1 << 64) - 1) | st.integers(0, 64)
registers = st.lists(register, min_size=6, max_size=6)
memory_calls = st.sampled_from([bpf.MMAP, bpf.MUNMAP, bpf.MPROTECT, bpf.MADVISE])


def is_contexts_mapping(number, args):
    birth = [ABI["CTX_BASE"], ABI["CTX_SIZE"], 3, 0x11, ABI["FD_CONTEXTS"], 0]
    # the descriptor is an int for the host, so its upper half can't matter, but we compare it all the same
    return (number == bpf.MMAP and args == birth) or (
        number == bpf.MADVISE and args[:2] == birth[:2] and args[2] & MASK == bpf.MADV_DONTFORK
    )


@settings(max_examples=2000, deadline=None)
@given(memory_calls, registers)
def test_no_mapping_call_reaches_our_own(number, args):
    if verdict(number, args) == bpf.ALLOW and not is_contexts_mapping(number, args):
        address, length = args[0] & 0xFFFFFFFFFFFFFFFF, args[1] & 0xFFFFFFFFFFFFFFFF
        assert address + length + PAGE < ABI["CTX_BASE"]


@settings(max_examples=2000, deadline=None)
@given(st.integers(-1, 600) | memory_calls | st.just(bpf.CLONE), registers)
def test_only_these_numbers_pass(number, args):
    passing = {bpf.CLOSE, bpf.MMAP, bpf.MUNMAP, bpf.MPROTECT, bpf.MADVISE, bpf.CLONE, bpf.FUTEX, bpf.SIGALTSTACK}
    passing |= {bpf.SCHED_YIELD, bpf.RESTART_SYSCALL, bpf.EXIT, bpf.EXIT_GROUP, bpf.MEMBARRIER}
    answer = verdict(number, args)
    assert answer in (bpf.ALLOW, bpf.TRAP, bpf.NOTIFY)
    if answer == bpf.ALLOW:
        assert number in passing
        assert number != bpf.CLONE or (args[0] == ABI["THREAD_FLAGS"] and not any(args[2:5]))


@settings(max_examples=500, deadline=None)
@given(memory_calls, registers)
def test_strict_lets_no_mapping_call_pass(number, args):
    assert verdict(number, args, strict=True) != bpf.ALLOW or is_contexts_mapping(number, args)


@given(st.integers(0, 600), registers, st.integers(0, (1 << 64) - 1))
def test_guest_text_always_traps(number, args, ip):
    if not ABI["SHIM_BASE"] <= ip < ABI["SHIM_BASE"] + ABI["SHIM_SIZE"]:
        assert verdict(number, args, ip=ip) == bpf.TRAP


@given(st.integers(0, 600), registers, st.integers(0, MASK))
def test_other_architectures_always_trap(number, args, arch):
    if arch != bpf.AUDIT_ARCH_X86_64:
        assert verdict(number, args, arch=arch) == bpf.TRAP


@pytest.mark.parametrize(
    ("number", "args", "expected"),
    [
        (ABI["NR_BELL"], (1, 1), bpf.NOTIFY),
        (ABI["NR_HELLO"], (1,), bpf.NOTIFY),
        (bpf.CLONE, (ABI["FORK_FLAGS"],), bpf.NOTIFY),
        (bpf.CLONE, (ABI["THREAD_FLAGS"], 0x1000), bpf.ALLOW),
        (bpf.MMAP, (0x10000, PAGE, 3, 0x4032, -1), bpf.ALLOW),
        (bpf.MMAP, (0x10000, PAGE, 1, 0x11, 8), bpf.ALLOW),
        (bpf.MMAP, (0x10000, PAGE, 1, 0x11, 7), bpf.TRAP),
        (bpf.MUNMAP, (ABI["GUEST_END"] - PAGE, PAGE), bpf.ALLOW),
        (bpf.FUTEX, (0x10000, bpf.FUTEX_WAIT | 128), bpf.ALLOW),
        (bpf.FUTEX, (0x10000, bpf.FUTEX_CMP_REQUEUE), bpf.NOTIFY),
        (bpf.FUTEX, (0x10000, 6), bpf.TRAP),
        (bpf.MREMAP, (0x10000,), bpf.NOTIFY),
        (1, (1, 0x10000, 5), bpf.TRAP),
    ],
)
def test_shapes(number, args, expected):
    assert verdict(number, (*args, *[0] * (6 - len(args)))) == expected


def test_fits_the_hosts_limit():
    assert all(len(program) <= 512 for program in PROGRAMS.values())
