# SPDX-License-Identifier: Apache-2.0
"""The seccomp section of config.json: what its program answers, run by a small interpreter of classic BPF."""

import struct

import pytest

from kernel.boot import seccomp_profile, tables

ALLOW, EPERM, KILL = 0x7FFF0000, 0x50001, 0
NR_ARGUMENTS = 6


def run(program, number, arguments=()):
    """The answer of a program to a call."""
    words = [number, 0xC000003E, 0, 0]
    for value in [*arguments, *[0] * (NR_ARGUMENTS - len(arguments))]:
        words += [value & 0xFFFFFFFF, value >> 32]
    code, at, a = list(struct.iter_unpack("<HBBI", program)), 0, 0
    while True:
        op, yes, no, k = code[at]
        at += 1
        if op == 0x06:
            return k
        if op == 0x20:
            a = words[k // 4]
        elif op == 0x54:
            a &= k
        elif op == 0x05:
            at += k
        else:
            at += yes if {0x15: a == k, 0x25: a > k, 0x35: a >= k}[op] else no


def program_of(rules, default="SCMP_ACT_ERRNO"):
    """The bytes that compile_profile would give to the kernel."""
    made = []
    tables.load()
    original, seccomp_profile.Filter = seccomp_profile.Filter, made.append
    try:
        seccomp_profile.compile_profile({"defaultAction": default, "syscalls": rules})
    finally:
        seccomp_profile.Filter = original
    return made[0]


def rule(names, action="SCMP_ACT_ALLOW", **more):
    return {"names": names, "action": action, **more}


def test_numbers_and_default():
    program = program_of([rule(["read", "write", "no_such_call"]), rule(["mount"], "SCMP_ACT_ERRNO", errnoRet=38)])
    assert run(program, 0) == ALLOW
    assert run(program, 1) == ALLOW
    assert run(program, 2) == EPERM
    assert run(program, 165) == 0x50026


def test_the_kernel_takes_it():
    tables.load()
    everything = [rule([row.name for row in seccomp_profile.rows()])]
    assert len(seccomp_profile.compile_profile({"defaultAction": "SCMP_ACT_KILL", "syscalls": everything})) == 1
    assert seccomp_profile.compile_profile(None) is None


@pytest.mark.parametrize(
    "operator, value, second, passing, failing",
    [
        ("SCMP_CMP_EQ", 1 << 40 | 7, 0, [1 << 40 | 7], [7, 1 << 40, 1 << 41 | 7]),
        ("SCMP_CMP_NE", 1 << 40 | 7, 0, [7, 1 << 40 | 8, 0], [1 << 40 | 7]),
        ("SCMP_CMP_GT", 1 << 32 | 5, 0, [1 << 32 | 6, 2 << 32], [1 << 32 | 5, 6, 0]),
        ("SCMP_CMP_GE", 1 << 32 | 5, 0, [1 << 32 | 5, 2 << 32], [1 << 32 | 4, 6]),
        ("SCMP_CMP_LT", 1 << 32 | 5, 0, [1 << 32 | 4, 9], [1 << 32 | 5, 2 << 32]),
        ("SCMP_CMP_LE", 1 << 32 | 5, 0, [1 << 32 | 5, 9], [1 << 32 | 6, 2 << 32]),
        ("SCMP_CMP_MASKED_EQ", 0x7E020000, 0, [0x11, 1 << 40], [0x10000000, 0x20000]),
    ],
)
def test_conditions(operator, value, second, passing, failing):
    condition = {"index": 1, "value": value, "valueTwo": second, "op": operator}
    program = program_of([rule(["clone"], args=[condition])])
    assert [run(program, 56, (0, argument)) for argument in passing] == [ALLOW] * len(passing)
    assert [run(program, 56, (0, argument)) for argument in failing] == [EPERM] * len(failing)


def test_conditions_of_a_rule_are_joined_and_rules_are_alternatives():
    zero, one = {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}
    program = program_of([rule(["personality"], args=[zero, one]), rule(["personality"], args=[{**zero, "value": 8}])])
    assert [run(program, 135, arguments) for arguments in ((0, 1), (8, 0), (0, 2), (1, 1))] == [ALLOW, ALLOW, EPERM, EPERM]
    twice = program_of([rule(["personality"], args=[zero, {**zero, "value": 9}])])
    assert [run(twice, 135, (argument,)) for argument in (0, 9, 1)] == [ALLOW, ALLOW, EPERM]
