# SPDX-License-Identifier: Apache-2.0
"""prctl(2)."""

from kernel.abi import task as abi
from kernel.abi.errno import EFAULT, EINVAL, EPERM, Errno
from kernel.abi.task import CAP_LAST_CAP, CAP_SETPCAP
from kernel.syscalls import seccomp
from kernel.syscalls.kinds import Int, ULong
from kernel.syscalls.table import syscall

SECUREBITS_KNOWN = 0xFF


def set_pdeathsig(task, signo, *_):
    if not 0 <= signo <= 64:
        raise Errno(EINVAL)
    task.pdeath_signal = signo


def get_pdeathsig(task, address, *_):
    task.copy_out(address, task.pdeath_signal.to_bytes(4, "little"))


def get_dumpable(task, *_):
    return task.group.dumpable


def set_dumpable(task, value, *_):
    if value not in (0, 1):
        raise Errno(EINVAL)
    task.group.dumpable = value


def get_keepcaps(task, *_):
    return int(task.keep_caps)


def set_keepcaps(task, value, *_):
    if value not in (0, 1):
        raise Errno(EINVAL)
    task.keep_caps = bool(value)


def set_name(task, address, *_):
    name = task.copy_in_some(address, 15)
    if len(name) < 15 and b"\0" not in name:
        raise Errno(EFAULT)
    task.comm = name.split(b"\0")[0]


def get_name(task, address, *_):
    task.copy_out(address, task.comm.ljust(16, b"\0"))


def get_seccomp(task, *_):
    return 0 if task.seccomp is None else task.seccomp.mode


def set_seccomp(task, mode, address, *_):
    if mode not in (seccomp.MODE_STRICT, seccomp.MODE_FILTER):
        raise Errno(EINVAL)
    if mode == seccomp.MODE_STRICT:
        return seccomp.set_strict(task)
    return seccomp.set_filter(task, 0, address)


def get_timing(task, *_):
    return 0


def set_timing(task, value, *_):
    if value:
        raise Errno(EINVAL)


def set_tsc(task, value, *_):
    if value != 1:
        raise Errno(EINVAL)


def get_thp_disable(task, *rest):
    if any(rest):
        raise Errno(EINVAL)
    return 0


def get_io_flusher(task, *rest):
    if not task.creds.capable(abi.CAP_SYS_RESOURCE):
        raise Errno(EPERM)
    if any(rest):
        raise Errno(EINVAL)
    return 0


def mce_kill_get(task, *rest):
    if any(rest):
        raise Errno(EINVAL)
    return 2  # PR_MCE_KILL_DEFAULT


def nothing(task, *_):
    """Perf events of ours: there are none."""


def capbset_read(task, capability, *_):
    if capability > CAP_LAST_CAP:
        raise Errno(EINVAL)
    return task.creds.cap_bounding >> capability & 1


def capbset_drop(task, capability, *_):
    if not task.creds.capable(CAP_SETPCAP):
        raise Errno(EPERM)
    if capability > CAP_LAST_CAP:
        raise Errno(EINVAL)
    creds = task.creds.copy()
    creds.cap_bounding &= ~(1 << capability)
    task.creds = creds


def get_tsc(task, address, *_):
    task.copy_out(address, (1).to_bytes(4, "little"))


def get_securebits(task, *_):
    return task.creds.securebits


def set_securebits(task, bits, *_):
    if bits & ~SECUREBITS_KNOWN:
        raise Errno(EINVAL)
    if not task.creds.capable(CAP_SETPCAP):
        raise Errno(EPERM)
    creds = task.creds.copy()
    creds.securebits = bits
    task.creds = creds


def set_timerslack(task, value, *_):
    task.timerslack_ns = value or 50000


def get_timerslack(task, *_):
    return task.timerslack_ns


def set_child_subreaper(task, value, *_):
    task.group.is_subreaper = bool(value)


def get_child_subreaper(task, address, *_):
    task.copy_out(address, int(task.group.is_subreaper).to_bytes(4, "little"))


def set_no_new_privs(task, value, a, b, c):
    if value != 1 or a or b or c:
        raise Errno(EINVAL)
    task.no_new_privs = True


def get_no_new_privs(task, value, a, b, c):
    if value or a or b or c:
        raise Errno(EINVAL)
    return int(task.no_new_privs)


def get_tid_address(task, address, *_):
    task.copy_out(address, task.clear_child_tid.to_bytes(8, "little"))


def ambient(task, operation, capability, *_):
    """PR_CAP_AMBIENT."""
    creds = task.creds.copy()
    if operation == abi.PR_CAP_AMBIENT_CLEAR_ALL:
        creds.cap_ambient = 0
    elif capability > CAP_LAST_CAP:
        raise Errno(EINVAL)
    elif operation == abi.PR_CAP_AMBIENT_IS_SET:
        return creds.cap_ambient >> capability & 1
    elif operation == abi.PR_CAP_AMBIENT_RAISE:
        if not creds.cap_permitted & creds.cap_inheritable & 1 << capability or creds.securebits & abi.SECBIT_NO_CAP_AMBIENT_RAISE:
            raise Errno(EPERM)
        creds.cap_ambient |= 1 << capability
    elif operation == abi.PR_CAP_AMBIENT_LOWER:
        creds.cap_ambient &= ~(1 << capability)
    else:
        raise Errno(EINVAL)
    task.creds = creds


def set_vma(task, operation, address, length, name):
    """PR_SET_VMA_ANON_NAME."""
    from kernel.mm import names

    if operation:
        raise Errno(EINVAL)
    return names.set_anon_name(task, address, length, name)


OPERATIONS = {
    abi.PR_SET_PDEATHSIG: set_pdeathsig,
    abi.PR_GET_PDEATHSIG: get_pdeathsig,
    abi.PR_GET_DUMPABLE: get_dumpable,
    abi.PR_SET_DUMPABLE: set_dumpable,
    abi.PR_GET_KEEPCAPS: get_keepcaps,
    abi.PR_SET_KEEPCAPS: set_keepcaps,
    abi.PR_SET_NAME: set_name,
    abi.PR_GET_NAME: get_name,
    abi.PR_GET_TIMING: get_timing,
    abi.PR_SET_TIMING: set_timing,
    abi.PR_GET_SECCOMP: get_seccomp,
    abi.PR_SET_SECCOMP: set_seccomp,
    abi.PR_CAPBSET_READ: capbset_read,
    abi.PR_CAPBSET_DROP: capbset_drop,
    abi.PR_GET_TSC: get_tsc,
    abi.PR_SET_TSC: set_tsc,
    abi.PR_TASK_PERF_EVENTS_DISABLE: nothing,
    abi.PR_TASK_PERF_EVENTS_ENABLE: nothing,
    abi.PR_MCE_KILL_GET: mce_kill_get,
    abi.PR_GET_THP_DISABLE: get_thp_disable,
    abi.PR_GET_IO_FLUSHER: get_io_flusher,
    abi.PR_GET_SECUREBITS: get_securebits,
    abi.PR_SET_SECUREBITS: set_securebits,
    abi.PR_SET_TIMERSLACK: set_timerslack,
    abi.PR_GET_TIMERSLACK: get_timerslack,
    abi.PR_SET_CHILD_SUBREAPER: set_child_subreaper,
    abi.PR_GET_CHILD_SUBREAPER: get_child_subreaper,
    abi.PR_SET_NO_NEW_PRIVS: set_no_new_privs,
    abi.PR_GET_NO_NEW_PRIVS: get_no_new_privs,
    abi.PR_GET_TID_ADDRESS: get_tid_address,
    abi.PR_CAP_AMBIENT: ambient,
    abi.PR_SET_VMA: set_vma,
}


@syscall(157, partial="no PR_SET_MM, no speculation control; what is not there answers EINVAL as an unknown option")
def sys_prctl(task, option: Int, a: ULong, b: ULong, c: ULong, d: ULong):
    """prctl(2)."""
    operation = OPERATIONS.get(option)
    if operation is None:
        raise Errno(EINVAL)
    return operation(task, a, b, c, d)
