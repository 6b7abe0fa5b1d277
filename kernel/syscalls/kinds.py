# SPDX-License-Identifier: Apache-2.0
"""Argument kinds: what the annotation of a handler's parameter says about the register behind it.

A register holds 64 bits; each kind says how Linux reads them. Never convert by hand in a handler.
"""


class Int(int):
    """int: the low 32 bits, signed."""


class UInt(int):
    """unsigned int, mode_t, uid_t...: the low 32 bits."""


class Long(int):
    """long, off_t: 64 bits, signed."""


class ULong(int):
    """unsigned long: 64 bits."""


class Size(int):
    """size_t: 64 bits, unsigned."""


class Fd(int):
    """A descriptor number, not looked up."""


class Ptr(int):
    """A guest address; 0 is NULL."""


class Out(int):
    """A guest address that the call writes to."""


class Path(bytes):
    """A path, copied in: bytes without the NUL. ENAMETOOLONG past 4095, EFAULT. Empty is allowed."""


class OptPath(bytes):
    """A path or NULL (None)."""


class OpenFile:
    """The fs.vfs.file.File behind a descriptor; EBADF if there is none or it was opened with O_PATH."""


class AnyFile:
    """The File behind a descriptor, O_PATH included; EBADF."""
