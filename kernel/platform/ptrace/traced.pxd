# SPDX-License-Identifier: Apache-2.0
# The platform for debugging: traced processes.

from kernel.platform.platform cimport Platform
from kernel.platform.ptrace.stops cimport Stops
from kernel.platform.ptrace.thread cimport TracedThread
from kernel.platform.x86_64.frame cimport FrameLayout


cdef class PtracePlatform(Platform):
    cdef Stops stops
    cdef object courier
    cdef FrameLayout layout
    cdef TracedThread zygote
    cdef dict bound                      # host tid -> TracedThread, alive
    cdef dict spaces                     # host pid -> TracedSpace, alive

    cdef int on_stop(self, TracedThread thread, long status) except -1
    cdef int on_guest_stop(self, TracedThread thread, int event, int signo) except -1
    cdef int on_futex_stop(self, TracedThread thread, int event, int signo) except -1
    cdef int on_call(self, TracedThread thread) except -1
    cdef int on_end(self, int tid, long status) except -1
    cdef int on_made(self, int kind, TracedThread thread, long value) except -1
