# SPDX-License-Identifier: Apache-2.0
"""timerfd on a clock that moves when told."""

import pytest

from fs.anon.timerfd import TimerFd
from kernel.abi.errno import EAGAIN, EINVAL
from kernel.abi.poll import POLLIN
from kernel.mm.userbuffer import KernelBuffer
from kernel.time.clock import MockClock
from kernel.time.timers import TimerQueue

MS = 1_000_000


class FakeKernel:
    def __init__(self):
        self.clock = MockClock()
        self.clock.advance(1000 * MS)
        self.timers = TimerQueue()

    def pass_ms(self, ms):
        self.clock.advance(ms * MS)
        self.timers.run(self.clock.monotonic_ns())


@pytest.fixture
def kernel():
    return FakeKernel()


def read(timer):
    buf = KernelBuffer(8)
    result = timer.read(None, buf, 0)
    return int.from_bytes(buf.data, "little") if result > 0 else result


def test_once(kernel):
    timer = TimerFd(kernel, 1)
    timer.set(10 * MS, 0, False)
    kernel.pass_ms(9)
    assert read(timer) == -EAGAIN and timer.remaining() == (1 * MS, 0)
    kernel.pass_ms(1)
    assert timer.poll() & POLLIN
    assert [read(timer), read(timer), timer.remaining()] == [1, -EAGAIN, (0, 0)]


def test_intervals_are_counted_and_an_unread_timer_costs_nothing(kernel):
    timer = TimerFd(kernel, 1)
    timer.set(10 * MS, 4 * MS, False)
    kernel.pass_ms(23)
    assert kernel.timers.next_deadline() == -1
    assert read(timer) == 4
    assert timer.remaining() == (3 * MS, 4 * MS)
    kernel.pass_ms(3)
    assert read(timer) == 1


def test_absolute_time_in_the_past_goes_off_at_once(kernel):
    timer = TimerFd(kernel, 1)
    timer.set(500 * MS, 0, True)
    kernel.pass_ms(0)
    assert read(timer) == 1


def test_setting_again_forgets_what_was_counted(kernel):
    timer = TimerFd(kernel, 1)
    timer.set(1 * MS, 0, False)
    kernel.pass_ms(5)
    timer.set(10 * MS, 0, False)
    assert read(timer) == -EAGAIN
    timer.set(0, 0, False)
    assert kernel.timers.next_deadline() == -1


def test_short_reads_are_refused(kernel):
    assert TimerFd(kernel, 1).read(None, KernelBuffer(7), 0) == -EINVAL


def test_the_longest_time_fits(kernel):
    timer = TimerFd(kernel, 1)
    timer.set(9 * 10**18, 9 * 10**18, False)
    kernel.pass_ms(1)
    assert read(timer) == -EAGAIN
