# SPDX-License-Identifier: Apache-2.0
"""What System V shared memory, semaphores and message queues have in common: identifiers, keys, owners (svipc(7), ipc/util.c)."""

import struct

from kernel.abi.errno import EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM, Errno
from kernel.abi.task import CAP_IPC_OWNER, CAP_SYS_ADMIN

IPC_PRIVATE = 0
IPC_CREAT = 0o1000
IPC_EXCL = 0o2000
IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO = 0, 1, 2, 3
IPC_64 = 0x100
SEQUENCE = 32768
PERM = struct.Struct("<iIIIIIHH4xQQ")  # struct ipc64_perm


class IpcObject:
    """One object: its key, owner, creator and mode."""

    def __init__(self, creds, key, mode):
        self.key = key
        self.uid = self.cuid = creds.euid
        self.gid = self.cgid = creds.egid
        self.mode = mode & 0o777
        self.id = 0

    def pack_perm(self):
        """struct ipc64_perm."""
        return PERM.pack(self.key, self.uid, self.gid, self.cuid, self.cgid, self.mode, self.id // SEQUENCE, 0, 0, 0)

    def owners(self):
        """As /proc/sysvipc shows them."""
        return f"{self.uid:5} {self.gid:5} {self.cuid:5} {self.cgid:5}"

    def check(self, creds, wanted):
        """EACCES unless the permission bits `wanted` (any of the nine) are granted."""
        requested = (wanted >> 6 | wanted >> 3 | wanted) & 7
        granted = self.mode
        if creds.euid in (self.uid, self.cuid):
            granted >>= 6
        elif creds.in_group(self.gid) or creds.in_group(self.cgid):
            granted >>= 3
        if requested & ~granted and not creds.capable(CAP_IPC_OWNER):
            raise Errno(EACCES)

    def check_owner(self, creds):
        """EPERM unless the caller owns or made it."""
        if creds.euid not in (self.uid, self.cuid) and not creds.capable(CAP_SYS_ADMIN):
            raise Errno(EPERM)

    def set_perm(self, data):
        """IPC_SET: uid, gid and mode of a struct ipc64_perm."""
        _, self.uid, self.gid, _, _, mode, *_ = PERM.unpack(data[: PERM.size])
        self.mode = self.mode & ~0o777 | mode & 0o777


class IpcTable:
    """The objects of one kind in one namespace. An identifier is index + 32768 * how often identifiers were given out."""

    def __init__(self, limit):
        self.limit = limit
        self.objects = {}  # index -> object
        self.keys = {}  # key -> object
        self.sequence = 0

    def find(self, identifier):
        """The object; EINVAL."""
        found = self.objects.get(identifier % SEQUENCE) if identifier >= 0 else None
        if found is None or found.id != identifier:
            raise Errno(EINVAL)
        return found

    def at(self, index):
        """The object at an index (SHM_STAT and the like); EINVAL."""
        if index not in self.objects:
            raise Errno(EINVAL)
        return self.objects[index]

    def highest(self):
        """The highest index in use, 0 if none."""
        return max(self.objects, default=0)

    def get(self, key, flags, creds, check, make):
        """The object of a key, checked by check(object), or a new one by make(): as shmget(2) and its sisters."""
        found = self.keys.get(key) if key != IPC_PRIVATE else None
        if found is not None:
            if flags & IPC_CREAT and flags & IPC_EXCL:
                raise Errno(EEXIST)
            check(found)
            found.check(creds, flags & 0o777)
            return found
        if key != IPC_PRIVATE and not flags & IPC_CREAT:
            raise Errno(ENOENT)
        if len(self.objects) >= self.limit:
            raise Errno(ENOSPC)
        return self.add(make())

    def add(self, made):
        """Give an identifier."""
        index = next(index for index in range(len(self.objects) + 1) if index not in self.objects)
        made.id = index + self.sequence * SEQUENCE
        self.sequence = (self.sequence + 1) % 0x8000
        self.objects[index] = made
        if made.key != IPC_PRIVATE:
            self.keys[made.key] = made
        return made

    def forget_key(self, item):
        """Its key is free for others."""
        if self.keys.get(item.key) is item:
            del self.keys[item.key]

    def remove(self, item):
        """No identifier leads to it any more."""
        self.forget_key(item)
        self.objects.pop(item.id % SEQUENCE, None)


def table(task, kind, limit):
    """The table of a kind in the task's namespace."""
    return task.ipc.tables.setdefault(kind, IpcTable(limit))
