# SPDX-License-Identifier: Apache-2.0
# A call that moves bytes, between its attempts.

from kernel.sync.pool cimport HostJob
from kernel.sync.waitqueue cimport WaitQueue
from kernel.task.task cimport Task


cdef class Moved:
    cdef public long total               # bytes moved so far
    cdef public long long deadline_ns    # when SO_RCVTIMEO or SO_SNDTIMEO ends it; -1
    cdef public HostJob job              # what a file of the host has the pool do for this call; None
    cdef Task task                       # whose call it is, while it has objects for itself
    cdef list held                       # files and inodes that no other such call may use meanwhile; None
    cdef WaitQueue queue                 # who waits for them
    cdef int hold(self, Task task, list objects) except -1
    cdef int let_go(self) except -1


cdef int nr_held                         # objects held by anybody; 0: nobody needs to ask

cdef Moved holder_of(Task task, object held)
