# SPDX-License-Identifier: Apache-2.0
"""What execve makes of credentials: set-user-ID and set-group-ID files, file capabilities, capabilities of root (capabilities(7)).

After security/commoncap.c: cap_bprm_creds_from_file. Absent: namespaced file capabilities (revision 3) of other user namespaces.
"""

import struct

from kernel.abi.errno cimport EPERM, Errno
from kernel.abi.fs cimport MS_NOSUID
from kernel.abi.task cimport CAP_SETUID, SECBIT_NOROOT
from kernel.task.creds cimport Creds

S_ISUID, S_ISGID, S_IXGRP = 0o4000, 0o2000, 0o010
VFS_CAP_REVISION_MASK = 0xFF000000
VFS_CAP_REVISION_2 = 0x02000000
VFS_CAP_REVISION_3 = 0x03000000
VFS_CAP_FLAGS_EFFECTIVE = 1


def credentials(task, file):
    """(creds, secure, raised) of the program in file: what it runs with, AT_SECURE, and whether it may not be dumped."""
    cdef Creds old = task.creds, new = old.copy()
    trusted = not (file.path is not None and file.path.mount is not None and file.path.mount.flags & MS_NOSUID)
    if trusted and not task.no_new_privs:
        set_ids(new, file.inode)
    new.cap_permitted, has_file_caps, effective = file_capabilities(old, file.inode) if trusted else (0, False, False)
    if not old.securebits & SECBIT_NOROOT and not (has_file_caps and new.uid != 0 and new.euid == 0):
        if new.euid == 0 or new.uid == 0:
            new.cap_permitted = old.cap_bounding | old.cap_inheritable
        effective = effective or new.euid == 0
    is_setid = new.euid != old.uid or new.egid != old.gid
    if (is_setid or new.cap_permitted & ~old.cap_permitted) and restrained(task):
        if task.no_new_privs or not old.capable(CAP_SETUID):
            new.euid, new.egid = new.uid, new.gid
        new.cap_permitted &= old.cap_permitted
    new.suid = new.fsuid = new.euid
    new.sgid = new.fsgid = new.egid
    if has_file_caps or is_setid:
        new.cap_ambient = 0
    new.cap_permitted |= new.cap_ambient
    new.cap_effective = new.cap_permitted if effective else new.cap_ambient
    secure = is_setid or (new.uid != 0 and bool(effective or new.cap_permitted & ~new.cap_ambient))
    return new, secure, secure or new.uid != new.euid or new.gid != new.egid


cdef set_ids(Creds new, inode):
    """The mode bits of the file."""
    if inode.mode & S_ISUID:
        new.euid = inode.uid
    if inode.mode & S_ISGID and inode.mode & S_IXGRP:
        new.egid = inode.gid


cdef restrained(task):
    """Somebody watches who may not see more than the task could: no_new_privs, a tracer."""
    return task.no_new_privs or task.tracer is not None


cdef tuple file_capabilities(Creds old, inode):
    """(permitted, the file has capabilities, they become effective). EPERM if the program needs what the bounding set forbids."""
    try:
        value = inode.getxattr(b"security.capability")
    except Errno:
        return 0, False, False
    if len(value) < 20:
        return 0, False, False
    magic, permitted_low, inheritable_low, permitted_high, inheritable_high = struct.unpack_from("<5I", value)
    if magic & VFS_CAP_REVISION_MASK not in (VFS_CAP_REVISION_2, VFS_CAP_REVISION_3):
        return 0, False, False
    permitted = permitted_low | permitted_high << 32
    inheritable = inheritable_low | inheritable_high << 32
    granted = old.cap_bounding & permitted | old.cap_inheritable & inheritable
    effective = bool(magic & VFS_CAP_FLAGS_EFFECTIVE)
    if effective and permitted & ~granted:
        raise Errno(EPERM)
    return granted, True, effective
