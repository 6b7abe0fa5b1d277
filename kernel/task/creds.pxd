# SPDX-License-Identifier: Apache-2.0
# Credentials: immutable once attached to a task; a change makes a copy.

cdef class Creds:
    cdef public unsigned int uid
    cdef public unsigned int gid
    cdef public unsigned int euid
    cdef public unsigned int egid
    cdef public unsigned int suid
    cdef public unsigned int sgid
    cdef public unsigned int fsuid
    cdef public unsigned int fsgid
    cdef public frozenset groups         # supplementary
    cdef public unsigned long cap_permitted
    cdef public unsigned long cap_effective
    cdef public unsigned long cap_inheritable
    cdef public unsigned long cap_bounding
    cdef public unsigned long cap_ambient
    cdef public unsigned int securebits
    cpdef Creds copy(self)
    cpdef bint capable(self, int capability)
    cpdef bint in_group(self, unsigned int gid)      # fsgid or supplementary: for file permission
