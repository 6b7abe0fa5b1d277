# SPDX-License-Identifier: Apache-2.0
"""ioctl(2) on terminals (ioctl_tty(2)). What concerns settings works on either side; TIOCSTI is refused, as by default in Linux."""

import struct

from kernel.abi import tty as abi
from kernel.abi.errno import EINVAL, EIO, ENOTTY, EPERM, Errno
from kernel.abi.fs import FIONREAD, O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK
from kernel.abi.signal import SIGRTMAX
from kernel.abi.task import CAP_SYS_ADMIN
from kernel.abi.tty import TCGETS2, TIOCGDEV, TIOCGEXCL, TIOCGPKT, TIOCGPTLCK, TIOCGPTN

TERMIOS = struct.Struct("<4IB19s")  # struct termios; termios2 has two speeds behind it
TERMIO = struct.Struct("<4HB8sx")
CBAUD = abi.CBAUD
BOTHER = 0o10000
SPEEDS = {
    1: 50,
    2: 75,
    3: 110,
    4: 134,
    5: 150,
    6: 200,
    7: 300,
    8: 600,
    9: 1200,
    10: 1800,
    11: 2400,
    12: 4800,
    13: 9600,
    14: 19200,
    15: 38400,
    0o10001: 57600,
    0o10002: 115200,
    0o10003: 230400,
    0o10004: 460800,
    0o10005: 500000,
    0o10006: 576000,
    0o10007: 921600,
    0o10010: 1000000,
    0o10011: 1152000,
    0o10012: 1500000,
    0o10013: 2000000,
    0o10014: 2500000,
    0o10015: 3000000,
    0o10016: 3500000,
    0o10017: 4000000,
}
SETS = {
    abi.TCSETS: (TERMIOS.size, False),
    abi.TCSETSW: (TERMIOS.size, False),
    abi.TCSETSF: (TERMIOS.size, True),
    abi.TCSETS2: (TERMIOS.size + 8, False),
    abi.TCSETSW2: (TERMIOS.size + 8, False),
    abi.TCSETSF2: (TERMIOS.size + 8, True),
    abi.TCSETA: (TERMIO.size, False),
    abi.TCSETAW: (TERMIO.size, False),
    abi.TCSETAF: (TERMIO.size, True),
}


def slave_ioctl(file, task, command, argument):
    """On the program's side."""
    tty = file.tty
    if not tty.master_open:
        raise Errno(ENOTTY if command == abi.TIOCSPGRP else EIO)
    if command == FIONREAD:
        return put_int(task, argument, tty.ldisc.available())
    if command == abi.TIOCOUTQ:
        return put_int(task, argument, len(tty.ldisc.output))
    if command == abi.TIOCNOTTY:
        return tty.give_up_controlling(task) or 0
    if command == abi.TIOCSCTTY:
        return tty.set_controlling(task, argument == 1) or 0
    if command == abi.TIOCGPGRP:
        require_own(tty, task)
        return put_int(task, argument, max(tty.foreground_pgid(), 0))
    if command == abi.TIOCGSID:
        require_own(tty, task)
        return put_int(task, argument, tty.session.sid)
    blocked = tty.check_background_change(task) if command in CHANGES or command in SETS else 0
    return blocked or either_ioctl(tty, task, command, argument)


def master_ioctl(file, task, command, argument):
    """On the terminal's side."""
    tty = file.tty
    if command == FIONREAD:
        return put_int(task, argument, len(tty.ldisc.output))
    if command == abi.TIOCOUTQ:
        return put_int(task, argument, len(tty.typed))
    if command == TIOCGPTN:
        return put_int(task, argument, tty.number)
    if command == abi.TIOCSPTLCK:
        tty.locked = bool(get_int(task, argument))
        return 0
    if command == TIOCGPTLCK:
        return put_int(task, argument, int(tty.locked))
    if command == abi.TIOCPKT:
        tty.packet_mode = bool(get_int(task, argument))
        tty.packet_status = 0
        return 0
    if command == TIOCGPKT:
        return put_int(task, argument, int(tty.packet_mode))
    if command == abi.TIOCGPTPEER:
        return open_peer(file, task, argument)
    if command == abi.TIOCSIG:
        if not 1 <= argument <= SIGRTMAX:
            raise Errno(EINVAL)
        tty.signal_foreground(argument)
        return 0
    if command == abi.TIOCGPGRP:
        return put_int(task, argument, max(tty.foreground_pgid(), 0))
    if command == abi.TIOCGSID:
        if tty.session is None:
            raise Errno(ENOTTY)
        return put_int(task, argument, tty.session.sid)
    return either_ioctl(tty, task, command, argument)


def either_ioctl(tty, task, command, argument):
    """Settings, size, flow: the same on both sides."""
    if command in (abi.TCGETS, TCGETS2, abi.TCGETA):
        return get_termios(tty, task, command, argument)
    if command == abi.TIOCGWINSZ:
        if tty.ask_size is not None:
            tty.ask_size()
        task.copy_out(argument, struct.pack("<4H", *tty.winsize))
        return 0
    if command in SETS:
        return set_termios(tty, task, command, argument)
    action = CHANGES.get(command) or OTHERS.get(command)
    if action is None:
        raise Errno(ENOTTY)
    return action(tty, task, argument) or 0


def get_termios(tty, task, command, argument):
    """TCGETS, TCGETS2, TCGETA."""
    t = tty.ldisc.termios
    if command == abi.TCGETA:
        data = TERMIO.pack(t.iflag & 0xFFFF, t.oflag & 0xFFFF, t.cflag & 0xFFFF, t.lflag & 0xFFFF, t.line, bytes(t.cc[:8]))
    else:
        data = TERMIOS.pack(t.iflag, t.oflag, t.cflag, t.lflag, t.line, bytes(t.cc))
    if command == TCGETS2:
        data += struct.pack("<II", t.ispeed, t.ospeed)
    task.copy_out(argument, data)
    return 0


def set_termios(tty, task, command, argument):
    """TCSETS and its forms: W waits for output, which is always on its way; F forgets input."""
    size, flush = SETS[command]
    data = task.copy_in(argument, size)
    new = tty.ldisc.termios.copy()
    if size == TERMIO.size:
        iflag, oflag, cflag, lflag, new.line, control = TERMIO.unpack(data)
        new.iflag, new.oflag = new.iflag & ~0xFFFF | iflag, new.oflag & ~0xFFFF | oflag
        new.cflag, new.lflag = new.cflag & ~0xFFFF | cflag, new.lflag & ~0xFFFF | lflag
        new.cc[:8] = control
    else:
        new.iflag, new.oflag, new.cflag, new.lflag, new.line, control = TERMIOS.unpack(data[: TERMIOS.size])
        new.cc[:] = control
    speed = new.cflag & CBAUD
    if size > TERMIOS.size and speed == BOTHER:
        new.ispeed, new.ospeed = struct.unpack("<II", data[TERMIOS.size :])
    else:
        new.ispeed = new.ospeed = SPEEDS.get(speed, 0)
    new.cflag = new.cflag & ~(0o60 | abi.PARENB) | abi.CS8 | abi.CREAD
    if flush:
        tty.flush(True, False)
    tty.set_termios(new)
    return 0


def set_foreground(tty, task, argument):
    tty.set_foreground(task, get_int(task, argument))


def set_winsize(tty, task, argument):
    tty.set_winsize(struct.unpack("<4H", task.copy_in(argument, 8)))


def flush(tty, task, argument):
    if argument not in (abi.TCIFLUSH, abi.TCOFLUSH, abi.TCIOFLUSH):
        raise Errno(EINVAL)
    tty.flush(argument != abi.TCOFLUSH, argument != abi.TCIFLUSH)


def flow(tty, task, argument):
    """TCXONC: suspend or resume output; TCIOFF and TCION type ^S and ^Q at the other side."""
    if argument in (abi.TCOOFF, abi.TCOON):
        tty.set_stopped(argument == abi.TCOOFF)
    elif argument in (abi.TCIOFF, abi.TCION):
        char = tty.ldisc.termios.cc[abi.VSTOP if argument == abi.TCIOFF else abi.VSTART]
        if char:
            tty.ldisc.output.append(char)
            tty.output_ready()
    else:
        raise Errno(EINVAL)


def send_break(tty, task, argument):
    """A pty has no break; output is on its way."""


def exclusive(tty, task, argument):
    tty.exclusive = True


def not_exclusive(tty, task, argument):
    tty.exclusive = False


def get_exclusive(tty, task, argument):
    return put_int(task, argument, int(tty.exclusive))


def get_discipline(tty, task, argument):
    return put_int(task, argument, 0)


def set_discipline(tty, task, argument):
    if get_int(task, argument) != 0:
        raise Errno(EINVAL)


def get_device(tty, task, argument):
    return put_int(task, argument, tty.number_for_stat())


def hang_up(tty, task, argument):
    """TIOCVHANGUP, as close of the master, but the terminal stays."""
    if not task.creds.capable(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    tty.hang_up()


def refuse(tty, task, argument):
    """TIOCSTI: fake input."""
    raise Errno(EIO)


# Those in CHANGES stop a caller in the background.
CHANGES = {
    abi.TIOCSPGRP: set_foreground,
    abi.TCFLSH: flush,
    abi.TCXONC: flow,
    abi.TCSBRK: send_break,
    abi.TCSBRKP: send_break,
    abi.TIOCSETD: set_discipline,
}
OTHERS = {
    abi.TIOCSWINSZ: set_winsize,
    abi.TIOCEXCL: exclusive,
    abi.TIOCNXCL: not_exclusive,
    TIOCGEXCL: get_exclusive,
    abi.TIOCGETD: get_discipline,
    TIOCGDEV: get_device,
    abi.TIOCVHANGUP: hang_up,
    abi.TIOCSTI: refuse,
}


def open_peer(file, task, flags):
    """TIOCGPTPEER: a descriptor of the slave without looking up its path."""
    if flags & ~(O_ACCMODE | O_CLOEXEC | O_NOCTTY | O_NONBLOCK):
        raise Errno(EINVAL)
    slave = file.devpts.open_slave(task, file.tty, flags & ~O_CLOEXEC)
    return task.files.install(slave, bool(flags & O_CLOEXEC))


def require_own(tty, task):
    """ENOTTY unless it is the controlling terminal of the caller's session."""
    if task.group.pgrp.session.tty is not tty:
        raise Errno(ENOTTY)


def put_int(task, address, value):
    task.copy_out(address, struct.pack("<i", value) if value < 1 << 31 else struct.pack("<I", value))
    return 0


def get_int(task, address):
    return struct.unpack("<i", task.copy_in(address, 4))[0]
