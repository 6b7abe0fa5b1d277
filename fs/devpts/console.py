# SPDX-License-Identifier: Apache-2.0
"""The container's terminal: a pty inside whose master is a terminal of the host.

The host's side (the slave of a pty whose master Docker has, or `runsc run` itself) is put into raw mode: every key comes in here, and
echo, line editing and signals are those of the pty inside. Reads and writes never block.
A process has one controlling terminal: for the first console of a sandbox the host sends SIGWINCH when its window has another size. Of the
others the command that asked for them tells (the operation `winsize`). Whoever asks for the size is given the host's at that moment.
"""

import _signal
import fcntl
import posix
import struct

from fs.host.signal import HostSignal
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import Errno
from kernel.abi.fs import AT_FDCWD, S_IFCHR
from kernel.abi.tty import (
    CS8,
    ECHO,
    ECHONL,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    INLCR,
    ISIG,
    ISTRIP,
    IXON,
    OPOST,
    PARENB,
    TCGETS,
    TCSETS,
    TIOCGWINSZ,
    VMIN,
    VTIME,
)
from kernel.sync.waitqueue import Waiter

CHUNK = 32768
EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP = 1, 4, 8, 16
F_GETFL, F_SETFL = 3, 4
TERMIOS = struct.Struct("4IB19s")
CONSOLE_RDEV = 5 << 8 | 1
TIOCSCTTY, TIOCNOTTY = 0x540E, 0x5422
SIGHUP, SIGWINCH = 1, 28


class HostConsole(Waiter):
    """Connects a host descriptor with a new terminal of `devpts`; open_slave() is what the first process gets."""

    def __init__(self, kernel, devpts, fd):
        self.kernel = kernel
        self.devpts = devpts
        self.fd = fd
        self.tty = None
        self.watch = None
        self.watched = 0
        self.pending = b""  # taken from the terminal, not yet written to the host
        self.input_closed = False
        self.initial_size = None
        self.host_flags = fcntl.fcntl(fd, F_GETFL)
        self.window_signal = None
        fcntl.fcntl(fd, F_SETFL, self.host_flags | posix.O_NONBLOCK)
        make_raw(fd)

    def open_slave(self, task):
        """The File for descriptors 0, 1 and 2; the task's session is controlled by the terminal."""
        self.tty = self.devpts.new_tty(task.creds)
        self.tty.master_queue.add(self)
        self.tty.ask_size = self.resized
        self.take_host_size()
        make_console_node(task)
        file = self.devpts.open_slave(task, self.tty)
        self.listen()
        return file

    def follow_window(self):
        """The host's terminal is our controlling one (see take_terminal)."""
        self.window_signal = HostSignal(self.kernel, SIGWINCH, self.resized)

    def set_size(self, rows, columns):
        """The window has another size."""
        self.initial_size = (rows, columns, 0, 0)
        if self.tty is not None:
            self.tty.set_winsize((rows, columns, 0, 0))

    def take_host_size(self):
        """The host terminal's own size, unless the configuration gave one."""
        size = self.initial_size or self.host_size()
        if size is not None:
            self.tty.winsize = size

    def host_size(self):
        """(rows, columns, x, y) of the host's terminal; None if it is none or has no size."""
        try:
            size = struct.unpack("4H", fcntl.ioctl(self.fd, TIOCGWINSZ, bytes(8)))
        except OSError:
            return None
        return size if any(size) else None

    def resized(self):
        """The host's window may have another size."""
        size = self.host_size()
        if size is not None and self.tty is not None:
            self.tty.set_winsize(size)

    def wake(self, events):
        """The terminal inside has output, or room for input."""
        self.write_out()
        self.listen()
        return True

    def host_event(self, events):
        """The host's side can be read or written, or was hung up."""
        if events & (EPOLLIN | EPOLLHUP | EPOLLERR):
            self.read_in()
        if events & EPOLLOUT:
            self.write_out()
        self.listen()

    def read_in(self):
        """Keys from the host go to the line discipline."""
        room = min(self.tty.typing_room(), CHUNK)
        if room <= 0:
            return
        try:
            data = posix.read(self.fd, room)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.tty.type(data)
        elif not self.input_closed:
            self.input_closed = True
            self.tty.close_master()

    def write_out(self):
        """Output inside goes to the host until it takes no more."""
        while self.pending or self.tty.has_output():
            if not self.pending:
                self.pending = self.tty.take_output(CHUNK)
            try:
                written = posix.write(self.fd, self.pending)
            except BlockingIOError:
                return
            except OSError:
                self.pending = b""
                continue
            self.pending = self.pending[written:]

    def listen(self):
        """Ask for what can be used: input while there is room, output while something waits."""
        wanted = 0 if self.input_closed or self.tty.typing_room() <= 0 else EPOLLIN
        if self.pending:
            wanted |= EPOLLOUT
        if wanted == self.watched:
            return
        self.watched = wanted
        if wanted:
            self.watch = self.kernel.watch(self.fd, wanted, self.host_event)
        elif self.watch is not None:
            self.kernel.unwatch(self.watch)
            self.watch = None

    def drain(self):
        """The sandbox ends: what the programs have printed is written, whatever it takes; the host's descriptor is as it was before.

        A session leader that ends with a controlling terminal hangs it up, and the host throws away what nobody has read yet.
        """
        if self.tty is None:
            return
        self.tty.ldisc.stopped = False
        fcntl.fcntl(self.fd, F_SETFL, self.host_flags & ~posix.O_NONBLOCK)
        self.write_out()
        fcntl.fcntl(self.fd, F_SETFL, self.host_flags)
        if self.window_signal is not None:
            try:
                fcntl.ioctl(self.fd, TIOCNOTTY)
            except OSError:
                pass  # it was never ours, or is hung up already


def take_terminal(fd):
    """Makes a host terminal the controlling one of this process, a session leader; its hang-up is read, not a signal."""
    _signal.signal(SIGHUP, _signal.SIG_IGN)
    try:
        fcntl.ioctl(fd, TIOCSCTTY, 0)
    except OSError:
        pass  # another session has it: only the size that programs ask for is right then


def make_console_node(task):
    """/dev/console, which only a container with a terminal has."""
    try:
        inode = lookup(task, AT_FDCWD, b"/dev", LOOKUP_FOLLOW | LOOKUP_DIRECTORY).inode()
        if inode.fs.type_name == "tmpfs":
            inode.mknod(b"console", S_IFCHR | 0o600, CONSOLE_RDEV, task.creds)
    except Errno:
        return


def make_raw(fd):
    """cfmakeraw(3) on the host's terminal, if it is one."""
    try:
        iflag, oflag, cflag, lflag, line, control = TERMIOS.unpack(fcntl.ioctl(fd, TCGETS, bytes(TERMIOS.size)))
    except OSError:
        return
    control = bytearray(control)
    control[VMIN], control[VTIME] = 1, 0
    iflag &= ~(0o13 | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
    lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN)
    settings = TERMIOS.pack(iflag, oflag & ~OPOST, cflag & ~PARENB | CS8, lflag, line, bytes(control))
    fcntl.ioctl(fd, TCSETS, settings)
