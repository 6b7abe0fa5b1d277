# SPDX-License-Identifier: Apache-2.0
# Host calls that may take long, made by threads that touch no Python.

from kernel.sync.waitqueue cimport WaitQueue
from kernel.task.task cimport Task

cpdef enum:
    # What a thread does. Anonymous numbers: nothing outside depends on them.
    READ_AHEAD                           # bring a range into the host's page cache
    WRITE
    FSYNC
    FDATASYNC
    SYNCFS
    FALLOCATE

cpdef enum:
    UNINTERRUPTIBLE = 0                  # for Task.block: signals that do not kill wait until the call has ended


cdef struct Work:
    int kind
    int fd
    int flags                            # RWF_* of WRITE, mode of FALLOCATE
    long long offset
    long long length
    const void *data                     # of WRITE
    long result                          # count or -errno
    void *job                            # its HostJob
    Work *next


cdef class HostJob:
    cdef Work work
    cdef bytes data                      # keeps work.data alive
    cdef bint submitted
    cdef readonly bint is_done
    cdef readonly WaitQueue queue        # woken when it is done
    cdef readonly list after             # called on the kernel's thread once it has succeeded
    cdef long submit(self, object kernel) except? -1
    cdef int finish(self) except -1
    cpdef long run(self) except? -1


cpdef HostJob host_job(int kind, int fd, long long offset=*, long long length=*, int flags=*, bytes data=*)
cpdef long result_of(Task task, HostJob job) except? -1
cpdef long results_of(Task task, list jobs) except? -1
