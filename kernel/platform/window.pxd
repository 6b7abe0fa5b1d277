# SPDX-License-Identifier: Apache-2.0
# What came with a request, and what goes with its answer.

from kernel.platform.x86_64.abi cimport NR_PIECES, piece, window


cdef class Window:
    cdef window here                     # the sentry's copy: checked, never read again from the slot
    cdef bint is_string[NR_PIECES]       # of each incoming piece
    cdef unsigned int filled[NR_PIECES]  # bytes of each outgoing piece that were written, from its beginning
    cdef bint dirty                      # something was
    cdef char *data                      # copies of the incoming pieces, at their offsets

    cdef bint begin(self) noexcept       # memory for it is there
    cdef long read(self, unsigned long address, void *into, unsigned long length) noexcept
    cdef int piece_for(self, unsigned long address, unsigned long length) noexcept
    cdef bint touches(self, unsigned long address, unsigned long length) noexcept
    cdef void forget_in(self, unsigned long address, unsigned long length) noexcept
