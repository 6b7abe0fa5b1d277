# SPDX-License-Identifier: Apache-2.0
# What is known of an ELF file.

cdef class Segment:
    cdef readonly unsigned long vaddr
    cdef readonly unsigned long memsz
    cdef readonly unsigned long filesz
    cdef readonly unsigned long offset
    cdef readonly int prot


cdef class Elf:
    cdef readonly bint dynamic           # ET_DYN: can be put anywhere
    cdef readonly unsigned long entry
    cdef readonly unsigned long phdr     # address of the program headers, before relocation; 0 if no segment has them
    cdef readonly int phnum
    cdef readonly list segments
    cdef readonly bytes interpreter      # PT_INTERP; None
    cdef readonly bint executable_stack
    cdef readonly unsigned long align    # the largest of a PT_LOAD, at least a page
    cdef readonly unsigned long low      # page of the lowest segment, before relocation
    cdef readonly unsigned long high     # page behind the highest
