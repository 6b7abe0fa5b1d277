# SPDX-License-Identifier: Apache-2.0
# The default platform: seccomp traps, a shim in every stub, answers by user notification.

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from kernel.platform.handover cimport Handover
from kernel.platform.notify cimport Listener, seccomp_notif
from kernel.platform.platform cimport Platform
from kernel.platform.thread cimport SystrapThread
from kernel.platform.window cimport Window
from kernel.platform.x86_64.frame cimport FrameLayout
from kernel.platform.zygote cimport Zygote


cdef class SystrapPlatform(Platform):
    cdef readonly bint strict            # memory calls need the sentry's word each
    cdef readonly bint sync_wake_up      # the answer brings us to the caller's processor (Linux 6.6)
    cdef readonly dict counters
    cdef unsigned long nr_rewritten      # call sites
    cdef Listener bells
    cdef readonly Handover handover
    cdef bint spinning, patching
    cdef FrameLayout layout
    cdef Window window
    cdef Zygote zygote
    cdef SystrapThread zygote_thread
    cdef list spawning                   # threads that the zygote has yet to make a process for
    cdef dict births                     # nonce -> thread that has not said hello
    cdef dict spaces                     # host pid -> StubSpace
    cdef dict bound                      # host tid -> SystrapThread; owns what by_tid borrows
    cdef PyObject **by_tid
    cdef seccomp_notif notification

    cdef int on_bell(self, SystrapThread thread, unsigned int seq, uint64_t what, uint64_t id) except -1
    cdef int new_request(self, SystrapThread thread, unsigned int seq, uint64_t what, uint64_t id) except -1
    cdef int on_request(self, SystrapThread thread, uint64_t what) except -1
    cdef int after_rewriting(self, SystrapThread thread) except -1
    cdef int on_fault(self, SystrapThread thread) except -1
    cdef int on_done(self, SystrapThread thread) except -1
    cdef int on_zygote_idle(self) except -1
    cdef int on_hello(self, int pid, uint64_t nonce, uint64_t id) except -1
    cdef int on_lane_b(self, SystrapThread thread, seccomp_notif *note) except -1
    cdef int breach(self, SystrapThread thread, str what) except -1
    cdef int stranger(self, int pid, str what) except -1
    cdef SystrapThread thread_of(self, int tid)
    cdef int bind(self, SystrapThread thread, int tid) except -1
    cdef int unbind(self, int tid) except -1
