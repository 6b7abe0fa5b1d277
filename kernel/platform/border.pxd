# SPDX-License-Identifier: Apache-2.0
# The sentry's side of the contexts of one address space.

from libc.stdint cimport uint64_t

from kernel.platform.platform cimport HostCall
from kernel.platform.window cimport Window
from kernel.platform.x86_64.abi cimport answer, context, machine, report


cdef struct Birth:                       # what the zygote found out, before any guest existed
    unsigned long vdso, hwcap, hwcap2, minsigstksz       # from its auxiliary vector; libc edits ours
    unsigned long xfeatures
    unsigned long xstate_size            # bytes of the vector state in a signal frame
    unsigned int mxcsr_mask


cdef class ContextArea:
    cdef char *memory
    cdef readonly int memfd              # -1 once the stub has mapped it
    cdef context *at(self, int slot) noexcept nogil
    cdef void forget_memfd(self) noexcept
    cdef void drop(self) noexcept
    cdef void clear(self, int slot) noexcept nogil
    cdef void wipe(self, int slot) noexcept nogil
    # from the guest: each copies once
    cdef void take(self, int slot, machine *state, report *said) noexcept nogil
    cdef void take_call(self, int slot, machine *state) noexcept nogil
    cdef void take_rest(self, int slot, machine *state) noexcept nogil
    cdef void take_report(self, int slot, report *said) noexcept nogil
    cdef void take_results(self, int slot, HostCall *calls, int count) noexcept nogil
    cdef bint take_window(self, int slot, Window into) noexcept
    cdef bint hot_request(self, int slot, unsigned int seq, unsigned int looks, unsigned int *what) noexcept nogil
    cdef unsigned int says_cpu(self, int slot) noexcept nogil
    cdef uint64_t says_rang(self, int slot) noexcept nogil
    cdef bint says_waiting(self, int slot) noexcept nogil
    cdef unsigned long says_mask(self, int slot) noexcept nogil
    cdef unsigned long take_mask_back(self, int slot) noexcept nogil
    cdef unsigned long says_robust_list(self, int slot) noexcept nogil
    cdef bint newborn_is_ready(self, int slot) noexcept nogil
    # to the guest; put_answer() makes an order valid
    cdef void put_machine(self, int slot, const machine *state) noexcept nogil
    cdef void put_host_calls(self, int slot, const HostCall *calls, int count) noexcept nogil
    cdef void put_birth(self, int slot, unsigned long nonce, int child_slot) noexcept nogil
    cdef void put_ids(self, int slot, const unsigned int *ids) noexcept nogil
    cdef void put_mask(self, int slot, unsigned long mask) noexcept nogil
    cdef void put_robust_list(self, int slot, unsigned long head) noexcept nogil
    cdef void put_clear_tid(self, int slot, unsigned long address) noexcept nogil
    cdef void put_outgoing(self, int slot, Window what, int i, unsigned long at, const void *data, size_t length) noexcept
    cdef const char *outgoing(self, int slot, Window what, int i) noexcept
    cdef void set_interrupted(self, int slot) noexcept nogil
    cdef void set_spin(self, int slot, unsigned int ticks) noexcept nogil
    cdef void put_answer(self, int slot, const answer *what, bint publish) noexcept nogil
    # vector state: address is the guest's claim and may be anything
    cdef bint read_xsave(self, int slot, unsigned long address, void *into, size_t size) noexcept nogil
    cdef bint write_xsave(self, int slot, unsigned long address, const void *data, size_t size) noexcept nogil
    cdef unsigned long own_xsave(self, int slot) noexcept nogil
    # the zygote's bootstrap
    cdef unsigned long prepare_zygote(self, unsigned long nonce, const unsigned char *program, size_t size, unsigned int flags) noexcept
    cdef int wait_listener(self, int milliseconds) noexcept nogil
    cdef void take_birth(self, Birth *into) noexcept nogil
