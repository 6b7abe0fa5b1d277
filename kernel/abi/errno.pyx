# SPDX-License-Identifier: Apache-2.0
"""Error numbers, and the exception that carries one through Python code."""

import posix


cdef class Errno(Exception):
    """An error that a system call answers with: `raise Errno(EBADF)`, a new object for every raise."""

    def __init__(self, int number):
        self.number = number

    def __str__(self):
        return posix.strerror(self.number)
