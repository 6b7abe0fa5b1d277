# SPDX-License-Identifier: Apache-2.0
"""Credentials of a task: ids, groups, capability sets (credentials(7), capabilities(7)).

A Creds object is never changed once a task holds it: whoever changes credentials works on a copy and puts it in place.
"""


cdef class Creds:
    """uids, gids and capabilities."""

    def __init__(self, unsigned int uid=0, unsigned int gid=0, groups=(), unsigned long capabilities=0):
        self.uid = self.euid = self.suid = self.fsuid = uid
        self.gid = self.egid = self.sgid = self.fsgid = gid
        self.groups = frozenset(groups)
        self.cap_permitted = self.cap_effective = self.cap_bounding = capabilities

    cpdef Creds copy(self):
        """A copy to be changed before it is attached."""
        cdef Creds new = Creds.__new__(Creds)
        new.uid, new.euid, new.suid, new.fsuid = self.uid, self.euid, self.suid, self.fsuid
        new.gid, new.egid, new.sgid, new.fsgid = self.gid, self.egid, self.sgid, self.fsgid
        new.groups = self.groups
        new.cap_permitted = self.cap_permitted
        new.cap_effective = self.cap_effective
        new.cap_inheritable = self.cap_inheritable
        new.cap_bounding = self.cap_bounding
        new.cap_ambient = self.cap_ambient
        new.securebits = self.securebits
        return new

    cpdef bint capable(self, int capability):
        """CAP_* is in the effective set."""
        return self.cap_effective >> capability & 1

    cpdef bint in_group(self, unsigned int gid):
        """gid is the file system gid or a supplementary group."""
        return gid == self.fsgid or gid in self.groups
