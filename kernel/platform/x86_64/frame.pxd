# SPDX-License-Identifier: Apache-2.0
# Signal frames as Linux lays them out for x86_64, and the vector state in them.

from kernel.platform.border cimport Birth
from kernel.platform.x86_64.abi cimport machine


cdef struct signal_mask_and_stack:
    unsigned long mask
    unsigned long stack_sp
    unsigned int stack_flags, unused
    unsigned long stack_size


cdef struct frame_request:
    int signo
    const char *info                     # 128 bytes
    unsigned long handler, restorer, flags
    unsigned long error, trap, cr2       # of the thread's last fault
    signal_mask_and_stack saved
    unsigned long stack_top              # 0: the current stack


cdef class FrameLayout:
    cdef Birth host
    cdef readonly size_t image_size      # of the vector state
    cdef void fresh_image(self, char *image) noexcept nogil
    cdef void forget_vectors(self, char *image) noexcept nogil
    cdef void put_image(self, char *into, const char *image) noexcept nogil
    cdef void spell_out(self, char *image) noexcept nogil
    cdef void clean_image(self, char *image) noexcept nogil
    cdef bint image_is_whole(self, const char *image) noexcept nogil
    cdef size_t build(self, machine *state, const char *image, const frame_request *wanted, char *into,
                      unsigned long *where) noexcept nogil
    cdef unsigned long parse(self, machine *state, const char *frame, signal_mask_and_stack *saved) noexcept nogil


cdef size_t frame_size() noexcept nogil
