# SPDX-License-Identifier: Apache-2.0
"""The order in which a call site is rewritten: the process's table is mapped once, then the code is written by its own thread.

The request that showed the site waits meanwhile and is served afterwards, rewritten or not. No fork is made while such an order is out:
its child would have code that it can write. Forks wait for the order, and orders for forks.

The order ends by giving the page the protection that it had. Another thread may have changed that meanwhile, by an order of its own
that was carried out first; so the kernel is asked again, until what it says is what the page has.
"""

from libc.stdint cimport uint64_t

from kernel.platform.platform cimport HostCall
from kernel.platform.sites cimport SITE_CALLS, Sites
from kernel.platform.thread cimport MAP_TABLE, NO_REWRITING, PROTECT_PAGE, WRITE_CODE
from kernel.platform.x86_64.abi cimport ORDER_FORK, SITE_SLOTS


cdef bint order_rewriting(SystrapThread thread, PlatformEvents events) except -1:
    """Orders that the site of the thread's call be rewritten. False if it can't be."""
    cdef Sites sites = thread.stub.sites
    cdef HostCall calls[SITE_CALLS]
    cdef uint64_t back = thread.call_end()
    cdef int protection
    if sites.forks:
        return False
    protection = events.code_protection(thread, back - 8, back + 8)
    if protection and not sites.mapped:
        sites.map_call(calls)
        thread.rewriting = MAP_TABLE
    elif protection and sites.plan(thread.stub, back, protection, calls):
        thread.rewriting = WRITE_CODE
    else:
        sites.never(back)
        return False
    sites.busy += 1
    thread.host_calls(calls, 1 if thread.rewriting == MAP_TABLE else SITE_CALLS, False)
    return True


cdef bint rewriting_goes_on(SystrapThread thread, PlatformEvents events, int calls_made, unsigned long *nr_rewritten) except -1:
    """The order was carried out, or failed: then the site traps for ever. True if another one follows."""
    cdef Sites sites = thread.stub.sites
    cdef HostCall *last = &thread.calls[0 if calls_made < SITE_CALLS else SITE_CALLS - 1]      # that gave the page a protection
    cdef bint mapped = thread.rewriting == MAP_TABLE and calls_made == 1 and thread.calls[0].result == SITE_SLOTS
    cdef bint written = thread.rewriting == WRITE_CODE and calls_made == SITE_CALLS and thread.calls[1].result == 0
    if written:
        nr_rewritten[0] += 1
    elif not mapped and thread.rewriting != PROTECT_PAGE:
        sites.never(thread.call_end())
    if thread.rewriting == WRITE_CODE or thread.rewriting == PROTECT_PAGE and last.result == 0:
        if protect_again(thread, events, last.args[2]):
            return True
    thread.rewriting = NO_REWRITING
    sites.busy -= 1
    while sites.waiting and not sites.busy:
        (<SystrapThread> sites.waiting.pop()).order_birth(ORDER_FORK)
    if mapped:
        sites.mapped = True
        return order_rewriting(thread, events)
    return False


cdef bint protect_again(SystrapThread thread, PlatformEvents events, unsigned long had) except -1:
    """Orders the page's protection if it should not be what it was given last."""
    cdef HostCall call = thread.calls[0]
    cdef int protection = events.page_protection(thread, call.args[0])
    if protection < 0 or <unsigned long> protection == had:
        return False
    call.args[2] = protection
    thread.rewriting = PROTECT_PAGE
    thread.host_calls(&call, 1, False)
    return True
