# SPDX-License-Identifier: Apache-2.0
"""`#!` scripts, by Linux's rules (fs/binfmt_script.c): one interpreter, at most one argument, all within the first 256 bytes."""

from kernel.abi.errno import ENOEXEC, Errno

BINPRM_BUF_SIZE = 256
BLANKS = b" \t"


def is_script(head):
    """The file begins with #!."""
    return head.startswith(b"#!")


def parse(head):
    """(interpreter, argument or None) of the first bytes of a script; ENOEXEC if the line names none or may be cut off."""
    line = head[2:BINPRM_BUF_SIZE].ljust(BINPRM_BUF_SIZE - 2, b"\0")
    end = line.find(b"\n")
    if end < 0:
        end = cut_off_end(line)
    line = line[:end].strip(BLANKS)
    if not line or line[0] == 0:
        raise Errno(ENOEXEC)
    separator = min((at for at in map(line.find, (b" ", b"\t", b"\0")) if at >= 0), default=len(line))
    interpreter, rest = line[:separator], line[separator:]
    if not rest or rest[0] == 0:
        return interpreter, None
    argument = rest.lstrip(BLANKS).split(b"\0", 1)[0]
    return interpreter, argument


def cut_off_end(line):
    """Without a newline in the buffer: fine if at least the interpreter's name ends inside."""
    start = len(line) - len(line.lstrip(BLANKS))
    name = line[start:-1]
    if start >= len(line) - 1 or not any(blank in name for blank in (b" ", b"\t", b"\0")):
        raise Errno(ENOEXEC)
    return len(line) - 1
