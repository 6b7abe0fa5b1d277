# SPDX-License-Identifier: Apache-2.0
# A kernel that measures its handlers.

from kernel.task.kernel cimport Kernel


cdef class MeasuredKernel(Kernel):
    cdef dict attempts                   # number of a system call -> how often it was tried; a heavy call is served in many turns
    cdef dict longest                    # number of a system call -> most ns of processor time that one attempt took
