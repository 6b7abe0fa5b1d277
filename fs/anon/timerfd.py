# SPDX-License-Identifier: Apache-2.0
"""Timers as files (timerfd_create(2)): a deadline, an interval, and how often it went off since the last read.

Everything is counted in the kernel's monotonic time; a timer of the real-time clock is converted when it is set. A jump of the host's clock
is not noticed, so TFD_TIMER_CANCEL_ON_SET never cancels.
"""

from fs.anon.inode import anon_inode
from fs.vfs.file import File
from kernel.abi.errno import EAGAIN, EINVAL
from kernel.abi.fs import O_RDWR
from kernel.abi.poll import POLLIN, POLLRDNORM

NEVER_NS = 1 << 62  # beyond it a deadline does not fit the timer queue, and nobody lives to see it


class TimerFd(File):
    """One timer."""

    def __init__(self, kernel, clock_id, flags=0):
        self.inode = anon_inode(b"[timerfd]")
        self.path = self.inode.path
        self.flags = O_RDWR | flags
        self.kernel = kernel
        self.clock_id = clock_id
        self.settime_flags = 0
        self.deadline_ns = 0  # monotonic; 0: disarmed
        self.interval_ns = 0
        self.ticks = 0  # that were counted and not read
        self.timer = None

    def set(self, value_ns, interval_ns, absolute):
        """Arm, or disarm with value 0; an absolute value is of the timer's own clock."""
        self.disarm()
        self.interval_ns = interval_ns
        if value_ns:
            now = self.kernel.clock.monotonic_ns()
            relative = value_ns - self.kernel.clock.now(self.clock_id) if absolute else value_ns
            self.deadline_ns = max(now + relative, 1)
            self.start()

    def remaining(self):
        """(ns until it goes off, interval in ns); 0 for disarmed."""
        self.count()
        if not self.deadline_ns:
            return 0, self.interval_ns
        return max(self.deadline_ns - self.kernel.clock.monotonic_ns(), 1), self.interval_ns

    def start(self):
        self.timer = self.kernel.timers.add(min(self.deadline_ns, NEVER_NS), self.went_off)

    def disarm(self):
        """No deadline, nothing counted."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.deadline_ns = self.ticks = 0

    def went_off(self):
        """The deadline passed. With an interval the next one is set only when this one was read: an unread timer costs nothing."""
        self.timer = None
        self.count()
        self.waiters.wake(POLLIN | POLLRDNORM)

    def count(self):
        """Count what has passed; the deadline moves to the next in the future."""
        now = self.kernel.clock.monotonic_ns()
        if not self.deadline_ns or now < self.deadline_ns:
            return
        if not self.interval_ns:
            self.ticks += 1
            self.deadline_ns = 0
            return
        passed = (now - self.deadline_ns) // self.interval_ns + 1
        self.ticks += passed
        self.deadline_ns += passed * self.interval_ns

    def read(self, task, buf, pos):
        """8 bytes: how often it went off since the last read; -EAGAIN for never."""
        if buf.left() < 8:
            return -EINVAL
        self.count()
        if not self.ticks:
            return -EAGAIN
        buf.put(self.ticks.to_bytes(8, "little"))
        self.ticks = 0
        if self.deadline_ns and self.timer is None:
            self.start()
        return 8

    def poll(self):
        return POLLIN | POLLRDNORM if self.ticks else 0

    def release(self):
        self.disarm()

    def fdinfo(self):
        """Lines of /proc/[pid]/fdinfo."""
        value, interval = self.remaining()
        return [
            f"clockid: {self.clock_id}",
            f"ticks: {self.ticks}",
            f"settime flags: 0{self.settime_flags:o}",
            f"it_value: ({value // 10**9}, {value % 10**9})",
            f"it_interval: ({interval // 10**9}, {interval % 10**9})",
        ]
