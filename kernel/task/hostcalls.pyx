# SPDX-License-Identifier: Apache-2.0
"""Host calls under way: lists of calls that a task's own host thread makes, some at once, the rest when those are done.

What Task.host_calls promises is kept here. A single call without a descriptor and without a callback, which is what most memory calls
need, goes the short way.
"""

from libc.string cimport memset

from kernel.abi.errno cimport Errno
from kernel.abi.signal cimport SIGKILL
from kernel.platform.platform cimport HostCall
from kernel.task.exit cimport group_exit
from kernel.task.task cimport BLOCKED, DEAD, GUEST, ORDERED, ORDERING

from kernel.task.failure import failure_text

cdef enum:
    NR_MMAP_FD_ARGUMENT = 4
    NR_CLOSE = 3
    FIRST_DONATED = 8
    MAX_HOST_CALLS = 40

cdef list NO_CALLS = []


cdef long order_calls(Kernel kernel, Task task, list calls, long result, object then, object failed) except? -1:
    cdef Batch batch = Batch.__new__(Batch)
    batch.kernel, batch.task, batch.done = kernel, task, []
    batch.result, batch.then, batch.failed = result, then, failed
    if then is None and len(calls) == 1 and len(<tuple?> calls[0]) < 8:
        return batch.order_one(calls)
    batch.calls = list(calls)
    return batch.order()


cdef class Batch:
    """A list of host calls under way, at most MAX_HOST_CALLS of them ordered at once."""

    cdef Kernel kernel
    cdef Task task
    cdef list calls                      # still to be ordered
    cdef list taken                      # ordered now; None stands for a close that we added
    cdef list done                       # (number, result) of earlier batches
    cdef long result
    cdef object then
    cdef object failed

    cdef long order_one(self, list calls) except? -1:
        """The only call, after which guest code goes on."""
        cdef HostCall call
        fill(&call, <tuple> calls[0])
        self.calls, self.taken = NO_CALLS, calls
        return self.give(&call, 1, True)

    cdef long order(self) except? -1:
        """Order the next batch; without a callback the last one goes straight on with guest code."""
        cdef HostCall batch[MAX_HOST_CALLS]
        cdef int count = 0
        cdef Task task = self.task
        given = {}                       # our descriptor -> its number there
        self.taken = []
        while self.calls and count + len(given) + 1 < MAX_HOST_CALLS:
            call = self.calls.pop(0)
            fill(&batch[count], call)
            if len(call) > 7 and call[7] >= 0:
                if call[7] not in given:
                    given[call[7]] = FIRST_DONATED + len(given)
                    task.thread.donate(call[7], given[call[7]])
                batch[count].args[NR_MMAP_FD_ARGUMENT] = given[call[7]]
            self.taken.append(call)
            count += 1
        for donated in given.values():
            fill(&batch[count], (NR_CLOSE, donated))
            self.taken.append(None)
            count += 1
        return self.give(batch, count, not self.calls and self.then is None)

    cdef long give(self, HostCall *calls, int count, bint straight) except? -1:
        """Order calls; straight: with the result."""
        cdef Task task = self.task
        task.after_host_calls = self
        if straight:
            self.prepare_result()
        task.state = GUEST if straight else ORDERING
        task.thread.host_calls(calls, count, straight)
        if straight and task.signal_pending():
            task.thread.interrupt()
        return ORDERED

    cdef void prepare_result(self):
        cdef Task task = self.task
        task.thread.set_result(self.result)
        if task.restore_blocked:
            task.restore_blocked = False
            task.blocked = task.saved_blocked

    def __call__(self, results):
        """A batch came back: the next one, the callback, or the result."""
        cdef long answer
        try:
            answer = self.follow(results)
        except Errno as error:
            answer = -error.number
        except Exception as error:
            self.kernel.log("task %d: after host calls: %s" % (self.task.tid, failure_text(error)))
            group_exit(self.task.group, SIGKILL)
            return
        if answer == ORDERED or self.task.state == DEAD:
            return
        if answer == BLOCKED:
            if self.task.signal_pending():
                self.task.leave_queues()
                self.kernel.back_to_guest(self.task, True)
            return
        self.kernel.finish(self.task, answer)

    cdef long follow(self, results) except? -1:
        failed = 0
        for i in range(len(results)):
            if self.taken[i] is not None:
                self.done.append(results[i])
            if -4096 < results[i][1] < 0:
                failed = results[i][1]
        if failed and self.then is None:
            return failed if self.failed is None else self.failed(self.task, self.done)
        if self.calls and not failed:
            return self.order()
        return self.result if self.then is None else self.then(self.task, self.done)


cdef int fill(HostCall *call, tuple values) except -1:
    cdef int i
    memset(call, 0, sizeof(HostCall))
    call.number = values[0]
    for i in range(min(len(values) - 1, 6)):
        call.args[i] = <unsigned long> (<object> values[i + 1] & 0xffffffffffffffff)
    return 0
