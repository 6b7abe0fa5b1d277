# SPDX-License-Identifier: Apache-2.0
"""The first stack of a program: strings, auxiliary vector, pointers, argc (create_elf_tables in fs/binfmt_elf.c), and its limits.

From the top: a zero word, the program's path, environment, arguments, padding, "x86_64", 16 random bytes, then auxv, envp, argv, and
argc at sp.
"""

import struct

from kernel.abi.errno cimport E2BIG, Errno

MAX_ARG_STRLEN = 131072
ARG_MAX = 131072
STACK_LIMIT = 8 << 20
MAX_ARG_STRINGS = 0x7fffffff

cdef enum:
    AT_NULL = 0
    AT_PHDR = 3
    AT_PHENT = 4
    AT_PHNUM = 5
    AT_PAGESZ = 6
    AT_BASE = 7
    AT_FLAGS = 8
    AT_ENTRY = 9
    AT_UID = 11
    AT_EUID = 12
    AT_GID = 13
    AT_EGID = 14
    AT_PLATFORM = 15
    AT_HWCAP = 16
    AT_CLKTCK = 17
    AT_SECURE = 23
    AT_RANDOM = 25
    AT_HWCAP2 = 26
    AT_EXECFN = 31
    AT_SYSINFO_EHDR = 33
    AT_MINSIGSTKSZ = 51

PLATFORM = b"x86_64\0"


def check_strings(list argv, list envp, bytes path, unsigned long stack_limit):
    """E2BIG: a string too long, or all together more than a quarter of the stack (at least 128 KiB, at most 6 MiB)."""
    cdef unsigned long limit = max(min(STACK_LIMIT // 4 * 3, stack_limit // 4), ARG_MAX), total
    total = 8 * (max(len(argv), 1) + len(envp)) + len(path) + 1
    for strings in argv, envp:
        for string in strings:
            if len(string) >= MAX_ARG_STRLEN:
                raise Errno(E2BIG)
            total += len(string) + 1
    if total > limit:
        raise Errno(E2BIG)


class StackImage:
    """`data` is to be written at `sp`, and ends at the top of the stack."""

    __slots__ = ("sp", "data", "arg_start", "arg_end", "env_start", "env_end", "auxv")


def build(unsigned long top, list argv, list envp, bytes path, list auxv, bytes random, unsigned long shift):
    """The StackImage. auxv: (type, value) in order, without those that point into the stack; shift: bytes of random gap."""
    cdef unsigned long at = top - 8, strings, sp
    image = StackImage()
    at -= len(path) + 1
    execfn = at
    image.env_end = at
    at -= sum([len(string) + 1 for string in envp])
    image.env_start = image.arg_end = at
    at -= sum([len(string) + 1 for string in argv])
    image.arg_start = strings = at
    text = b"".join([string + b"\0" for string in argv] + [string + b"\0" for string in envp] + [path, b"\0", bytes(8)])
    at = ((at - shift) & ~<unsigned long> 15) - len(PLATFORM)
    platform = at
    at -= 16
    random_at = at
    vector = vector_of(auxv, execfn, platform, random_at)
    items = 1 + len(argv) + 1 + len(envp) + 1
    sp = (((at & ~<unsigned long> 15) - len(vector)) - 8 * items) & ~<unsigned long> 15
    pointers = [len(argv)]
    pointers += addresses(image.arg_start, argv) + [0] + addresses(image.env_start, envp) + [0]
    head = struct.pack(f"<{len(pointers)}Q", *pointers) + vector
    head = head.ljust(random_at - sp, b"\0") + random + PLATFORM
    image.sp, image.auxv = sp, vector
    image.data = head.ljust(strings - sp, b"\0") + text
    return image


cdef list addresses(unsigned long at, list strings):
    found = []
    for string in strings:
        found.append(at)
        at += len(string) + 1
    return found


cdef bytes vector_of(list auxv, unsigned long execfn, unsigned long platform, unsigned long random_at):
    pairs = []
    for kind, value in auxv:
        if kind == AT_HWCAP2:
            pairs.append((AT_RANDOM, random_at))
        pairs.append((kind, value))
    pairs += [(AT_EXECFN, execfn), (AT_PLATFORM, platform), (AT_NULL, 0)]
    return b"".join([struct.pack("<QQ", kind, value) for kind, value in pairs])


def auxiliary(dict limits, creds, bint secure, unsigned long phdr, int phnum, unsigned long base, unsigned long entry):
    """The vector's entries in Linux's order, but for those that point into the stack. limits: of the platform, and `vdso`."""
    entries = []
    if limits.get("vdso"):
        entries.append((AT_SYSINFO_EHDR, limits["vdso"]))
    entries += [
        (AT_MINSIGSTKSZ, limits.get("minsigstksz", 2048)), (AT_HWCAP, limits.get("hwcap", 0)), (AT_PAGESZ, 4096), (AT_CLKTCK, 100),
        (AT_PHDR, phdr), (AT_PHENT, 56), (AT_PHNUM, phnum), (AT_BASE, base), (AT_FLAGS, 0), (AT_ENTRY, entry),
        (AT_UID, creds.uid), (AT_EUID, creds.euid), (AT_GID, creds.gid), (AT_EGID, creds.egid), (AT_SECURE, int(secure)),
        (AT_HWCAP2, limits.get("hwcap2", 0)),
    ]
    return entries
