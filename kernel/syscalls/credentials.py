# SPDX-License-Identifier: Apache-2.0
"""User and group ids, supplementary groups, capabilities, process groups and sessions."""

import struct

from kernel.abi.errno import EACCES, EINVAL, EPERM, ESRCH, Errno
from kernel.abi.task import CAP_SETGID, CAP_SETPCAP, CAP_SETUID, SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP
from kernel.syscalls.kinds import Int, Out, Ptr, UInt
from kernel.syscalls.table import syscall
from kernel.task.group import ProcessGroup

UNCHANGED = 0xFFFFFFFF
NGROUPS_MAX = 65536
FS_CAPS = 0x10F | 1 << 9 | 1 << 27
CAPABILITY_VERSIONS = {0x19980330: 1, 0x20071026: 2, 0x20080522: 2}
ALL_CAPS = (1 << 41) - 1


def attach(task, creds, old):
    """Put changed ids in place, with what Linux does to capabilities (capabilities(7), "Effect of user ID changes")."""
    if not creds.securebits & SECBIT_NO_SETUID_FIXUP:
        fix_capabilities(task, creds, old)
    if (creds.euid, creds.egid, creds.fsuid, creds.fsgid) != (old.euid, old.egid, old.fsuid, old.fsgid):
        task.group.dumpable = 0
        task.pdeath_signal = 0
    task.creds = creds
    return 0


def fix_capabilities(task, creds, old):
    had_root = 0 in (old.uid, old.euid, old.suid)
    has_root = 0 in (creds.uid, creds.euid, creds.suid)
    if had_root and not has_root:
        if not task.keep_caps and not creds.securebits & SECBIT_KEEP_CAPS:
            creds.cap_permitted = creds.cap_effective = 0
        creds.cap_ambient = 0
    if old.euid == 0 and creds.euid != 0:
        creds.cap_effective = 0
    if old.euid != 0 and creds.euid == 0:
        creds.cap_effective = creds.cap_permitted
    fix_fs_capabilities(creds, old)


def fix_fs_capabilities(creds, old):
    """setfsuid's part: the file capabilities come and go with fsuid 0."""
    if old.fsuid == 0 and creds.fsuid != 0:
        creds.cap_effective &= ~FS_CAPS
    if old.fsuid != 0 and creds.fsuid == 0:
        creds.cap_effective |= creds.cap_permitted & FS_CAPS


@syscall(102)
def sys_getuid(task):
    """getuid(2)."""
    return task.creds.uid


@syscall(104)
def sys_getgid(task):
    """getgid(2)."""
    return task.creds.gid


@syscall(107)
def sys_geteuid(task):
    """geteuid(2)."""
    return task.creds.euid


@syscall(108)
def sys_getegid(task):
    """getegid(2)."""
    return task.creds.egid


@syscall(118)
def sys_getresuid(task, ruid: Out, euid: Out, suid: Out):
    """getresuid(2)."""
    for address, value in ((ruid, task.creds.uid), (euid, task.creds.euid), (suid, task.creds.suid)):
        task.copy_out(address, value.to_bytes(4, "little"))


@syscall(120)
def sys_getresgid(task, rgid: Out, egid: Out, sgid: Out):
    """getresgid(2)."""
    for address, value in ((rgid, task.creds.gid), (egid, task.creds.egid), (sgid, task.creds.sgid)):
        task.copy_out(address, value.to_bytes(4, "little"))


@syscall(105)
def sys_setuid(task, uid: UInt):
    """setuid(2)."""
    check_id(uid)
    old, creds = task.creds, task.creds.copy()
    if old.capable(CAP_SETUID):
        creds.uid = creds.euid = creds.suid = creds.fsuid = uid
    elif uid in (old.uid, old.suid):
        creds.euid = creds.fsuid = uid
    else:
        raise Errno(EPERM)
    return attach(task, creds, old)


@syscall(106)
def sys_setgid(task, gid: UInt):
    """setgid(2)."""
    check_id(gid)
    old, creds = task.creds, task.creds.copy()
    if old.capable(CAP_SETGID):
        creds.gid = creds.egid = creds.sgid = creds.fsgid = gid
    elif gid in (old.gid, old.sgid):
        creds.egid = creds.fsgid = gid
    else:
        raise Errno(EPERM)
    return attach(task, creds, old)


def check_id(number):
    """-1 is no id."""
    if number == UNCHANGED:
        raise Errno(EINVAL)


@syscall(113)
def sys_setreuid(task, ruid: UInt, euid: UInt):
    """setreuid(2)."""
    old, creds = task.creds, task.creds.copy()
    fits = ruid in (UNCHANGED, old.uid, old.euid) and euid in (UNCHANGED, old.uid, old.euid, old.suid)
    if not fits and not old.capable(CAP_SETUID):
        raise Errno(EPERM)
    if ruid != UNCHANGED:
        creds.uid = ruid
    if euid != UNCHANGED:
        creds.euid = euid
    if ruid != UNCHANGED or (euid != UNCHANGED and euid != old.uid):
        creds.suid = creds.euid
    creds.fsuid = creds.euid
    return attach(task, creds, old)


@syscall(114)
def sys_setregid(task, rgid: UInt, egid: UInt):
    """setregid(2)."""
    old, creds = task.creds, task.creds.copy()
    fits = rgid in (UNCHANGED, old.gid, old.egid) and egid in (UNCHANGED, old.gid, old.egid, old.sgid)
    if not fits and not old.capable(CAP_SETGID):
        raise Errno(EPERM)
    if rgid != UNCHANGED:
        creds.gid = rgid
    if egid != UNCHANGED:
        creds.egid = egid
    if rgid != UNCHANGED or (egid != UNCHANGED and egid != old.gid):
        creds.sgid = creds.egid
    creds.fsgid = creds.egid
    return attach(task, creds, old)


@syscall(117)
def sys_setresuid(task, ruid: UInt, euid: UInt, suid: UInt):
    """setresuid(2)."""
    old, creds = task.creds, task.creds.copy()
    if not old.capable(CAP_SETUID) and any(i != UNCHANGED and i not in (old.uid, old.euid, old.suid) for i in (ruid, euid, suid)):
        raise Errno(EPERM)
    creds.uid, creds.euid, creds.suid = [b if a == UNCHANGED else a for a, b in ((ruid, old.uid), (euid, old.euid), (suid, old.suid))]
    creds.fsuid = creds.euid
    return attach(task, creds, old)


@syscall(119)
def sys_setresgid(task, rgid: UInt, egid: UInt, sgid: UInt):
    """setresgid(2)."""
    old, creds = task.creds, task.creds.copy()
    if not old.capable(CAP_SETGID) and any(i != UNCHANGED and i not in (old.gid, old.egid, old.sgid) for i in (rgid, egid, sgid)):
        raise Errno(EPERM)
    creds.gid, creds.egid, creds.sgid = [b if a == UNCHANGED else a for a, b in ((rgid, old.gid), (egid, old.egid), (sgid, old.sgid))]
    creds.fsgid = creds.egid
    return attach(task, creds, old)


@syscall(122)
def sys_setfsuid(task, uid: UInt):
    """setfsuid(2): answers the old id, whatever happens."""
    old, creds = task.creds, task.creds.copy()
    if uid != UNCHANGED and (uid in (old.uid, old.euid, old.suid, old.fsuid) or old.capable(CAP_SETUID)):
        creds.fsuid = uid
        fix_fs_capabilities(creds, old)
        task.creds = creds
    return old.fsuid


@syscall(123)
def sys_setfsgid(task, gid: UInt):
    """setfsgid(2)."""
    old, creds = task.creds, task.creds.copy()
    if gid != UNCHANGED and (gid in (old.gid, old.egid, old.sgid, old.fsgid) or old.capable(CAP_SETGID)):
        creds.fsgid = gid
        task.creds = creds
    return old.fsgid


@syscall(115)
def sys_getgroups(task, size: Int, address: Out):
    """getgroups(2)."""
    groups = sorted(task.creds.groups)
    if size < 0:
        raise Errno(EINVAL)
    if size:
        if size < len(groups):
            raise Errno(EINVAL)
        task.copy_out(address, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


@syscall(116)
def sys_setgroups(task, size: Int, address: Ptr):
    """setgroups(2)."""
    if not task.creds.capable(CAP_SETGID):
        raise Errno(EPERM)
    if not 0 <= size <= NGROUPS_MAX:
        raise Errno(EINVAL)
    creds = task.creds.copy()
    creds.groups = frozenset(struct.unpack(f"<{size}I", task.copy_in(address, 4 * size)))
    task.creds = creds


def capability_header(task, header):
    """(number of 32-bit words, pid) of a cap_user_header_t; an unknown version is answered with ours."""
    version, pid = struct.unpack("<Ii", task.copy_in(header, 8))
    if version not in CAPABILITY_VERSIONS:
        task.copy_out(header, struct.pack("<I", 0x20080522))
        return 0, pid
    return CAPABILITY_VERSIONS[version], pid


@syscall(125)
def sys_capget(task, header: Ptr, data: Out):
    """capget(2)."""
    words, pid = capability_header(task, header)
    if not words:
        if data:
            raise Errno(EINVAL)
        return
    if pid < 0:
        raise Errno(EINVAL)
    other = task if pid == 0 else task.kernel.tasks.get(pid)
    if other is None:
        raise Errno(ESRCH)
    sets = (other.creds.cap_effective, other.creds.cap_permitted, other.creds.cap_inheritable)
    if data:
        parts = [[(value >> shift) & 0xFFFFFFFF for value in sets] for shift in range(0, 32 * words, 32)]
        task.copy_out(data, b"".join([struct.pack("<3I", *part) for part in parts]))


@syscall(126)
def sys_capset(task, header: Ptr, data: Ptr):
    """capset(2)."""
    words, pid = capability_header(task, header)
    if not words:
        raise Errno(EINVAL)
    if pid not in (0, task.tid):
        raise Errno(EPERM)
    low = struct.unpack(f"<{3 * words}I", task.copy_in(data, 12 * words))
    effective, permitted, inheritable = [(low[i] | (low[i + 3] << 32 if words == 2 else 0)) & ALL_CAPS for i in range(3)]
    old, creds = task.creds, task.creds.copy()
    if permitted & ~old.cap_permitted or effective & ~permitted:
        raise Errno(EPERM)
    if inheritable & ~(old.cap_inheritable | (old.cap_bounding if old.capable(CAP_SETPCAP) else old.cap_permitted)):
        raise Errno(EPERM)
    creds.cap_effective, creds.cap_permitted, creds.cap_inheritable = effective, permitted, inheritable
    creds.cap_ambient &= permitted & inheritable
    task.creds = creds


def group_of(task, pid):
    """The process `pid`, or the caller's for 0; ESRCH."""
    group = task.group if pid == 0 else task.kernel.groups.get(pid)
    if group is None:
        raise Errno(ESRCH)
    return group


@syscall(109)
def sys_setpgid(task, pid: Int, pgid: Int):
    """setpgid(2)."""
    if pgid < 0:
        raise Errno(EINVAL)
    group = group_of(task, pid)
    own = task.group
    if group is not own and group.parent is not own:
        raise Errno(ESRCH)
    if group is not own and group.pgrp.session is not own.pgrp.session:
        raise Errno(EPERM)
    if group is not own and group.execed:
        raise Errno(EACCES)
    if group.pgrp.session.leader is group:
        raise Errno(EPERM)
    number = pgid or group.pid
    pgrp = task.kernel.pgrps.get(number)
    if number != group.pid and (pgrp is None or pgrp.session is not own.pgrp.session):
        raise Errno(EPERM)
    if pgrp is not group.pgrp or pgrp is None:
        group.join(pgrp or ProcessGroup(number, group.pgrp.session))


@syscall(121)
def sys_getpgid(task, pid: Int):
    """getpgid(2)."""
    return group_of(task, pid).pgrp.pgid


@syscall(111)
def sys_getpgrp(task):
    """getpgrp(2)."""
    return task.group.pgrp.pgid


@syscall(124)
def sys_getsid(task, pid: Int):
    """getsid(2)."""
    return group_of(task, pid).pgrp.session.sid


@syscall(112)
def sys_setsid(task):
    """setsid(2)."""
    if task.group.pid in task.kernel.pgrps:
        raise Errno(EPERM)
    return task.group.new_session().sid
