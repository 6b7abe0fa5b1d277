# SPDX-License-Identifier: Apache-2.0
"""A guest thread: the orders that end the kernel's hold of its request.

Its registers (x86_64/state.pyx) are taken once per request by the border; the context gets them back with an order.
An answer is: context first, then the reply number, then SEND.
"""

from libc.errno cimport ENOENT
from libc.string cimport memcpy, memset
from posix.unistd cimport close, dup

from posix import urandom

from kernel.abi.errno cimport Errno
from kernel.platform.log import log
from kernel.platform.x86_64.abi cimport (
    FD_CONTEXTS, FD_DONATED, FORK_FLAGS, GUEST_END, KIND_MASK, K_SITE, MAX_HOST_CALLS, ORDER_CLEAR, ORDER_EXIT, ORDER_FORK, ORDER_HOST,
    ORDER_RESUME, ORDER_THREAD, RAX, RIP, SIG_INTR, SITE_SLOTS,
)
from kernel.platform.x86_64.state cimport MachineThread

cdef extern from *:
    """
    #include <sys/syscall.h>
    #include <unistd.h>
    """
    uint64_t time_stamp "__builtin_ia32_rdtsc"() nogil
    enum:
        SYS_clone
        SYS_tgkill
    long syscall(long number, ...) nogil


cdef class SystrapThread(MachineThread):
    """Made by SystrapPlatform.new_thread."""

    def __cinit__(self):
        self.slot = -1
        self.order = ORDER_RESUME

    def __dealloc__(self):
        if self.donations is not None:
            for fd, _ in self.donations:
                close(fd)

    cdef void set_ids(self, const unsigned int *ids) noexcept:
        if self.slot >= 0 and not self.stub.dead:
            self.stub.area.put_ids(self.slot, ids)

    cdef void tell_mask(self, unsigned long mask, bint is_local) noexcept:
        if self.mask_is_local and not is_local:
            self.mask_is_local = False
            self.stub.area.take_mask_back(self.slot)
        elif is_local and (not self.mask_is_local or self.mask != mask) and self.slot >= 0:
            self.mask_is_local, self.mask = True, mask
            self.stub.area.put_mask(self.slot, mask)

    cdef bint take_mask(self, unsigned long *into) noexcept:
        if not self.mask_is_local:
            return False
        self.mask_is_local = False
        into[0] = self.stub.area.take_mask_back(self.slot)
        return not self.held

    cdef unsigned long robust_list(self) noexcept:
        return 0 if self.slot < 0 else self.stub.area.says_robust_list(self.slot)

    cdef void tell_robust_list(self, unsigned long head) noexcept:
        if self.slot >= 0:
            self.stub.area.put_robust_list(self.slot, head)

    # orders

    cdef void resume(self) noexcept:
        if self.held:
            self.put_state()
            self.give_order(ORDER_RESUME, True)

    cdef int host_calls(self, HostCall *calls, int count, bint then_resume) except -1:
        if not self.held or not 0 <= count <= MAX_HOST_CALLS:
            raise ValueError("host_calls")
        memcpy(self.calls, calls, count * sizeof(HostCall))
        self.nr_calls, self.next_call = count, 0
        self.put_state()
        self.stub.area.put_host_calls(self.slot, self.calls, count)
        self.give_order(ORDER_HOST, then_resume)
        return 0

    cdef int fork(self, GuestThread child, bint then_resume) except -1:
        """The child's slot has its parent's number, so that the inherited alternate stack is right."""
        (<SystrapThread> child).slot = self.slot
        (<SystrapThread> child).stub.claim_slot(self.slot)
        return self.give_birth(<SystrapThread> child, ORDER_FORK, then_resume)

    cdef int clone_thread(self, GuestThread child, bint then_resume) except -1:
        return self.give_birth(<SystrapThread> child, ORDER_THREAD, then_resume)

    cdef void exit(self, unsigned long clear_tid) noexcept:
        if not self.held:
            return
        self.stub.area.put_clear_tid(self.slot, clear_tid)
        if self.leads():                 # its host thread must stay, or the process would become a zombie
            self.parking = True
            if clear_tid:
                self.give_order(ORDER_CLEAR, False)
            else:
                self.held = False
                self.state = PARKED
        else:
            self.give_order(ORDER_EXIT, False)
            if self.state == GUEST:
                self.state = EXITING

    cdef void interrupt(self) noexcept:
        """A newborn's signal stack may not be there yet: it sees the flag instead when it is."""
        if self.state != GUEST or self.kicked:
            return
        self.kicked = True
        if self.newborn:
            self.stub.area.set_interrupted(self.slot)
            if not self.stub.area.newborn_is_ready(self.slot):
                return
        syscall(SYS_tgkill, self.stub.host_pid, self.host_tid, SIG_INTR)

    cdef tuple start_over(self):
        if not self.held or not self.leads() or self.stub.had_threads:
            return None
        self.stub.sites = Sites()
        self.stub.area.wipe(self.slot)
        self.tell_robust_list(0)
        return SITE_SLOTS, GUEST_END - SITE_SLOTS

    cpdef int donate(self, int host_fd, int at) except -1:
        cdef int got
        if not self.held or at < FD_DONATED:
            raise ValueError("donate")
        got = self.listener.add_descriptor(self.notification, host_fd, at, False)
        if got >= 0:
            return got
        if got != -ENOENT:
            raise Errno(-got)
        got = dup(host_fd)               # its bell was taken away; it rings again
        if got < 0:
            raise Errno(24)              # EMFILE
        if self.donations is None:
            self.donations = []
        self.donations.append((got, at))
        return at

    def asleep(self):
        return self.state == GUEST and self.stub.area.says_waiting(self.slot)

    # below here: for the platform only

    cdef bint leads(self) noexcept:
        return self.host_tid == self.stub.host_pid

    cdef void open_window(self):
        """For the time that a request is served at once."""
        if self.stub.area.take_window(self.slot, self.window):
            self.stub.window = self.window
            self.stub.window_slot = self.slot

    cdef void close_window(self, bint copied_by_shim) noexcept:
        """What the guest is to find in its memory goes with the answer, or, if there is none yet, at once."""
        if self.stub.window is None or self.stub.window_slot != self.slot:
            return
        if self.window.dirty and copied_by_shim:
            memcpy(self.reply.filled, self.window.filled, sizeof(self.reply.filled))
        elif self.window.dirty:
            self.stub.flush_window()
        self.stub.window = None

    cdef uint64_t call_end(self) noexcept:
        """The address behind the system call instruction of its request."""
        self.complete()
        return self.machine.regs[RIP] + (2 if self.what & KIND_MASK == K_SITE else 0)

    cdef void new_nonce(self):
        if self.nonce:
            self.births.pop(self.nonce, None)
        self.nonce = 0
        while not self.nonce:
            self.nonce = int.from_bytes(urandom(8), "little")
        self.births[self.nonce] = self

    cdef int give_birth(self, SystrapThread child, unsigned int order, bint then_resume) except -1:
        if not self.held or child.state != STARTING:
            raise ValueError("fork or clone_thread")
        self.child = child
        self.then_resume = then_resume
        self.put_state()
        self.order_birth(order)
        return 0

    cdef void order_birth(self, unsigned int order) noexcept:
        """Also when the host's clone was broken off: each order has a nonce of its own."""
        if order == ORDER_FORK:
            if self.stub.sites.busy:
                self.stub.sites.waiting.append(self)
                return
            self.child.stub.sites = self.stub.sites.copy()
            self.child.parent_sites = self.stub.sites
            self.stub.sites.forks += 1
        self.child.new_nonce()
        self.stub.area.put_birth(self.slot, self.child.nonce, self.child.slot)
        self.give_order(order, self.then_resume)

    cdef void fork_is_over(self) noexcept:
        """The child of a fork has said hello, or there is none."""
        if self.parent_sites is not None:
            self.parent_sites.forks -= 1
            self.parent_sites = None

    cdef void give_order(self, unsigned int order, bint then_resume) noexcept:
        self.order = order
        self.then_resume = then_resume
        self.reply.order, self.reply.then_resume, self.reply.result = order, then_resume, self.machine.regs[RAX]
        if self.stub.window is not None:
            self.close_window(order == ORDER_RESUME)
        self.answer()

    cdef void answer(self) noexcept:
        """Makes the order valid and wakes the thread. A lost answer shows when it rings again."""
        cdef uint64_t notification = self.notification
        self.held = False
        self.kicked = False
        if self.donations is not None and not self.give_descriptors():
            self.state = ARMED
            return
        self.notification = 0
        self.reply.rep = self.seq
        self.stub.area.put_answer(self.slot, &self.reply, self.state != HELLO and not self.newborn)
        memset(&self.reply, 0, sizeof(self.reply))
        self.state = GUEST
        if notification:                 # else it spins; if it gives up it rings with a number that has its answer
            self.answer_again(notification)
        self.answered = time_stamp()

    cdef void answer_again(self, uint64_t notification) noexcept:
        """A newborn process gets its contexts with the answer to its hello."""
        cdef int got
        if self.newborn and self.leads() and self.stub.area.memfd >= 0:
            got = self.listener.add_descriptor(notification, self.stub.area.memfd, FD_CONTEXTS, True)
            if got < 0 and got != -ENOENT:
                log(f"contexts for host process {self.host_tid}: error {-got}")
                self.space.kill()
        else:
            self.listener.answer(notification)

    cdef bint give_descriptors(self) noexcept:
        cdef int fd, at
        for fd, at in self.donations:
            if self.listener.add_descriptor(self.notification, fd, at, False) == -ENOENT:
                return False
        for fd, _ in self.donations:
            close(fd)
        self.donations = None
        return True

    cdef bint permits(self, int number, const uint64_t *args) noexcept:
        """Is this lane-B call part of the standing order? A call that was broken off comes again."""
        cdef int i, k
        if self.state != GUEST:
            return False
        if number == SYS_clone:
            return self.order == ORDER_FORK and args[0] == FORK_FLAGS and not (args[1] | args[2] | args[3] | args[4] | args[5])
        if self.order != ORDER_HOST:
            return False
        for i in range(self.next_call, self.nr_calls):
            if self.calls[i].number != <unsigned long> number:
                continue
            for k in range(6):
                if self.calls[i].args[k] != args[k]:
                    break
            else:
                self.next_call = i
                return True
        return False

    cdef void complete(self) noexcept:
        if self.partial:
            self.partial = False
            self.stub.area.take_rest(self.slot, &self.machine)

    cdef bint fetch_image(self, char *into) noexcept:
        self.complete()
        return self.stub.area.read_xsave(self.slot, self.machine.xsave, into, self.layout.image_size)

    cdef void store_image(self, const char *image) noexcept:
        cdef size_t size = self.layout.image_size
        self.complete()
        if self.image != NULL or self.slot < 0 or not self.stub.area.write_xsave(self.slot, self.machine.xsave, image, size):
            self.keep_image(image)

    cdef void put_state(self) noexcept:
        if self.image != NULL:
            self.touch()
            self.machine.xsave = self.stub.area.own_xsave(self.slot)
            self.stub.area.write_xsave(self.slot, self.machine.xsave, self.image, self.layout.image_size)
            self.drop_image()
        if self.changed:
            self.complete()
            self.stub.area.put_machine(self.slot, &self.machine)
            self.changed = False
        else:
            self.reply.plain = True
