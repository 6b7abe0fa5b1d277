# SPDX-License-Identifier: Apache-2.0
"""Signals: sending, dispositions, masks, waiting (sigaction(2), sigprocmask(2), kill(2), sigtimedwait(2)...)."""

from kernel.abi.errno cimport EAGAIN, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, ESRCH, Errno
from kernel.abi.signal cimport (
    MINSIGSTKSZ, SI_TKILL, SI_USER, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGCONT, SIGKILL, SIGSEGV, SIGSTOP, SS_DISABLE, SS_ONSTACK,
)
from kernel.abi.task cimport CAP_KILL
from kernel.signal.handlers cimport Action, Handlers
from kernel.signal.pending cimport Pending, SigInfo, kill_info
from kernel.signal.send cimport send_to_group, send_to_task
from kernel.syscalls.table cimport define
from kernel.task.creds cimport Creds
from kernel.task.exit cimport group_exit
from kernel.task.group cimport ThreadGroup
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport DEAD, ORDERED, Task

from kernel.syscalls.kinds import Int, Out, Ptr, Size
from kernel.syscalls.table import syscall

cdef enum:
    SIGSET_SIZE = 8

cdef unsigned long UNBLOCKABLE = 1UL << 8 | 1UL << 18
cdef unsigned int AUTODISARM = 0x80000000


def check_set_size(size):
    """Every call that takes a sigset_t says how large it is."""
    if size != SIGSET_SIZE:
        raise Errno(EINVAL)


def read_set(Task task, address):
    """A sigset_t from the guest, without SIGKILL and SIGSTOP."""
    return int.from_bytes(task.copy_in(address, SIGSET_SIZE), "little") & ~UNBLOCKABLE


cdef long sys_rt_sigaction(Task task, const unsigned long *args) except? -1:
    """rt_sigaction(2)."""
    cdef int signo = <int> args[0]
    cdef unsigned long words[4]
    cdef Handlers handlers = task.group.handlers
    cdef Action old, new = None
    if args[3] != SIGSET_SIZE or signo < 1 or signo > 64:
        return -EINVAL
    if args[1]:
        if signo == SIGKILL or signo == SIGSTOP:
            return -EINVAL
        task.get(args[1], words, 32)
        new = Action(words[0], words[1], words[2], words[3] & ~UNBLOCKABLE)
    old = handlers.get(signo)
    if new is not None:
        handlers.set(signo, new)
        if handlers.ignored(signo):
            forget(task.group, 1UL << (signo - 1))
    if args[2]:
        words[0], words[1], words[2], words[3] = old.handler, old.flags, old.restorer, old.mask
        task.put(args[2], words, 32)
    return 0


define(13, "rt_sigaction(signo: Int, action: Ptr, old: Out, size: Size)", sys_rt_sigaction)


cdef int forget(ThreadGroup group, unsigned long mask) except -1:
    """A signal that became ignored is no longer pending."""
    (<Pending> group.pending).discard(mask)
    for task in group.tasks.values():
        (<Pending> task.pending).discard(mask)
    return 0


cdef long sys_rt_sigprocmask(Task task, const unsigned long *args) except? -1:
    """rt_sigprocmask(2)."""
    cdef unsigned long old = task.blocked, mask = 0
    cdef int how = <int> args[0]
    if args[3] != SIGSET_SIZE:
        return -EINVAL
    if args[1]:
        task.get(args[1], &mask, 8)
        mask &= ~UNBLOCKABLE
        if how == SIG_BLOCK:
            task.blocked = old | mask
        elif how == SIG_UNBLOCK:
            task.blocked = old & ~mask
        elif how == SIG_SETMASK:
            task.blocked = mask
        else:
            return -EINVAL
    if args[2]:
        task.put(args[2], &old, 8)
    return 0


define(14, "rt_sigprocmask(how: Int, set: Ptr, old: Out, size: Size)", sys_rt_sigprocmask)


cdef long sys_rt_sigreturn(Task task, const unsigned long *args) except? -1:
    """rt_sigreturn(2): registers, mask and alternate stack come from the frame; a bad frame is SIGSEGV."""
    cdef unsigned long mask, sp, size
    cdef unsigned int flags
    restored = task.thread.pop_signal_frame()
    if restored is None:
        group_exit(task.group, SIGSEGV)
        return ORDERED
    mask, altstack = restored
    task.blocked = mask & ~UNBLOCKABLE
    if altstack != task.altstack:
        sp, flags, size = altstack
        if not flags & ~(<unsigned int> SS_DISABLE | SS_ONSTACK | AUTODISARM):
            task.altstack = (sp, flags & ~<unsigned int> SS_ONSTACK, size)
    (<Kernel> task.kernel).back_to_guest(task, False)
    return ORDERED


define(15, "rt_sigreturn()", sys_rt_sigreturn)


@syscall(127)
def sys_rt_sigpending(Task task, address: Out, size: Size):
    """rt_sigpending(2)."""
    if size > SIGSET_SIZE:
        raise Errno(EINVAL)
    mask = ((<Pending> task.pending).mask | (<Pending> task.group.pending).mask) & task.blocked
    task.copy_out(address, mask.to_bytes(8, "little")[:size])


@syscall(130)
def sys_rt_sigsuspend(Task task, mask: Ptr, size: Size):
    """rt_sigsuspend(2): wait with another mask until a handler has run."""
    check_set_size(size)
    if task.progress is None:
        new = read_set(task, mask)
        task.progress = True
        task.saved_blocked, task.blocked, task.restore_blocked = task.blocked, new, True
    return task.block(-1, ERESTARTNOHAND)


@syscall(34)
def sys_pause(Task task):
    """pause(2)."""
    return task.block(-1, ERESTARTNOHAND)


@syscall(128)
def sys_rt_sigtimedwait(Task task, mask: Ptr, info: Out, timeout: Ptr, size: Size):
    """rt_sigtimedwait(2): take a pending signal without a handler."""
    check_set_size(size)
    if task.progress is None:
        task.progress = read_set(task, mask), deadline_of(task, timeout)
    wanted, deadline = task.progress
    taken = (<Pending> task.pending).take(wanted) or (<Pending> task.group.pending).take(wanted)
    if taken is not None:
        task.blocked = task.saved_blocked if task.restore_blocked else task.blocked
        task.restore_blocked = False
        if info:
            task.copy_out(info, (<SigInfo> taken).pack())
        return taken.signo
    if task.timed_out or deadline == 0:
        raise Errno(EAGAIN)
    task.wait_on((<Pending> task.pending).waiters)
    task.wait_on((<Pending> task.group.pending).waiters)
    return task.block(deadline, ERESTARTNOHAND)


def deadline_of(Task task, address):
    """A relative timespec as a deadline; -1 for NULL, 0 for none at all."""
    if not address:
        return -1
    data = task.copy_in(address, 16)
    seconds, nanoseconds = int.from_bytes(data[:8], "little", signed=True), int.from_bytes(data[8:], "little", signed=True)
    if seconds < 0 or not 0 <= nanoseconds < 1000000000:
        raise Errno(EINVAL)
    total = min(seconds * 1000000000 + nanoseconds, 1 << 62)
    return task.kernel.clock.monotonic_ns() + total if total else 0


cdef bint may_signal(Task task, ThreadGroup group, int signo) except -1:
    """kill(2)'s permission rule."""
    cdef Creds mine = task.creds, other
    if group is task.group:
        return True
    other = (<Task?> group.leader).creds
    if mine.capable(CAP_KILL) or mine.euid == other.uid or mine.euid == other.suid or mine.uid == other.uid or mine.uid == other.suid:
        return True
    return signo == SIGCONT and task.group.pgrp.session is group.pgrp.session


cdef long signal_one(Task task, ThreadGroup group, int signo, SigInfo info) except? -1:
    """Send with permission check; signo 0 only checks."""
    if not may_signal(task, group, signo):
        return -EPERM
    return send_to_group(group, info) if signo else 0


cdef long sys_kill(Task task, const unsigned long *args) except? -1:
    """kill(2)."""
    cdef Kernel kernel = <Kernel> task.kernel
    cdef int pid = <int> args[0], signo = <int> args[1]
    cdef ThreadGroup group
    cdef SigInfo info
    if signo < 0 or signo > 64:
        return -EINVAL
    info = kill_info(signo, SI_USER, task.group.pid, task.creds.uid)
    if pid > 0:
        group = process_of(task, pid)
        return -ESRCH if group is None else signal_one(task, group, signo, info)
    if pid == -1:
        return signal_many(task, [group for group in kernel.groups.values() if group is not kernel.init and group is not task.group],
                           signo, info)
    pgrp = task.group.pgrp if pid == 0 else kernel.pgrps.get(-<long> pid)
    return signal_many(task, list(pgrp.members) if pgrp is not None else [], signo, info)


define(62, "kill(pid: Int, signo: Int)", sys_kill)


cdef ThreadGroup process_of(Task task, int pid):
    """Linux lets kill(2) name any thread of a process."""
    group = (<Kernel> task.kernel).groups.get(pid)
    if group is None:
        other = (<Kernel> task.kernel).tasks.get(pid)
        group = None if other is None else (<Task?> other).group
    return group


cdef long signal_many(Task task, list targets, int signo, SigInfo info) except? -1:
    """To all that may be signalled; EPERM if none may, ESRCH if there is none. The sender comes last."""
    cdef ThreadGroup group
    cdef long result
    if not targets:
        return -ESRCH
    allowed = [group for group in targets if may_signal(task, group, signo)]
    if not allowed:
        return -EPERM
    for group in [group for group in allowed if group is not task.group] + [group for group in allowed if group is task.group]:
        result = signal_one(task, group, signo, info)
        if result < 0:
            return result
    return 0


cdef long signal_thread(Task task, int tgid, int tid, int signo, SigInfo info) except? -1:
    """tkill, tgkill and their queueing forms."""
    cdef Task other
    if signo < 0 or signo > 64 or tid <= 0 or tgid == 0:
        return -EINVAL
    other = (<Kernel> task.kernel).tasks.get(tid)
    if other is None or (tgid > 0 and other.group.pid != tgid):
        return -ESRCH
    if not may_signal(task, other.group, signo):
        return -EPERM
    return send_to_task(other, info) if signo and other.state != DEAD else 0


cdef long sys_tkill(Task task, const unsigned long *args) except? -1:
    """tkill(2)."""
    cdef int signo = <int> args[1]
    return signal_thread(task, -1, <int> args[0], signo, kill_info(signo, SI_TKILL, task.group.pid, task.creds.uid))


cdef long sys_tgkill(Task task, const unsigned long *args) except? -1:
    """tgkill(2)."""
    cdef int tgid = <int> args[0], signo = <int> args[2]
    if tgid <= 0:
        return -EINVAL
    return signal_thread(task, tgid, <int> args[1], signo, kill_info(signo, SI_TKILL, task.group.pid, task.creds.uid))


define(200, "tkill(tid: Int, signo: Int)", sys_tkill)
define(234, "tgkill(tgid: Int, tid: Int, signo: Int)", sys_tgkill)


def read_info(Task task, address, signo, to_self):
    """A siginfo_t from the guest: it may not pretend to come from kill or the kernel."""
    cdef SigInfo info = SigInfo()
    data = task.copy_in(address, 128)
    info.signo = signo
    info.error = max(int.from_bytes(data[4:8], "little", signed=True), 0)
    info.code = int.from_bytes(data[8:12], "little", signed=True)
    info.fields = data[16:]
    if (info.code >= 0 or info.code == SI_TKILL) and not to_self:
        raise Errno(EPERM)
    return info


@syscall(129)
def sys_rt_sigqueueinfo(Task task, pid: Int, signo: Int, info: Ptr):
    """rt_sigqueueinfo(2)."""
    value = read_info(task, info, signo, pid == task.group.pid)
    group = process_of(task, pid)
    if not 0 <= signo <= 64:
        raise Errno(EINVAL)
    return -ESRCH if group is None else signal_one(task, group, signo, value)


@syscall(297)
def sys_rt_tgsigqueueinfo(Task task, tgid: Int, tid: Int, signo: Int, info: Ptr):
    """rt_tgsigqueueinfo(2)."""
    if tgid <= 0:
        raise Errno(EINVAL)
    return signal_thread(task, tgid, tid, signo, read_info(task, info, signo, tid == task.tid))


cdef struct Stack:                       # stack_t
    unsigned long sp
    unsigned int flags
    unsigned int pad
    unsigned long size


cdef long sys_sigaltstack(Task task, const unsigned long *args) except? -1:
    """sigaltstack(2)."""
    cdef Stack before, new
    cdef unsigned int mode
    cdef bint on_stack
    before.sp, before.flags, before.size = task.altstack
    before.pad = 0
    on_stack = before.size and not before.flags & AUTODISARM and task.thread.stack_pointer() - 1 - before.sp < before.size
    if args[0]:
        task.get(args[0], &new, sizeof(new))
        if on_stack:
            return -EPERM
        mode = new.flags & ~AUTODISARM
        if mode != 0 and mode != SS_ONSTACK and mode != SS_DISABLE:
            return -EINVAL
        if new.flags & SS_DISABLE:
            task.altstack = (0, SS_DISABLE, 0)
        elif new.size < MINSIGSTKSZ:
            return -ENOMEM
        else:
            task.altstack = (new.sp, new.flags & ~<unsigned int> SS_ONSTACK, new.size)
    if args[1]:
        before.flags = SS_DISABLE if not before.size else before.flags | (SS_ONSTACK if on_stack else 0)
        task.put(args[1], &before, sizeof(before))
    return 0


define(131, "sigaltstack(new: Ptr, old: Out)", sys_sigaltstack)


@syscall(424)
def sys_pidfd_send_signal(Task task, fd: Int, signo: Int, info: Ptr, flags: Int):
    """pidfd_send_signal(2)."""
    file = task.files.get(fd)
    group = getattr(file, "group", None)
    if flags or not 0 <= signo <= 64:
        raise Errno(EINVAL)
    if not isinstance(group, ThreadGroup):
        raise Errno(9)
    if group.zombie and group.pid not in task.kernel.groups:
        raise Errno(ESRCH)
    value = kill_info(signo, SI_USER, task.group.pid, task.creds.uid)
    if info:
        value = read_info(task, info, signo, group is task.group)
        if int.from_bytes(task.copy_in(info, 4), "little") != signo:
            raise Errno(EINVAL)
    return signal_one(task, group, signo, value)
