# SPDX-License-Identifier: Apache-2.0
"""The program of a traced process: one page, made here byte by byte, with an ELF header in front.

A process is born waiting in pause(2). From then on it runs guest code, or one of two instructions that end in a trap: a system call,
which makes any host call that the kernel orders, and a compare-and-exchange.
"""

import struct

PAGE = 0x7FFFFF000000  # SHIM_BASE; guest memory ends far below
DATA = 0x7FFFFF001000
PAGE_SIZE = 0x1000
NAME = b"runsc-stub"

WAIT = (0x100, bytes.fromhex("b8220000000f05ebf7"))  # mov $34, %eax; syscall; jmp back
CALL = (0x140, bytes.fromhex("0f05cc"))  # syscall; int3
EXCHANGE = (0x160, bytes.fromhex("f00fb117cc"))  # lock cmpxchg %edx, (%rdi); int3
TITLE = (0x180, NAME + b"\0")

CALL_AT = PAGE + CALL[0]
EXCHANGE_AT = PAGE + EXCHANGE[0]
TITLE_AT = PAGE + TITLE[0]


def program():
    """An executable file."""
    page = bytearray(PAGE_SIZE)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    page[:64] = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, PAGE + WAIT[0], 64, 0, 0, 64, 56, 1, 0, 0, 0)
    page[64:120] = struct.pack("<IIQQQQQQ", 1, 5, 0, PAGE, PAGE, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE)
    for offset, text in (WAIT, CALL, EXCHANGE, TITLE):
        page[offset : offset + len(text)] = text
    return bytes(page)
