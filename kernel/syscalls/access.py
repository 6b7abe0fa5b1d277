# SPDX-License-Identifier: Apache-2.0
"""May one task look into another (ptrace(2), "Ptrace access mode checking": PTRACE_MODE_ATTACH_REALCREDS)."""

from kernel.abi.task import CAP_SYS_PTRACE


def may_access(task, other):
    """The caller's real ids are all ids of the target and the target is dumpable; or CAP_SYS_PTRACE."""
    if task.group is other.group:
        return True
    mine, theirs = task.creds, other.creds
    if mine.capable(CAP_SYS_PTRACE):
        return True
    same = mine.uid == theirs.uid == theirs.euid == theirs.suid and mine.gid == theirs.gid == theirs.egid == theirs.sgid
    return same and bool(other.group.dumpable) and not theirs.cap_permitted & ~mine.cap_permitted
