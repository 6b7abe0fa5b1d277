# SPDX-License-Identifier: Apache-2.0
"""A terminal: line discipline, window size, the session that it controls, and job control (tty(4), POSIX chapter 11).

Two sides share it: programs have the slave (SlaveFile), whoever draws the terminal has the master (MasterFile, or the host console).
Data flow: master -> type() -> line discipline -> read by the slave; slave -> write -> output -> taken by the master.
"""

from fs.devpts.ldisc import LineDiscipline
from kernel.abi.errno import EINVAL, EIO, ENOTTY, EPERM, ESRCH, Errno
from kernel.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM
from kernel.abi.signal import SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.abi.tty import (
    IXON,
    TIOCPKT_DOSTOP,
    TIOCPKT_FLUSHREAD,
    TIOCPKT_FLUSHWRITE,
    TIOCPKT_IOCTL,
    TIOCPKT_NOSTOP,
    TIOCPKT_START,
    TIOCPKT_STOP,
    TOSTOP,
    VSTART,
    VSTOP,
)
from kernel.task.jobcontrol import ignores, signal_group, signal_pgrp

SLAVE_MAJOR = 136
OUTPUT_LIMIT = 65536  # bytes that the slave may be ahead of the master
TYPED_LIMIT = 65536  # bytes that the master may be ahead of the slave
RETRY_NS = 20_000_000  # a stopped background task looks again, in case another thread took its signal
READABLE = POLLIN | POLLRDNORM
WRITABLE = POLLOUT | POLLWRNORM


class Tty:
    """A pseudo-terminal: `number` names the slave, /dev/pts/N."""

    def __init__(self, kernel, number, queues):
        self.kernel = kernel
        self.number = number
        self.ldisc = LineDiscipline()
        self.typed = bytearray()  # written by the master, not yet taken by the line discipline
        self.winsize = (0, 0, 0, 0)  # rows, columns, pixels
        self.ask_size = None  # called before somebody is told the size: it may be another one by now
        self.session = None
        self.foreground = None  # ProcessGroup
        self.slave_queue, self.master_queue = queues
        self.nr_slaves = 0
        self.slave_was_open = False
        self.master_open = True
        self.locked = False  # TIOCSPTLCK: the slave can't be opened
        self.exclusive = False
        self.packet_mode = False
        self.packet_status = 0
        self.read_timer = None  # VTIME under way
        self.read_time_is_up = False

    @property
    def name(self):
        """As ps(1) shows it."""
        return f"pts/{self.number}"

    def number_for_stat(self):
        """Device number, as /proc/[pid]/stat has it."""
        return (self.number & 0xFF) | SLAVE_MAJOR << 8 | (self.number & ~0xFF) << 12

    def foreground_pgid(self):
        """The foreground process group's number; -1 without one."""
        return self.foreground.pgid if self.foreground is not None and self.foreground.members else -1

    # the master's side

    def type(self, data):
        """Bytes from the terminal; returns how many were taken."""
        count = min(len(data), TYPED_LIMIT - len(self.typed))
        self.typed += data[:count]
        self.pump()
        return count

    def typing_room(self):
        """How much type() would take."""
        return TYPED_LIMIT - len(self.typed)

    def pump(self):
        """Give the line discipline what it has room for."""
        while self.typed:
            room = self.ldisc.room()
            if room <= 0:
                return
            part = bytes(self.typed[:room])
            del self.typed[:room]
            was_stopped, had = self.ldisc.stopped, len(self.ldisc.output)
            signals = self.ldisc.receive(part)
            for signo in signals:
                self.status(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE)
                self.signal_foreground(signo)
            self.flow_changed(was_stopped)
            if self.read_timer is not None:
                self.restart_read_timer()
            if self.ldisc.readable():
                self.slave_queue.wake(READABLE)
            if len(self.ldisc.output) != had:
                self.output_ready()

    def take_output(self, count):
        """Up to `count` bytes for the terminal; b"" while output is stopped."""
        output = self.ldisc.output
        if self.ldisc.stopped:
            return b""
        data = bytes(output[:count])
        was_full = len(output) >= OUTPUT_LIMIT
        del output[:count]
        if was_full and len(output) < OUTPUT_LIMIT:
            self.slave_queue.wake(WRITABLE)
        return data

    def has_output(self):
        """take_output would find something."""
        return bool(self.ldisc.output) and not self.ldisc.stopped

    def output_ready(self):
        """Tell the master."""
        if self.has_output():
            self.master_queue.wake(READABLE)

    def status(self, bits):
        """Something for packet mode."""
        if self.packet_mode:
            self.packet_status |= bits
            self.master_queue.wake(READABLE | POLLPRI)

    def flow_changed(self, was_stopped):
        """After VSTOP, VSTART, TCXONC: tell both sides."""
        if self.ldisc.stopped == was_stopped:
            return
        self.packet_status &= ~(TIOCPKT_STOP | TIOCPKT_START)
        self.status(TIOCPKT_STOP if self.ldisc.stopped else TIOCPKT_START)
        if not self.ldisc.stopped:
            self.slave_queue.wake(WRITABLE)
            self.output_ready()

    def set_stopped(self, stopped):
        """TCXONC."""
        was_stopped, self.ldisc.stopped = self.ldisc.stopped, stopped
        self.flow_changed(was_stopped)

    def close_master(self):
        """The terminal is gone: hang-up."""
        self.master_open = False
        self.hang_up()

    def hang_up(self):
        """SIGHUP and SIGCONT for the session, and every reader and writer wakes up."""
        session, foreground = self.session, self.foreground
        if session is not None:
            leader = session.leader
            if leader is not None:
                signal_group(leader, SIGHUP)  # it may end at once, and then lead no longer
                signal_group(leader, SIGCONT)
            if foreground is not None and foreground.session is session:
                signal_pgrp(foreground, SIGHUP)
                signal_pgrp(foreground, SIGCONT)
            session.tty = None
        self.session = self.foreground = None
        self.slave_queue.wake(READABLE | WRITABLE | POLLHUP | POLLERR)

    # the slave's side

    def slave_opened(self, task, take_control):
        """Count; a session leader without a terminal gets this one."""
        self.nr_slaves += 1
        self.slave_was_open = True
        if take_control and task.group.pgrp.session.leader is task.group and task.group.pgrp.session.tty is None and self.session is None:
            self.become_controlling(task)

    def slave_closed(self):
        """The last one: the master sees a hang-up."""
        self.nr_slaves -= 1
        if self.nr_slaves == 0:
            self.master_queue.wake(READABLE | POLLHUP)

    def slave_gone(self):
        """The slave was open, and is no more."""
        return self.slave_was_open and self.nr_slaves == 0

    def write(self, task, data):
        """From the program: how much was taken; 0 while it is stopped or full."""
        if self.ldisc.stopped:
            return 0
        data = data[: OUTPUT_LIMIT - len(self.ldisc.output)]
        if data:
            self.ldisc.write(data)
            self.output_ready()
        return len(data)

    def writable(self):
        """write() would take something."""
        return not self.ldisc.stopped and len(self.ldisc.output) < OUTPUT_LIMIT

    def flush(self, read, write):
        """TCFLSH."""
        if read:
            self.ldisc.flush_input()
            self.typed.clear()
            self.status(TIOCPKT_FLUSHREAD)
            self.master_queue.wake(WRITABLE)
        if write:
            self.ldisc.output.clear()
            self.status(TIOCPKT_FLUSHWRITE)
            self.slave_queue.wake(WRITABLE)

    def set_termios(self, termios):
        """New settings; packet mode hears whether ^S and ^Q still work."""
        old, was_stopped = self.ldisc.termios, self.ldisc.stopped
        self.ldisc.set_termios(termios)
        self.flow_changed(was_stopped)
        self.pump()
        if self.ldisc.readable():
            self.slave_queue.wake(READABLE)
        if flow_keys(old) != flow_keys(termios):
            self.packet_status &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)
            self.status(TIOCPKT_DOSTOP if flow_keys(termios) else TIOCPKT_NOSTOP)
        elif self.packet_mode and termios.lflag & 0o200000:
            self.status(TIOCPKT_IOCTL)

    def set_winsize(self, size):
        """(rows, columns, x pixels, y pixels): SIGWINCH if it changed."""
        if size != self.winsize:
            self.winsize = size
            self.signal_foreground(SIGWINCH)

    # VTIME

    def start_read_timer(self, tenths):
        """The deadline of a read with VTIME."""
        if self.read_timer is None:
            self.read_timer = self.kernel.timers.add(self.kernel.clock.monotonic_ns() + tenths * 100_000_000, self.read_timed_out)
            self.read_tenths = tenths

    def restart_read_timer(self):
        """Another byte arrived."""
        self.stop_read_timer()
        self.start_read_timer(self.read_tenths)

    def stop_read_timer(self):
        """The read ended."""
        if self.read_timer is not None:
            self.read_timer.cancel()
            self.read_timer = None
        self.read_time_is_up = False

    def read_timed_out(self):
        """VTIME passed."""
        self.read_timer = None
        self.read_time_is_up = True
        self.slave_queue.wake(READABLE)

    # job control

    def become_controlling(self, task):
        """The terminal of the task's session from now on, its group in the foreground."""
        session = task.group.pgrp.session
        session.tty = self
        self.session = session
        self.foreground = task.group.pgrp

    def set_controlling(self, task, force):
        """TIOCSCTTY: EPERM unless a session leader without a terminal asks; force takes it from another session (CAP_SYS_ADMIN)."""
        session = task.group.pgrp.session
        if session.leader is task.group and self.session is session:
            return
        if session.leader is not task.group or session.tty is not None:
            raise Errno(EPERM)
        if self.session is not None:
            if not (force and task.creds.capable(CAP_SYS_ADMIN)):
                raise Errno(EPERM)
            self.session.tty = None
        self.become_controlling(task)

    def give_up_controlling(self, task):
        """TIOCNOTTY: ENOTTY unless it is the caller's terminal; a leader takes it from the whole session."""
        session = task.group.pgrp.session
        if session.tty is not self:
            raise Errno(ENOTTY)
        if session.leader is task.group:
            session.tty = None
            self.session_leader_exited(session)

    def session_leader_exited(self, session):
        """The session has no terminal any more: SIGHUP and SIGCONT for the foreground."""
        if self.session is not session:
            return
        foreground, self.session, self.foreground = self.foreground, None, None
        if foreground is not None:
            signal_pgrp(foreground, SIGHUP)
            signal_pgrp(foreground, SIGCONT)

    def signal_foreground(self, signo):
        """A signal from the keyboard, or SIGWINCH."""
        if self.foreground is not None:
            signal_pgrp(self.foreground, signo)

    def in_background(self, task):
        """The task's session has this terminal, and another group is in the foreground."""
        pgrp = task.group.pgrp
        return pgrp.session.tty is self and self.foreground is not None and self.foreground is not pgrp

    def check_background_read(self, task):
        """0 if the task may read; else -EIO, or BLOCKED after SIGTTIN."""
        if not self.in_background(task):
            return 0
        if ignores(task, SIGTTIN) or task.group.pgrp.is_orphaned():
            return -EIO
        return stop(task, SIGTTIN)

    def check_background_write(self, task):
        """0 if the task may write: background groups may unless TOSTOP."""
        return self.check_background_change(task) if self.ldisc.termios.lflag & TOSTOP else 0

    def check_background_change(self, task):
        """0 if the task may change settings; else -EIO, or BLOCKED after SIGTTOU."""
        if not self.in_background(task) or ignores(task, SIGTTOU):
            return 0
        if task.group.pgrp.is_orphaned():
            return -EIO
        return stop(task, SIGTTOU)

    def set_foreground(self, task, pgid):
        """TIOCSPGRP: ENOTTY if it is not the caller's terminal, EPERM for a group of another session, ESRCH."""
        session = task.group.pgrp.session
        if session.tty is not self or self.session is not session:
            raise Errno(ENOTTY)
        if pgid < 0:
            raise Errno(EINVAL)
        pgrp = self.kernel.pgrps.get(pgid)
        if pgrp is None:
            raise Errno(ESRCH)
        if pgrp.session is not session:
            raise Errno(EPERM)
        self.foreground = pgrp


def stop(task, signo):
    """Signal the task's whole group, and wait for the consequences: the call is attempted again afterwards."""
    signal_pgrp(task.group.pgrp, signo)
    return task.block(task.kernel.clock.monotonic_ns() + RETRY_NS)


def flow_keys(termios):
    """^S and ^Q have their usual meaning."""
    return bool(termios.iflag & IXON) and termios.cc[VSTOP] == 0x13 and termios.cc[VSTART] == 0x11
