# SPDX-License-Identifier: Apache-2.0
"""The ELF parser on real programs with random changes: an Errno, or a program whose segments fit into the address space."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.abi.errno import Errno
from kernel.loader import elf

GUEST_END = 0x7FFE00000000
PAGE = 4096
HEADERS = 64 + 56 * 16
SAMPLES = [Path(name).read_bytes() for name in ("/bin/true", "/bin/busybox", "/lib64/ld-linux-x86-64.so.2") if os.path.exists(name)]
EXAMPLES = 100 * int(os.environ.get("FUZZ_SECONDS", "3"))
WORDS = st.sampled_from([0, 1, PAGE - 1, PAGE, 0x7FFFFFFF, 0xFFFFFFFF, GUEST_END - 1, GUEST_END, 1 << 63, (1 << 64) - PAGE, (1 << 64) - 1])
CHANGES = st.lists(st.tuples(st.integers(0, HEADERS - 8), st.one_of(WORDS, st.integers(0, (1 << 64) - 1)), st.sampled_from((1, 2, 4, 8))))

pytestmark = pytest.mark.fuzz


def parse(data):
    return elf.parse(data[:64], lambda offset, length: data[offset : offset + length], GUEST_END)


def check(data):
    try:
        program = parse(data)
    except Errno:
        return
    assert 0 <= program.low < program.high <= GUEST_END
    assert program.align & program.align - 1 == 0
    assert program.segments
    for segment in program.segments:
        assert program.low <= segment.vaddr and segment.vaddr + segment.memsz <= program.high
        assert segment.filesz <= segment.memsz
        assert not segment.filesz or (segment.vaddr - segment.offset) % PAGE == 0


@pytest.mark.skipif(not SAMPLES, reason="no program to change")
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(range(len(SAMPLES))), CHANGES)
def test_changed_programs(which, changes):
    data = bytearray(SAMPLES[which])
    for at, value, width in changes:
        data[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    check(bytes(data))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=400))
def test_rubbish(data):
    check(b"\x7fELF" + data)


@pytest.mark.skipif(not SAMPLES, reason="no program to cut")
@given(st.sampled_from(range(len(SAMPLES))), st.integers(0, 2 * HEADERS))
def test_cut_programs(which, length):
    check(SAMPLES[which][:length])
