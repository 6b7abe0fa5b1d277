# SPDX-License-Identifier: Apache-2.0
# A guest thread as a traced host thread.

from kernel.platform.platform cimport HostCall
from kernel.platform.ptrace.requests cimport user_regs_struct
from kernel.platform.ptrace.space cimport TracedSpace
from kernel.platform.ptrace.stops cimport Stops
from kernel.platform.x86_64.abi cimport MAX_HOST_CALLS
from kernel.platform.x86_64.state cimport MachineThread


cpdef enum:                              # TracedThread.state
    STARTING                             # not made yet
    HELD                                 # its request is with the kernel
    ORDERED                              # an order was carried out, its event is queued
    GUEST                                # runs guest code
    NATIVE                               # makes the guest's futex call
    EXITING                              # told to exit
    PARKED                               # a leader that has exited: stays stopped
    GONE                                 # dead


cdef class TracedThread(MachineThread):
    cdef TracedSpace home                # space, with its type
    cdef Stops stops
    cdef object platform                 # knows who is who
    cdef object courier
    cdef readonly int state
    cdef bint kicked                     # a stop was asked for
    cdef bint wanted                     # it came while the trap behind a futex call was on its way
    cdef bint released                   # the kernel has forgotten it
    cdef int newborn                     # host tid of the child that the clone under way made
    cdef HostCall calls[MAX_HOST_CALLS]

    # the platform's
    cdef void begin(self, int host_tid) noexcept
    cdef void end(self) noexcept
    cdef void hold(self) noexcept
    cdef bint take(self, user_regs_struct *regs) noexcept
    cdef void run_guest(self) noexcept
    cdef void go_on(self) noexcept                                         # as it stands
    cdef void run_futex(self) noexcept
    cdef bint leads(self) noexcept

    cdef long make(self, const HostCall *call) noexcept                    # result, -errno; -ESRCH when it died
    cdef long call(self, unsigned long number, unsigned long first, unsigned long second, unsigned long third) noexcept
    cdef bint aim(self, const HostCall *call) noexcept
    cdef long finish(self, unsigned long end) noexcept
    cdef void clear_word(self, unsigned long address) noexcept
    cdef int give_birth(self, TracedThread child, unsigned long flags, bint then_resume) except -1
