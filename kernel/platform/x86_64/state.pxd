# SPDX-License-Identifier: Apache-2.0
# A guest thread's registers as both platforms keep them while the kernel holds its request.

from kernel.platform.platform cimport GuestThread
from kernel.platform.x86_64.abi cimport machine, report
from kernel.platform.x86_64.frame cimport FrameLayout


cdef class MachineThread(GuestThread):
    cdef FrameLayout layout
    cdef machine machine
    cdef report said                     # of the last fault
    cdef bint partial                    # of the machine only number and arguments of the call were taken; see complete()
    cdef bint changed                    # registers beside rax are other than the guest's thread left them
    cdef long original                   # number of the system call, as rax had it
    cdef char *image                     # vector state in our memory; NULL: where fetch_image finds it

    cdef void complete(self) noexcept                          # take what is missing
    cdef void touch(self) noexcept                             # before a change
    cdef bint fetch_image(self, char *into) noexcept           # the platform's: False if there is none
    cdef void load_image(self, char *into) noexcept
    cdef void store_image(self, const char *image) noexcept    # a platform may know a better place than our memory
    cdef void keep_image(self, const char *image) noexcept
    cdef void drop_image(self) noexcept
