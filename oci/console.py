# SPDX-License-Identifier: Apache-2.0
"""Terminals of the host: a pty for the container, its master sent to whoever asked, or relayed to our own terminal."""

import _signal
import _socket
import posix
import select

from oci._host import ffi, lib
from oci.errors import RunscError

SIGWINCH = 28
TIOCSCTTY, TIOCNOTTY = 0x540E, 0x5422
CHUNK = 65536


def new_pty(size, socket_path):
    """(master, slave), both close-on-exec. size is (rows, columns); without one, and if nobody else gets the master, our terminal's:
    the program must not see it change when the relay begins."""
    try:
        master, slave = posix.openpty()
    except OSError as error:
        raise RunscError(f"can't make a terminal: {error.strerror.lower()}") from None
    if size and (size[0] or size[1]):
        lib.host_set_winsize(master, *size)
    elif not socket_path:
        lib.host_copy_winsize(0, master)
    return master, slave


def send_master(socket_path, master):
    """Connects to --console-socket and hands the master over."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(socket_path)
        rights = master.to_bytes(4, "little")
        sock.sendmsg([b"/dev/ptmx"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    except OSError as error:
        raise RunscError(f"console socket {socket_path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        sock.close()


class Relay:
    """Our own terminal, raw, in front of a container's pty, until the container ends."""

    def __init__(self, master):
        self.master = master
        self.saved = None
        self.input_open = True

    def __enter__(self):
        if posix.isatty(0):
            saved = ffi.new("char[]", lib.host_terminal_size())
            if lib.host_raw_terminal(0, saved, lib.host_terminal_size()) == 0:
                self.saved = saved
            self.resize()
        return self

    def __exit__(self, *_):
        if self.saved is not None:
            lib.host_restore_terminal(0, self.saved)
            self.saved = None

    def resize(self):
        """Our terminal's size is the container's, too."""
        lib.host_copy_winsize(0, self.master)

    def register(self, poll):
        """What to wait for."""
        poll.register(self.master, select.POLLIN)
        if self.input_open:
            poll.register(0, select.POLLIN)

    def serve(self, fd, poll):
        """Moves bytes that one side has."""
        if fd == 0:
            data = read_some(0)
            if data:
                write_all(self.master, data)
            else:
                self.input_open = False
                poll.unregister(0)
        else:
            data = read_some(self.master)
            if data:
                write_all(1, data)
            else:
                poll.unregister(self.master)

    def drain(self):
        """What the container wrote before it ended."""
        poll = select.poll()
        poll.register(self.master, select.POLLIN)
        while poll.poll(0):
            data = read_some(self.master)
            if not data:
                return
            write_all(1, data)


def read_some(fd):
    """Bytes, or b"" at the end: a pty's master fails with EIO when nobody holds the other side."""
    try:
        return posix.read(fd, CHUNK)
    except OSError:
        return b""


def write_all(fd, data):
    """Writes everything; a reader that is gone does not matter."""
    try:
        while data:
            data = data[posix.write(fd, data) :]
    except OSError:
        pass


def control_terminal(slave):
    """Makes a terminal the controlling one of our session, so that we hear of its window; -1: there is none."""
    change_control(slave, TIOCSCTTY)


def leave_terminal(slave):
    """The inverse. A session leader that ends hangs its terminal up, and what nobody has read yet is lost."""
    change_control(slave, TIOCNOTTY)


def change_control(slave, command):
    """Best effort: what goes wrong is that nobody hears of a new size."""
    if slave >= 0:
        import fcntl

        try:
            fcntl.ioctl(slave, command, 0)
        except OSError:
            pass


def ignore_job_control():
    """We must be able to restore the terminal although another group is in front."""
    _signal.signal(_signal.SIGTTOU, _signal.SIG_IGN)
