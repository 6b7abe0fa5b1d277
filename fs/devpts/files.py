# SPDX-License-Identifier: Apache-2.0
"""The two ends of a pseudo-terminal as open files (pty(7))."""

from fs.devpts.ioctl import master_ioctl, slave_ioctl
from fs.devpts.tty import OUTPUT_LIMIT, READABLE, WRITABLE
from fs.vfs.file import File
from kernel.abi.errno import EAGAIN, EIO
from kernel.abi.fs import O_NOCTTY, O_NONBLOCK
from kernel.abi.poll import POLLERR, POLLHUP, POLLPRI
from kernel.abi.tty import ICANON, VMIN, VTIME

CHUNK = 65536


class SlaveFile(File):
    """/dev/pts/N: what a program takes for its terminal."""

    def __init__(self, task, inode, tty, flags):
        self.inode = inode
        self.flags = flags
        self.tty = tty
        self.waiters = tty.slave_queue
        tty.slave_opened(task, not flags & O_NOCTTY)

    def read(self, task, buf, pos):
        """A line, or what VMIN and VTIME ask for; 0 after a hang-up."""
        tty = self.tty
        if not tty.master_open:
            return 0
        result = tty.check_background_read(task)
        if result:
            return result
        if buf.left() == 0:
            return 0
        if task.progress is None:
            tty.stop_read_timer()
        wait = self.must_wait(buf.left())
        if wait is not None:
            return wait
        tty.stop_read_timer()
        data = tty.ldisc.peek(buf.left())
        count = buf.put(data) if data else 0
        tty.ldisc.consume(count)
        tty.pump()
        tty.master_queue.wake(WRITABLE)
        return count

    def must_wait(self, count):
        """None if there is enough to read; else what read returns: -EAGAIN, or 0 when VTIME is over or nothing is waited for."""
        tty = self.tty
        if tty.ldisc.termios.lflag & ICANON:
            return None if tty.ldisc.readable() else -EAGAIN
        least, tenths = tty.ldisc.termios.cc[VMIN], tty.ldisc.termios.cc[VTIME]
        available = tty.ldisc.available()
        if available >= min(max(least, 1), count) or (available and (tty.read_time_is_up or self.flags & O_NONBLOCK)):
            return None
        if least == 0 and (tenths == 0 or tty.read_time_is_up):
            tty.stop_read_timer()
            return 0
        if tenths and (least == 0 or available) and not self.flags & O_NONBLOCK:
            tty.start_read_timer(tenths)
        return -EAGAIN

    def write(self, task, buf, pos):
        tty = self.tty
        if not tty.master_open:
            return -EIO
        result = tty.check_background_write(task)
        if result:
            return result
        room = OUTPUT_LIMIT - len(tty.ldisc.output)
        if buf.left() == 0:
            return 0
        if room <= 0 or tty.ldisc.stopped:
            return -EAGAIN
        return tty.write(task, buf.take(min(room, buf.left())))

    def poll(self):
        tty = self.tty
        if not tty.master_open:
            return READABLE | WRITABLE | POLLHUP | POLLERR
        termios = tty.ldisc.termios
        least = 1
        if not termios.lflag & ICANON and not termios.cc[VTIME]:
            least = max(termios.cc[VMIN], 1)
        ready = READABLE if tty.ldisc.readable() and (least == 1 or tty.ldisc.available() >= least) else 0
        return ready | (WRITABLE if tty.writable() else 0)

    def ioctl(self, task, command, argument):
        return slave_ioctl(self, task, command, argument)

    def release(self):
        self.tty.slave_closed()


class MasterFile(File):
    """What an open of /dev/ptmx returns: the terminal's own side."""

    def __init__(self, inode, devpts, tty, flags):
        self.inode = inode
        self.flags = flags
        self.devpts = devpts
        self.tty = tty
        self.waiters = tty.master_queue

    def read(self, task, buf, pos):
        """Output of the slave; EIO once the slave was closed and everything is read. In packet mode a status byte is in front."""
        tty = self.tty
        if buf.left() == 0:
            return 0
        if tty.packet_mode and tty.packet_status:
            buf.put(bytes((tty.packet_status,)))
            tty.packet_status = 0
            return 1
        if not tty.has_output():
            return -EIO if tty.slave_gone() else -EAGAIN
        head = b"\0" if tty.packet_mode else b""
        count = buf.put(head + bytes(tty.ldisc.output[: min(buf.left(), CHUNK) - len(head)]))
        tty.take_output(count - len(head))
        return count

    def write(self, task, buf, pos):
        """Typing."""
        if buf.left() == 0:
            return 0
        room = self.tty.typing_room()
        if room <= 0:
            return -EAGAIN
        return self.tty.type(buf.take(min(room, buf.left())))

    def poll(self):
        tty = self.tty
        ready = WRITABLE if tty.typing_room() > 0 else 0
        if tty.has_output():
            ready |= READABLE
        if tty.packet_mode and tty.packet_status:
            ready |= READABLE | POLLPRI
        if tty.slave_gone():
            ready |= POLLHUP
        return ready

    def ioctl(self, task, command, argument):
        return master_ioctl(self, task, command, argument)

    def release(self):
        self.tty.close_master()
        self.devpts.master_closed(self.tty)
