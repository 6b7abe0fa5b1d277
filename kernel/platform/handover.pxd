# SPDX-License-Identifier: Apache-2.0
# Who sleeps and who spins while a request goes to the kernel and its answer back.

from libc.stdint cimport uint64_t

from kernel.platform.notify cimport Listener
from kernel.platform.thread cimport SystrapThread

cdef uint64_t ticks() noexcept nogil     # the time-stamp counter


cdef class Handover:
    cdef Listener listener
    cdef bint sync_wake_up               # as the listener has it while nobody spins
    cdef readonly bint allowed           # False: always WARM
    cdef readonly list hot               # the threads whose contexts are watched
    cdef readonly unsigned long nr_heated, nr_hot_requests, nr_preempted      # for the debug log
    cdef int nr_cpus
    cdef unsigned long cpus[16]          # a cpu_set_t: where we may run
    cdef uint64_t us                     # ticks in a microsecond; 0: not known yet
    cdef uint64_t born_ticks
    cdef long long born_ns
    cdef uint64_t looked                 # when the caller last looked for other events
    cdef uint64_t last                   # the last request that came in this way
    cdef uint64_t cold_until, penalty    # nobody becomes hot before; after a try that did not pay
    cdef uint64_t busy_until             # nor before this: a bell was heard late
    cdef uint64_t preempted_at, busy_penalty
    cdef uint64_t heated                 # when the first of them became hot

    cdef void came(self, SystrapThread thread, bint by_bell, dict threads)
    cdef SystrapThread next_request(self)
    cdef bint time_to_look(self) noexcept
    cdef void hurry(self, SystrapThread thread) noexcept
    cdef void gone(self, SystrapThread thread)
    cdef void cool(self)
    cdef bint learn_speed(self)
    cdef bint has_room(self, dict threads)
    cdef bint may_heat(self, SystrapThread thread, dict threads)
    cdef void heat(self, SystrapThread thread)
    cdef void back_off(self)
    cdef void preempted(self)
