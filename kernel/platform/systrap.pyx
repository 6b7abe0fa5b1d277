# SPDX-License-Identifier: Apache-2.0
"""The default platform: the stub's filter traps every call, the shim asks by user notification, one listener hears all stubs.

The rules (DESIGN 2.1): who speaks is what the host says, never what a message says; a newborn proves itself with the nonce of the
order that made it; a bell carries a sequence number and is either the next request, the same one again (its notification was
taken away), or the last one after its answer got lost. Anything else is a breach and kills the stub. A thread that spins needs no
bell; the protocol with both is in tests/unit/models/handover.pml.
"""

from cpython.object cimport PyObject
from libc.errno cimport EINTR
from libc.signal cimport SIGILL, SIGKILL, SIGSEGV
from libc.stdlib cimport calloc, free
from posix.signal cimport kill

from kernel.abi.errno cimport Errno
from kernel.platform.log import log
from kernel.platform.notify cimport Listener, seccomp_notif
from kernel.platform.platform cimport GuestThread, Platform, PlatformEvents, Space
from kernel.platform.rewriting cimport order_rewriting, rewriting_goes_on
from kernel.platform.sites cimport A_CALL, COMPARED, NO_SITE, Middle
from kernel.platform.space cimport StubSpace
from kernel.platform.thread cimport ARMED, EXITING, GONE, GUEST, HELLO, PARKED, SERVING, STARTING, SystrapThread
from kernel.platform.x86_64.abi cimport (
    CTX_BASE, GUEST_END, HAS_MASK, HAS_PIECES, IS_FOREIGN, IS_TRAPPED, KIND_MASK, K_DONE, K_FAULT, K_FUTEX, K_SITE, K_SYSCALL, NR_BELL,
    NR_HELLO, ORDER_CLEAR, ORDER_FORK, ORDER_HOST, ORDER_RESUME, ORDER_THREAD, RAX, SITE_BYTES, SITE_SLOTS,
)
from kernel.platform.window cimport Window
from kernel.platform.x86_64.frame cimport FrameLayout
from kernel.platform.zygote cimport Zygote

cdef extern from *:
    """
    #include <linux/audit.h>
    #include <sys/auxv.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    #include <cpuid.h>
    static inline int has_xsaveopt(void) {
        unsigned a, b, c, d; return __get_cpuid_count(13, 1, &a, &b, &c, &d) && (a & 1); }
    """
    bint has_xsaveopt() nogil            # what shims save vectors with on the way from a rewritten site
    unsigned long getauxval(unsigned long type) nogil
    enum:
        AT_HWCAP2
        SYS_tgkill
    long syscall(long number, ...) nogil

cdef enum:
    HWCAP2_FSGSBASE = 2
    NR_TIDS = 4194305                    # PID_MAX_LIMIT + 1
    X32_BIT = 0x40000000
    MIN_ADDRESS = SITE_SLOTS + SITE_BYTES        # mmap_min_addr; below lies the table of rewritten sites
    SMALLEST_FRAME = 2048


cdef class SystrapPlatform(Platform):
    """One per sandbox."""

    def __cinit__(self, bint strict=False, bint spinning=True, bint patching=True):
        self.strict = strict
        self.spinning = spinning
        self.patching = patching and has_xsaveopt()
        self.listener = -1
        self.layout = FrameLayout()
        self.window = Window()
        self.zygote = Zygote()
        self.spawning = []
        self.births = {}
        self.spaces = {}
        self.bound = {}
        self.counters = {"again": 0, "answered again": 0, "breaches": 0}
        self.by_tid = <PyObject **> calloc(NR_TIDS, sizeof(void *))
        if self.by_tid == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.by_tid)

    cpdef start(self, PlatformEvents events):
        cdef StubSpace space = StubSpace()
        cdef SystrapThread thread = SystrapThread()
        if not getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE:
            raise OSError("this processor or kernel has no FSGSBASE")
        self.events = events
        self.adopt(thread, space)
        thread.slot = space.take_slot()
        thread.new_nonce()
        self.zygote.start(space.area, thread.nonce, self.strict)
        space.area.forget_memfd()
        if self.zygote.birth.xstate_size < 512:
            raise OSError("this processor or kernel has no xsave")
        self.layout.host = self.zygote.birth
        self.layout.image_size = self.zygote.birth.xstate_size
        self.bells = Listener(self.zygote.listener)
        thread.listener = self.bells
        self.listener = self.bells.fd
        self.sync_wake_up = self.bells.set_sync_wake_up(True)
        self.handover = Handover(self.bells, self.sync_wake_up, self.spinning)
        self.zygote_thread = thread

    @property
    def zygote_pid(self):
        """For whoever moves it into a cgroup."""
        return self.zygote.host_pid

    cpdef int dispatch(self) except -1:
        cdef seccomp_notif *note = &self.notification
        cdef PyObject *found
        cdef SystrapThread thread
        if not self.bells.receive(note):
            return 0
        if note.data.nr == NR_HELLO:
            self.on_hello(note.pid, note.data.args[0], note.id)
            return 1
        found = self.by_tid[note.pid] if note.pid < NR_TIDS else NULL
        if found == NULL:
            self.stranger(note.pid, f"call {note.data.nr} of an unknown thread")
            return 1
        thread = <SystrapThread> found   # held while it is served: its exit forgets it
        if note.data.nr == NR_BELL:
            self.on_bell(thread, note.data.args[0], note.data.args[1], note.id)
        else:
            self.on_lane_b(thread, note)
        return 1

    cpdef describe(self, list pieces):
        self.zygote.describe(pieces)

    cpdef str statistics(self):
        cdef Handover h = self.handover
        return (f"platform: {self.counters}, {h.nr_heated} times hot, {h.nr_hot_requests} requests so, {h.nr_preempted} times preempted, "
                f"{self.nr_rewritten} sites rewritten")

    cdef int serve_hot(self) except -1:
        cdef SystrapThread thread
        if not self.handover.hot:
            return 0
        if self.handover.time_to_look():
            return 1
        thread = self.handover.next_request()
        if thread is None:
            return 0
        self.new_request(thread, thread.seq + 1, thread.hot_what, 0)
        return 2

    cpdef GuestThread new_thread(self, Space space):
        cdef SystrapThread thread = SystrapThread()
        if space is None:
            self.adopt(thread, StubSpace())
            return thread
        thread.slot = (<StubSpace> space).take_slot()
        self.forget_gone(<StubSpace> space)
        if thread.slot < 0:
            raise Errno(11)              # EAGAIN
        self.adopt(thread, <StubSpace> space)
        return thread

    cpdef spawn(self, GuestThread thread):
        self.spawning.append(thread)
        if self.zygote_thread.state == SERVING:
            self.on_zygote_idle()

    cpdef int child_died(self, int host_pid, int wait_status) except -1:
        """1 if it was a stub."""
        cdef StubSpace space = self.spaces.pop(host_pid, None)
        if host_pid == self.zygote.host_pid:
            log(f"the zygote died with status {wait_status:#x}")
            return 1
        if space is None:
            return 0
        self.bury(space)
        self.events.on_space_dead(space, wait_status)
        return 1

    cpdef unsigned long vdso(self):
        """0 if the host put it where guests may unmap it."""
        return self.zygote.birth.vdso if self.zygote.birth.vdso >= CTX_BASE else 0

    cpdef dict limits(self):
        return {
            "min_address": MIN_ADDRESS,
            "guest_end": GUEST_END,
            "minsigstksz": self.zygote.birth.minsigstksz or SMALLEST_FRAME,
            "hwcap": self.zygote.birth.hwcap,
            "hwcap2": self.zygote.birth.hwcap2,
            "platform": "x86_64",
        }

    cpdef release(self, GuestThread thread):
        cdef SystrapThread t = <SystrapThread> thread
        t.stub.threads.discard(t)
        t.task = None
        t.released = True
        if t.nonce:
            self.births.pop(t.nonce, None)
        if t.state == STARTING and t.slot >= 0:
            t.stub.free_slot(t.slot, 0)
        elif t.state == EXITING:
            t.stub.free_slot(t.slot, t.host_tid)
            self.forget_gone(t.stub)

    # what the listener brings

    cdef int on_bell(self, SystrapThread thread, unsigned int seq, uint64_t what, uint64_t id) except -1:
        """The table of the bell protocol."""
        cdef int state = thread.state
        if seq == thread.seq + 1 and state == GUEST:
            return self.new_request(thread, seq, what, id)
        if seq != thread.seq or seq == 0 and thread.newborn:
            return self.breach(thread, f"sequence number {seq} after {thread.seq}, state {state}")
        if state == SERVING or state == PARKED or state == ARMED:
            self.counters["again"] += 1
            thread.notification = id
            if state == ARMED:
                thread.answer()
            return 0
        self.counters["answered again"] += 1
        thread.answer_again(id)
        return 0

    cdef int new_request(self, SystrapThread thread, unsigned int seq, uint64_t what, uint64_t id) except -1:
        """id 0: there is no notification, the thread spins."""
        thread.seq = seq
        thread.notification = id
        thread.state = SERVING
        thread.held = True
        if thread.newborn:
            thread.newborn = False
            self.births.pop(thread.nonce, None)
            if thread.leads():
                thread.stub.area.forget_memfd()
        if thread.released:              # it was killed on its way to us
            return 0
        self.handover.came(thread, id != 0, self.bound)
        if what & HAS_MASK:
            thread.mask = thread.stub.area.says_mask(thread.slot)
            self.events.on_mask(thread, thread.mask)
        self.on_request(thread, what)
        if thread.hot and thread.state != GUEST:
            self.handover.hurry(thread)
        return 0

    cdef int on_request(self, SystrapThread thread, uint64_t what) except -1:
        """A new request: what the context says is copied here, once. After an order the registers are ours already."""
        cdef bint must_be_done = not thread.then_resume
        cdef uint64_t kind = what & KIND_MASK
        if kind == K_DONE:
            thread.stub.area.take_report(thread.slot, &thread.said)
            return self.on_done(thread)
        if must_be_done and kind != K_FAULT or kind < K_SYSCALL or kind > K_SITE or what >> 32:
            return self.breach(thread, f"request of kind {what:#x} after order {thread.order}")
        thread.then_resume = True
        thread.order = ORDER_RESUME
        thread.original = -1
        thread.child = None
        thread.what = what
        thread.changed = False
        thread.partial = kind == K_SYSCALL
        if kind == K_SYSCALL:
            thread.stub.area.take_call(thread.slot, &thread.machine)
        else:
            thread.stub.area.take(thread.slot, &thread.machine, &thread.said)
        if kind == K_SYSCALL or kind == K_SITE:
            if (what & IS_TRAPPED and self.patching and not what & IS_FOREIGN and thread.stub.sites.often(thread.call_end())
                    and order_rewriting(thread, self.events)):
                return 0
            return self.after_rewriting(thread)
        if kind == K_FAULT:
            return self.on_fault(thread)
        if kind == K_FUTEX:
            thread.original = <int> thread.machine.regs[RAX]
            return self.events.on_futex_interrupt(thread)
        return self.events.on_interrupt(thread)

    cdef int after_rewriting(self, SystrapThread thread) except -1:
        """The system call itself; a site that was only shown is gone to again."""
        if thread.what & KIND_MASK == K_SITE:
            return self.events.on_interrupt(thread)
        thread.original = <int> thread.machine.regs[RAX]
        if not thread.what & IS_FOREIGN and (thread.original < 0 or not thread.original & X32_BIT):
            if not thread.what & HAS_PIECES:
                return self.events.on_syscall(thread)
            thread.open_window()
            try:
                return self.events.on_syscall(thread)
            finally:
                thread.close_window(False)
        return self.events.on_foreign_syscall(thread)

    cdef int on_fault(self, SystrapThread thread) except -1:
        cdef Middle middle = NO_SITE
        if thread.stub.sites.mapped and (thread.said.signo == SIGILL or thread.said.signo == SIGSEGV):
            middle = thread.stub.sites.middle(thread.stub, &thread.machine)
        if middle != NO_SITE:
            thread.changed = True
        if middle == A_CALL:
            thread.what = K_SYSCALL
            return self.after_rewriting(thread)
        if middle == COMPARED:
            return self.events.on_interrupt(thread)
        return self.events.on_fault(thread, thread.said.signo & 31 or 11, thread.said.code, thread.said.address)

    cdef int on_done(self, SystrapThread thread) except -1:
        """An order was carried out, or failed. Results are the guest's word and concern itself only."""
        cdef unsigned int order = thread.order
        cdef long result = thread.said.result
        thread.order = ORDER_RESUME
        if thread is self.zygote_thread:
            return self.on_zygote_done(order, result)
        if order == ORDER_HOST:
            thread.stub.area.take_results(thread.slot, thread.calls, thread.nr_calls)
            if thread.rewriting:
                if rewriting_goes_on(thread, self.events, max(0, min(result, thread.nr_calls)), &self.nr_rewritten):
                    return 0
                return self.after_rewriting(thread)
            return self.events.on_host_calls(thread, thread.calls, max(0, min(result, thread.nr_calls)))
        if order == ORDER_FORK:
            thread.child.fork_is_over()
        if (order == ORDER_FORK or order == ORDER_THREAD) and result == -EINTR:
            thread.order_birth(order)
            return 0
        if order == ORDER_FORK or order == ORDER_THREAD:
            if result < 0 and thread.child.state == STARTING:
                self.births.pop(thread.child.nonce, None)
            thread.child = None
            return self.events.on_clone(thread, max(-4095, min(result, 0)))
        if order == ORDER_CLEAR and thread.parking:
            thread.held = False
            thread.state = PARKED
            return 0
        return self.breach(thread, f"done, after order {order}")

    def on_zygote_done(self, unsigned int order, long result):
        cdef SystrapThread child = self.zygote_thread.child
        self.zygote_thread.child = None
        if order == ORDER_FORK and result == -EINTR:
            self.zygote_thread.child = child
            self.zygote_thread.order_birth(order)
            return 0
        if order == ORDER_FORK and result < 0:
            log(f"the zygote can't fork: error {-result}")
            self.bury(child.stub)
            self.events.on_space_dead(child.stub, SIGKILL)
        return self.on_zygote_idle()

    cdef int on_zygote_idle(self) except -1:
        if self.spawning:
            self.zygote_thread.fork(self.spawning.pop(0), False)
        return 0

    cdef int on_hello(self, int pid, uint64_t nonce, uint64_t id) except -1:
        """A new host thread: bound to the thread whose nonce it knows. A process must be one, a thread must be of its process."""
        cdef SystrapThread thread = self.births.get(nonce)
        cdef bint again = thread is not None and thread.host_tid == pid and thread.newborn
        if again:
            self.counters["again"] += 1
        elif thread is None or thread.state != STARTING or not self.may_be(thread, pid):
            return self.stranger(pid, "hello refused")
        else:
            thread.fork_is_over()
            self.bind(thread, pid)
            thread.newborn = thread is not self.zygote_thread
        if thread.state == GUEST:
            thread.answer_again(id)
            return 0
        thread.notification = id
        if thread.state == ARMED:
            thread.answer()
        elif not again:
            thread.state = HELLO
            thread.held = True
            if thread is self.zygote_thread:
                thread.give_order(ORDER_CLEAR, False)
            else:
                self.events.on_born(thread)
        return 0

    cdef int on_lane_b(self, SystrapThread thread, seccomp_notif *note) except -1:
        """Only registers are judged, so nothing can change between our look and the host's."""
        if not thread.permits(note.data.nr, <const uint64_t *> note.data.args):
            return self.breach(thread, f"call {note.data.nr} without an order")
        self.bells.let_continue(note.id)
        return 0

    cdef int breach(self, SystrapThread thread, str what) except -1:
        """Kills the process; the kernel hears of its death when it reaps it."""
        self.counters["breaches"] += 1
        log(f"breach by host thread {thread.host_tid} of process {thread.stub.host_pid}: {what}")
        kill(thread.stub.host_pid, SIGKILL)
        if thread is not self.zygote_thread:
            self.events.on_breach(thread, what)
        return 0

    cdef int stranger(self, int pid, str what) except -1:
        self.counters["breaches"] += 1
        log(f"breach by host thread {pid}: {what}")
        if pid > 1:
            kill(pid, SIGKILL)
        return 0

    # who is who

    def adopt(self, SystrapThread thread, StubSpace space):
        thread.stub = space
        thread.space = space
        thread.listener = self.bells
        thread.window = self.window
        thread.layout = self.layout
        thread.births = self.births
        thread.then_resume = True
        space.threads.add(thread)

    def may_be(self, SystrapThread thread, int pid):
        """Can the host thread that knows the nonce be this thread?"""
        cdef SystrapThread old = self.thread_of(pid)
        if old is not None and old.state != EXITING:
            return False
        if thread.stub.host_pid:
            return thread.stub.has_thread(pid)
        return syscall(SYS_tgkill, pid, pid, 0) == 0

    cdef SystrapThread thread_of(self, int tid):
        return self.bound.get(tid)

    cdef int bind(self, SystrapThread thread, int tid) except -1:
        if not 0 < tid < NR_TIDS:
            raise ValueError("host tid")
        if tid in self.bound:            # a thread that has exited; its number is used again
            self.unbind(tid)
        thread.host_tid = tid
        self.bound[tid] = thread
        self.by_tid[tid] = <PyObject *> thread
        thread.stub.tids.add(tid)
        if not thread.stub.host_pid:
            thread.stub.bind(tid)
            self.spaces[tid] = thread.stub
        return 0

    cdef int unbind(self, int tid) except -1:
        cdef SystrapThread thread = self.bound.pop(tid)
        self.handover.gone(thread)
        self.by_tid[tid] = NULL
        thread.stub.tids.discard(tid)
        return 0

    def forget_gone(self, StubSpace space):
        """Threads of which the host has said that they are gone."""
        while space.gone:
            tid = space.gone.pop()
            thread = self.thread_of(tid)
            if thread is not None and (<SystrapThread> thread).stub is space:
                self.unbind(tid)

    def bury(self, StubSpace space):
        cdef SystrapThread thread
        space.set_dead()
        for tid in space.tids:
            self.by_tid[tid] = NULL
            thread = self.bound.pop(tid)
            self.handover.gone(thread)
            thread.state = GONE
            thread.held = False
        for thread in space.threads:     # those that were never born
            thread.state = GONE
            thread.held = False
            self.births.pop(thread.nonce, None)
        space.tids.clear()
        space.threads.clear()
        space.area.drop()
