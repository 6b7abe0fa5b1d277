# SPDX-License-Identifier: Apache-2.0
"""What execve makes of credentials (capabilities(7), "Transformation of capabilities during execve()")."""

import struct
from types import SimpleNamespace

import pytest

from kernel.abi.errno import ENODATA, EPERM, Errno
from kernel.abi.fs import MS_NOSUID
from kernel.abi.task import CAP_NET_RAW, CAP_SETUID, SECBIT_NOROOT
from kernel.loader.privileges import credentials
from kernel.task.creds import Creds

ALL = (1 << 41) - 1
SETUID, SETGID = 0o104755, 0o102755


def file_of(mode=0o100755, uid=0, gid=0, caps=None, mount_flags=0):
    """A program; caps: (permitted, inheritable, effective) as the file system keeps them."""

    def getxattr(name):
        if caps is None:
            raise Errno(ENODATA)
        permitted, inheritable, effective = caps
        high = [permitted >> 32, inheritable >> 32]
        return struct.pack("<5I", 0x02000000 | effective, permitted & 0xFFFFFFFF, inheritable & 0xFFFFFFFF, *high)

    path = SimpleNamespace(mount=SimpleNamespace(flags=mount_flags))
    return SimpleNamespace(inode=SimpleNamespace(mode=mode, uid=uid, gid=gid, getxattr=getxattr), path=path)


def task_of(uid=1000, capabilities=0, no_new_privs=False, tracer=None):
    return SimpleNamespace(creds=Creds(uid, uid, (), capabilities), no_new_privs=no_new_privs, tracer=tracer)


def test_an_ordinary_user_stays_one():
    task = task_of()
    creds, secure, raised = credentials(task, file_of())
    assert (creds.uid, creds.euid, creds.cap_permitted, creds.cap_effective, secure, raised) == (1000, 1000, 0, 0, False, False)
    assert creds is not task.creds


def test_root_keeps_its_bounding_set():
    task = task_of(0, ALL)
    task.creds.cap_bounding = 0xFF
    creds, secure, _ = credentials(task, file_of())
    assert (creds.cap_permitted, creds.cap_effective, secure) == (0xFF, 0xFF, False)


def test_a_user_with_capabilities_loses_them():
    creds, _, _ = credentials(task_of(1000, ALL), file_of())
    assert (creds.cap_permitted, creds.cap_effective) == (0, 0)


def test_ambient_capabilities_stay():
    task = task_of(1000, ALL)
    task.creds.cap_inheritable = task.creds.cap_ambient = 1 << CAP_NET_RAW
    creds, secure, _ = credentials(task, file_of())
    assert creds.cap_permitted == creds.cap_effective == creds.cap_ambient == 1 << CAP_NET_RAW
    assert not secure


def test_set_user_id():
    task = task_of()
    task.creds.cap_bounding = ALL
    creds, secure, raised = credentials(task, file_of(SETUID))
    assert (creds.uid, creds.euid, creds.suid, creds.fsuid, creds.cap_effective) == (1000, 0, 0, 0, ALL)
    assert secure
    assert raised
    creds, secure, _ = credentials(task, file_of(SETUID, uid=33))
    assert (creds.euid, creds.cap_effective, secure) == (33, 0, True)


def test_set_group_id_needs_group_execution():
    creds, secure, _ = credentials(task_of(), file_of(SETGID, gid=5))
    assert (creds.egid, creds.sgid, secure) == (5, 5, True)
    creds, secure, _ = credentials(task_of(), file_of(0o102745, gid=5))
    assert (creds.egid, secure) == (1000, False)


@pytest.mark.parametrize("how", [{"no_new_privs": True}, {"tracer": object()}])
def test_watched_tasks_gain_nothing(how):
    creds, _, _ = credentials(task_of(**how), file_of(SETUID))
    assert (creds.euid, creds.cap_permitted, creds.cap_effective & ~creds.cap_permitted) == (1000, 0, 0)


def test_nosuid_mounts():
    creds, secure, _ = credentials(task_of(), file_of(SETUID, caps=(ALL, 0, 1), mount_flags=MS_NOSUID))
    assert (creds.euid, creds.cap_permitted, secure) == (1000, 0, False)


def test_file_capabilities():
    task = task_of()
    task.creds.cap_bounding = ALL
    wanted = 1 << CAP_NET_RAW
    creds, secure, _ = credentials(task, file_of(caps=(wanted, 0, 1)))
    assert (creds.cap_permitted, creds.cap_effective, secure) == (wanted, wanted, True)
    creds, _, _ = credentials(task, file_of(caps=(wanted, 0, 0)))
    assert (creds.cap_permitted, creds.cap_effective) == (wanted, 0)
    task.creds.cap_bounding = 0
    with pytest.raises(Errno) as caught:
        credentials(task, file_of(caps=(wanted, 0, 1)))
    assert caught.value.number == EPERM


def test_noroot():
    task = task_of(0, ALL)
    task.creds.securebits = SECBIT_NOROOT
    creds, _, _ = credentials(task, file_of())
    assert creds.cap_permitted == 0


def test_a_traced_set_user_id_program_of_a_privileged_task():
    creds, _, _ = credentials(task_of(1000, 1 << CAP_SETUID, tracer=object()), file_of(SETUID))
    assert creds.euid == 0
    assert creds.cap_permitted & ~(1 << CAP_SETUID) == 0
