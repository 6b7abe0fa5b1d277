# SPDX-License-Identifier: Apache-2.0
"""Permission to use files: mode bits, ownership and the capabilities that override them (path_resolution(7), capabilities(7))."""

from kernel.abi.errno cimport EACCES, EPERM, Errno
from kernel.abi.fs cimport MAY_EXEC, MAY_READ, MAY_WRITE, S_IFDIR, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP
from kernel.abi.task cimport CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID

cdef enum:
    ANY_EXECUTE = 0o111


cdef bint allowed(Inode inode, Creds creds, int mask) noexcept:
    """creds may do all of mask (MAY_READ | MAY_WRITE | MAY_EXEC) to inode."""
    cdef unsigned int mode = inode.mode
    if creds.fsuid == inode.uid:
        mode >>= 6
    elif mode & 0o070 != mode << 3 & 0o070 and creds.in_group(inode.gid):
        mode >>= 3
    return mask & ~mode & 7 == 0 or overridden(inode, creds, mask)


cdef bint overridden(Inode inode, Creds creds, int mask) noexcept:
    cdef bint directory = inode.mode & S_IFMT == S_IFDIR
    if mask & MAY_WRITE == 0 and (directory or mask == MAY_READ) and creds.cap_effective >> CAP_DAC_READ_SEARCH & 1:
        return True
    if mask & MAY_EXEC and not directory and inode.mode & ANY_EXECUTE == 0:
        return False
    return creds.cap_effective >> CAP_DAC_OVERRIDE & 1


cpdef may(Inode inode, Creds creds, int mask):
    """EACCES unless creds may do all of mask to inode."""
    if not allowed(inode, creds, mask):
        raise Errno(EACCES)


cpdef may_create(Inode directory, Creds creds):
    """EACCES unless creds may add an entry."""
    may(directory, creds, MAY_WRITE | MAY_EXEC)


cpdef may_delete(Inode directory, Inode victim, Creds creds):
    """EACCES unless creds may remove an entry; EPERM for somebody else's in a sticky directory."""
    may(directory, creds, MAY_WRITE | MAY_EXEC)
    if directory.mode & S_ISVTX and creds.fsuid != victim.uid and creds.fsuid != directory.uid and not creds.capable(CAP_FOWNER):
        raise Errno(EPERM)


cpdef bint owns(Inode inode, Creds creds):
    """creds are the owner's, or count as such."""
    return creds.fsuid == inode.uid or creds.capable(CAP_FOWNER)


cpdef tuple new_owner(Inode directory, unsigned int mode, Creds creds):
    """(uid, gid, mode) of an object to be made in directory: a set-gid directory hands down its group."""
    if not directory.mode & S_ISGID:
        return creds.fsuid, creds.fsgid, mode
    if mode & S_IFMT == S_IFDIR:
        mode |= S_ISGID
    elif mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP and not creds.in_group(directory.gid) and not creds.capable(CAP_FSETID):
        mode &= ~S_ISGID
    return creds.fsuid, directory.gid, mode


cpdef unsigned int without_privileges(Inode inode, Creds creds, bint ownership_changes):
    """The mode that remains when inode's contents or, with ownership_changes, its owner changes: set-uid and set-gid go."""
    cdef unsigned int mode = inode.mode
    if mode & S_IFMT != S_IFREG or mode & (S_ISUID | S_ISGID) == 0:
        return mode
    if not ownership_changes and creds.capable(CAP_FSETID):
        return mode
    mode &= ~S_ISUID
    if mode & S_IXGRP or not creds.in_group(inode.gid) and not creds.capable(CAP_FSETID):
        mode &= ~S_ISGID
    return mode


cpdef remove_privileges(Inode inode, Creds creds):
    """Contents change: set-uid and set-gid go, unless creds have CAP_FSETID."""
    if inode.mode & (S_ISUID | S_ISGID):
        mode = without_privileges(inode, creds, False)
        if mode != inode.mode:
            inode.setattr({"mode": mode & ~S_IFMT})
