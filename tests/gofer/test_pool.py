# SPDX-License-Identifier: Apache-2.0
"""Host calls that wait for a disk are made by the pool: the kernel's thread is told with -EAGAIN, and by the bell when they are done."""

import errno
import os
import select
import time

import pytest
from test_host_files import FakeKernel

from kernel.mm.userbuffer import KernelBuffer
from kernel.sync.moved import Moved
from kernel.sync.pool import FDATASYNC, FSYNC, SYNCFS, WRITE, HostJob, host_job, result_of
from kernel.sync.waitqueue import Waiter
from kernel.task.task import BLOCKED, Task
from kernel.time.clock import Clock
from kernel.time.timers import TimerQueue

MIB = 1 << 20


class PoolKernel(FakeKernel):
    """What a Task wants of a kernel, and a loop that waits for the bell."""

    def __init__(self):
        super().__init__()
        self.clock, self.timers = Clock(), TimerQueue()

    def run_queue(self):
        from kernel.sync.runqueue import RunQueue

        return RunQueue()

    def wait(self, what):
        """Serve host events until it is true."""
        for _ in range(100):
            if what():
                return
            for fd, events in self.epoll.poll(5):
                self.watches[fd](events)
        raise AssertionError("the pool told nothing")


@pytest.fixture(scope="module")
def kernel():
    return PoolKernel()


@pytest.fixture
def task(kernel):
    return Task(kernel, 1, None)


@pytest.fixture
def cold(tmp_path, gofers):
    """A file of 1 MiB that the host does not have in memory, and its contents."""
    contents = os.urandom(MIB)
    path = tmp_path / "cold"
    path.write_bytes(contents)
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(fd, [bytearray(1)], MIB // 4, os.RWF_NOWAIT)
        pytest.skip("the host keeps everything in memory here")
    except BlockingIOError:
        time.sleep(0.05)  # what it reads now would be kept
    except OSError:
        pytest.skip("no RWF_NOWAIT on this file system")
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    return gofers.mount(tmp_path).root.lookup(b"cold").open(None, os.O_RDWR), contents


class Recorder(Waiter):
    woken = 0

    def wake(self, events):
        self.woken += 1
        return True


def test_a_cold_read_waits_for_the_pool(kernel, task, cold):
    file, contents = cold
    task.progress = Moved()
    recorder, buffer = Recorder(), KernelBuffer(65536)
    entry = file.poll_queue().add(recorder)
    assert file.read(task, buffer, MIB // 2) == -errno.EAGAIN
    assert isinstance(task.progress.job, HostJob)
    kernel.wait(lambda: recorder.woken)
    got = file.read(task, buffer, MIB // 2)
    assert got > 0 and bytes(buffer.data) == contents[MIB // 2 : MIB // 2 + got]
    file.poll_queue().remove(entry)
    file.put()


def test_who_cannot_wait_is_served_completely(task, cold):
    file, contents = cold
    buffer = KernelBuffer(MIB)
    assert file.read(task, buffer, 0) == MIB
    assert bytes(buffer.data) == contents
    file.put()


@pytest.mark.parametrize("kind", [FSYNC, FDATASYNC, SYNCFS])
def test_a_call_that_is_a_job(kernel, task, kind, tmp_path):
    with open(tmp_path / "file", "wb") as file:
        job = host_job(kind, file.fileno())
    assert result_of(task, job) == BLOCKED
    assert task.progress is job
    kernel.wait(lambda: job.is_done)
    assert result_of(task, job) == 0


def test_more_jobs_than_threads(kernel, task, tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        jobs = [host_job(WRITE, file.fileno(), 4096 * i, 0, 0, bytes([65 + i]) * 4096) for i in range(20)]
        for job in jobs:
            task.progress = None
            assert result_of(task, job) == BLOCKED
        kernel.wait(lambda: all(job.is_done for job in jobs))
    assert [job.result() for job in jobs] == [4096] * 20
    assert path.read_bytes() == b"".join(bytes([65 + i]) * 4096 for i in range(20))


def test_an_error_is_the_result(kernel, task):
    end, other = os.pipe()
    job = host_job(FSYNC, end)
    assert result_of(task, job) == BLOCKED
    kernel.wait(lambda: job.is_done)
    assert result_of(task, job) == -errno.EINVAL
    os.close(end), os.close(other)


def test_what_follows_a_job_comes_once_and_only_after_success(tmp_path):
    said = []
    with open(tmp_path / "file", "wb") as file:
        good = host_job(FSYNC, file.fileno())
    good.after.append(lambda: said.append("good"))
    with select.epoll() as nothing_to_sync:
        bad = host_job(FSYNC, nothing_to_sync.fileno())
    bad.after.append(lambda: said.append("bad"))
    assert good.run() == 0 and good.run() == 0 and bad.run() < 0
    assert said == ["good"]
