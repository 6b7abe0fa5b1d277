# SPDX-License-Identifier: Apache-2.0
# A guest thread on its host thread: its state in our memory, the orders it gets.

from libc.stdint cimport uint64_t

from kernel.platform.notify cimport Listener
from kernel.platform.platform cimport GuestThread, HostCall
from kernel.platform.sites cimport Sites
from kernel.platform.space cimport StubSpace
from kernel.platform.window cimport Window
from kernel.platform.x86_64.abi cimport MAX_HOST_CALLS, answer
from kernel.platform.x86_64.state cimport MachineThread


cpdef enum:                              # SystrapThread.state
    STARTING                             # no hello yet
    HELLO                                # held in its hello
    GUEST                                # answered: guest code, or the shim carrying out an order
    SERVING                              # held in a bell
    ARMED                                # order written, but a descriptor must go first and its bell was taken away
    EXITING                              # told to exit
    PARKED                               # a leader that has exited: never answered
    GONE                                 # its process is dead


cdef enum Rewriting:                     # an order of the platform's own, in the middle of a request
    NO_REWRITING
    MAP_TABLE
    WRITE_CODE
    PROTECT_PAGE


cdef class SystrapThread(MachineThread):
    cdef StubSpace stub                  # space, with its type
    cdef Listener listener
    cdef dict births                     # nonce -> thread, of the platform
    cdef readonly int slot               # -1 until known
    cdef readonly int state
    cdef readonly unsigned int seq       # of its last request
    cdef uint64_t notification           # 0: none
    cdef uint64_t answered               # when, in ticks
    cdef int short_gaps                  # see handover.pyx
    cdef readonly bint hot               # it spins before it rings
    cdef unsigned int hot_what           # of the request that was found
    cdef bint kicked                     # SIG_INTR is on its way
    cdef unsigned long mask              # of signals, as its context has it
    cdef bint mask_is_local
    cdef bint newborn                    # no bell yet
    cdef bint parking
    cdef Window window                   # the platform's
    cdef answer reply                    # the answer being given
    cdef uint64_t what                   # K_* and IS_* of its request
    cdef bint released                   # the kernel has forgotten it; its process dies, or it exits
    cdef unsigned long nonce             # what it says in its hello
    cdef unsigned int order              # the last one
    cdef bint then_resume
    cdef HostCall calls[MAX_HOST_CALLS]
    cdef int rewriting                   # what the calls are for: see Rewriting
    cdef int nr_calls
    cdef int next_call                   # calls before it have been seen as notifications
    cdef SystrapThread child             # that it is ordered to make
    cdef Sites parent_sites              # of the process that is forking it
    cdef list donations                  # [(our descriptor, number)] that wait for its next bell

    cdef bint leads(self) noexcept
    cdef void open_window(self)
    cdef void close_window(self, bint copied_by_shim) noexcept
    cdef uint64_t call_end(self) noexcept
    cdef void new_nonce(self)
    cdef void answer(self) noexcept
    cdef void answer_again(self, uint64_t notification) noexcept
    cdef int give_birth(self, SystrapThread child, unsigned int order, bint then_resume) except -1
    cdef void order_birth(self, unsigned int order) noexcept
    cdef bint permits(self, int number, const uint64_t *args) noexcept
    cdef void fork_is_over(self) noexcept
    cdef void put_state(self) noexcept
    cdef void give_order(self, unsigned int order, bint then_resume) noexcept
    cdef bint give_descriptors(self) noexcept
