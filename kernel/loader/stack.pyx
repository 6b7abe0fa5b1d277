# SPDX-License-Identifier: Apache-2.0
"""The first stack of a program: strings, auxiliary vector, pointers, argc (create_elf_tables in fs/binfmt_elf.c), and its limits.

From the top: a zero word, the program's path, environment, arguments, padding, "x86_64", 16 random bytes, then auxv, envp, argv, and
argc at sp.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memset

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
    total = 8 * (max(len(argv), 1) + len(envp)) + len(path) + 1 + size_of(argv, True) + size_of(envp, True)
    if total > limit:
        raise Errno(E2BIG)


cdef unsigned long size_of(list strings, bint checked) except? 0:
    """Bytes that they take with their NULs; checked: E2BIG for one that is too long."""
    cdef unsigned long total = 0
    cdef Py_ssize_t length
    for string in strings:
        length = len(<bytes?> string)
        if checked and length >= MAX_ARG_STRLEN:
            raise Errno(E2BIG)
        total += length + 1
    return total


class StackImage:
    """`data` is to be written at `sp`, and ends at the top of the stack."""

    __slots__ = ("sp", "data", "arg_start", "arg_end", "env_start", "env_end", "auxv")


def build(unsigned long top, list argv, list envp, bytes path, list auxv, bytes random, unsigned long shift):
    """The StackImage. auxv: (type, value) in order, without those that point into the stack; shift: bytes of random gap."""
    cdef unsigned long at = top - 8, strings, sp
    cdef unsigned long *words
    cdef Py_ssize_t items
    cdef bytes head
    image = StackImage()
    at -= len(path) + 1
    execfn = at
    image.env_end = at
    at -= size_of(envp, False)
    image.env_start = image.arg_end = at
    at -= size_of(argv, False)
    image.arg_start = strings = at
    text = b"\0".join([*argv, *envp, path, bytes(8)])
    at = ((at - shift) & ~<unsigned long> 15) - len(PLATFORM)
    platform = at
    at -= 16
    random_at = at
    vector = vector_of(auxv, execfn, platform, random_at)
    items = len(argv) + len(envp) + 3
    sp = (((at & ~<unsigned long> 15) - len(vector)) - 8 * items) & ~<unsigned long> 15
    head = PyBytes_FromStringAndSize(NULL, items * sizeof(unsigned long))
    words = <unsigned long *> PyBytes_AS_STRING(head)
    words[0] = len(argv)
    words = put_addresses(words + 1, strings, argv)
    put_addresses(words, image.env_start, envp)
    head = (head + vector).ljust(random_at - sp, b"\0") + random + PLATFORM
    image.sp, image.auxv = sp, vector
    image.data = head.ljust(strings - sp, b"\0") + text
    return image


cdef unsigned long *put_addresses(unsigned long *words, unsigned long at, list strings):
    """The address of each string, and a NULL; returns where the next word goes."""
    for string in strings:
        words[0] = at
        words += 1
        at += len(<bytes> string) + 1
    words[0] = 0
    return words + 1


cdef bytes vector_of(list auxv, unsigned long execfn, unsigned long platform, unsigned long random_at):
    cdef Py_ssize_t size = (len(auxv) + 4) * 2 * sizeof(unsigned long)
    cdef bytes made = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned long *words = <unsigned long *> PyBytes_AS_STRING(made)
    memset(words, 0, size)
    for kind, value in auxv + [(AT_EXECFN, execfn), (AT_PLATFORM, platform), (AT_NULL, 0)]:
        if kind == AT_HWCAP2:
            words[0], words[1] = AT_RANDOM, random_at
            words += 2
        words[0], words[1] = kind, value
        words += 2
    return made


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
