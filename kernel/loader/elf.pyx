# SPDX-License-Identifier: Apache-2.0
"""ELF64 for x86-64, read from hostile bytes: elf(5), as far as execve needs it.

parse() checks everything that the loader later relies on: sizes, sums and addresses fit into the guest's address space, alignments are
powers of two. Sections, relocations and symbols are the dynamic linker's business.
"""

from libc.string cimport memcpy

from kernel.abi.errno cimport EINVAL, EIO, ENOEXEC, Errno
from kernel.abi.mm cimport PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE

cdef extern from "<elf.h>" nogil:
    ctypedef struct Elf64_Ehdr:
        unsigned char e_ident[16]
        unsigned short e_type
        unsigned short e_machine
        unsigned long e_entry
        unsigned long e_phoff
        unsigned short e_phentsize
        unsigned short e_phnum
    ctypedef struct Elf64_Phdr:
        unsigned int p_type
        unsigned int p_flags
        unsigned long p_offset
        unsigned long p_vaddr
        unsigned long p_filesz
        unsigned long p_memsz
        unsigned long p_align
    enum:
        ET_EXEC
        ET_DYN
        EM_X86_64
        PT_LOAD
        PT_INTERP
        PT_GNU_STACK
        PF_R
        PF_W
        PF_X

cdef enum:
    MAX_PHDRS_SIZE = 65536
    PATH_MAX = 4096


cdef class Segment:
    """One PT_LOAD."""


cdef class Elf:
    """What execve needs of a program."""


def is_elf(bytes head):
    """The file begins as an ELF file does."""
    return head.startswith(b"\x7fELF")


def parse(bytes head, read, unsigned long guest_end):
    """The Elf behind the first bytes of a file; read(offset, length) -> bytes gives the rest.

    Errno: ENOEXEC for what is no program of this machine, EINVAL or EIO for one that is broken.
    """
    cdef Elf64_Ehdr header
    cdef Elf elf = Elf()
    if len(head) < <Py_ssize_t> sizeof(header):
        raise Errno(ENOEXEC)
    memcpy(&header, <const char *> head, sizeof(header))
    if not is_elf(head) or header.e_ident[4] != 2 or header.e_ident[5] != 1 or header.e_machine != EM_X86_64:
        raise Errno(ENOEXEC)
    if header.e_type != ET_EXEC and header.e_type != ET_DYN:
        raise Errno(ENOEXEC)
    if header.e_phentsize != sizeof(Elf64_Phdr) or not 0 < header.e_phnum * sizeof(Elf64_Phdr) <= MAX_PHDRS_SIZE:
        raise Errno(ENOEXEC)
    elf.dynamic = header.e_type == ET_DYN
    elf.entry, elf.phnum = header.e_entry, header.e_phnum
    elf.segments = []
    elf.align = PAGE_SIZE
    table = read_exactly(read, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr))
    read_table(elf, table, read, header.e_phoff, guest_end)
    if not elf.segments:
        raise Errno(ENOEXEC)
    return elf


cdef int read_table(Elf elf, bytes table, read, unsigned long phoff, unsigned long guest_end) except -1:
    """All program headers."""
    cdef Elf64_Phdr header
    cdef int i
    for i in range(elf.phnum):
        memcpy(&header, <const char *> table + i * sizeof(header), sizeof(header))
        if header.p_type == PT_LOAD:
            add_segment(elf, &header, phoff, guest_end)
        elif header.p_type == PT_INTERP and elf.interpreter is None:
            elf.interpreter = read_interpreter(read, header.p_offset, header.p_filesz)
        elif header.p_type == PT_GNU_STACK:
            elf.executable_stack = header.p_flags & PF_X != 0
    return 0


cdef int add_segment(Elf elf, Elf64_Phdr *header, unsigned long phoff, unsigned long guest_end) except -1:
    """One PT_LOAD: ranges can't wrap, and the file's page offset is the address's."""
    cdef Segment segment = Segment()
    if header.p_filesz > header.p_memsz or header.p_memsz >= guest_end or header.p_vaddr >= guest_end - header.p_memsz:
        raise Errno(EINVAL)
    if header.p_filesz and ((header.p_offset ^ header.p_vaddr) & (PAGE_SIZE - 1) or header.p_offset >> 62):
        raise Errno(EINVAL)
    if header.p_memsz == 0:
        return 0
    segment.vaddr, segment.memsz, segment.filesz, segment.offset = header.p_vaddr, header.p_memsz, header.p_filesz, header.p_offset
    segment.prot = ((PROT_READ if header.p_flags & PF_R else 0) | (PROT_WRITE if header.p_flags & PF_W else 0)
                    | (PROT_EXEC if header.p_flags & PF_X else 0))
    start = header.p_vaddr & ~<unsigned long> (PAGE_SIZE - 1)
    end = (header.p_vaddr + header.p_memsz + PAGE_SIZE - 1) & ~<unsigned long> (PAGE_SIZE - 1)
    elf.low = min(elf.low, start) if elf.segments else start
    elf.high = max(elf.high, end)
    if header.p_align & (header.p_align - 1) == 0 and elf.align < header.p_align < guest_end:
        elf.align = header.p_align
    if header.p_offset <= phoff and phoff - header.p_offset < header.p_filesz and not elf.phdr:
        elf.phdr = phoff - header.p_offset + header.p_vaddr
    elf.segments.append(segment)
    return 0


cdef bytes read_interpreter(read, unsigned long offset, unsigned long length):
    """PT_INTERP: a path with its NUL."""
    if not 2 <= length <= PATH_MAX:
        raise Errno(ENOEXEC)
    path = read_exactly(read, offset, length)
    if path[length - 1] != 0:
        raise Errno(ENOEXEC)
    return path[:path.index(0)]


cdef bytes read_exactly(read, unsigned long offset, unsigned long length):
    if offset >> 62:
        raise Errno(EINVAL)
    data = read(offset, length)
    if <unsigned long> len(data) != length:
        raise Errno(EIO)
    return data
