# SPDX-License-Identifier: Apache-2.0
# Handlers of plain 9P2000.L.

from gofer.fid cimport Fid
from gofer.session cimport Session


cdef class Server(Session):
    cdef Fid opened(self, unsigned int number)
    cdef bytes entries(self, Fid fid, unsigned long offset, unsigned int count, bint with_attributes)
    cdef tuple made(self, Fid directory, bytes name, unsigned int mode, unsigned long rdev, unsigned int gid, bytes target)
