# SPDX-License-Identifier: Apache-2.0
# Orders to rewrite a call site, in the middle of the request that came from it.

from kernel.platform.platform cimport PlatformEvents
from kernel.platform.thread cimport SystrapThread

cdef bint order_rewriting(SystrapThread thread, PlatformEvents events) except -1
cdef bint rewriting_goes_on(SystrapThread thread, PlatformEvents events, int calls_made, unsigned long *nr_rewritten) except -1
