# SPDX-License-Identifier: Apache-2.0
"""The window of a thread during one request, as the sentry sees it: pieces of guest memory that travelled with the request, and pieces
that will travel with the answer.

It is a cache in front of the space's read() and write(), so no handler knows of it. What it can't answer goes to the guest's memory.
Incoming pieces are the sentry's own copies. Outgoing ones were probed by the guest's own thread, which copies them out before it goes on;
whoever else reads them earlier makes space.pyx write them at once. It is valid only while the request is being served the first time.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from kernel.platform.x86_64.abi cimport NR_PIECES, WINDOW_SIZE, piece


cdef class Window:
    """One for all: a request is served to its end, or until it waits, before the next one is taken."""

    def __cinit__(self):
        memset(&self.here, 0, sizeof(self.here))

    def __dealloc__(self):
        free(self.data)

    cdef bint begin(self) noexcept:
        cdef int i
        if self.data == NULL:
            self.data = <char *> malloc(WINDOW_SIZE)
        self.dirty = False
        for i in range(NR_PIECES):
            self.filled[i] = 0
        return self.data != NULL

    cdef long read(self, unsigned long address, void *into, unsigned long length) noexcept:
        """Bytes of an incoming piece, or 0."""
        cdef unsigned int i
        cdef piece *p
        cdef unsigned long at
        for i in range(self.here.nr_in):
            p = &self.here.incoming[i]
            at = address - p.address
            if at < p.length and (length <= p.length - at or self.is_string[i]):
                length = min(length, p.length - at)      # of a string: who asks for more looks for its end
                memcpy(into, self.data + p.offset + at, length)
                return length
        return 0

    cdef int piece_for(self, unsigned long address, unsigned long length) noexcept:
        """The outgoing piece that can take these bytes in order, or -1."""
        cdef unsigned int i
        cdef unsigned long at
        for i in range(self.here.nr_out):
            at = address - self.here.outgoing[i].address
            if at <= self.filled[i] and length <= self.here.outgoing[i].length - at:
                return i
        return -1

    cdef bint touches(self, unsigned long address, unsigned long length) noexcept:
        """Do these bytes lie in what waits to be copied out?"""
        cdef unsigned int i
        for i in range(self.here.nr_out):
            if (self.filled[i] and address < self.here.outgoing[i].address + self.filled[i]
                    and self.here.outgoing[i].address < address + length):
                return True
        return False

    cdef void forget_in(self, unsigned long address, unsigned long length) noexcept:
        """These bytes of guest memory change."""
        cdef unsigned int i
        cdef piece *p
        for i in range(self.here.nr_in):
            p = &self.here.incoming[i]
            if address < p.address + p.length and p.address < address + length:
                p.length = 0
