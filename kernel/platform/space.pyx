# SPDX-License-Identifier: Apache-2.0
"""One address space: a stub process, its memory as the sentry reaches it, and the slots of its threads.

The contexts' memfd is made for this space and never reused for another. A slot is used again only when the host says that the
thread which had it is gone.
"""

from libc.errno cimport EFAULT, EPERM, ESRCH, errno
from libc.signal cimport SIGKILL
from posix.signal cimport kill as send_signal

from kernel.platform.x86_64.abi cimport NSLOT

cdef extern from *:
    """
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <unistd.h>
    """
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t process_vm_readv(int pid, iovec *local, unsigned long nl, iovec *remote, unsigned long nr, unsigned long flags) nogil
    ssize_t process_vm_writev(int pid, iovec *local, unsigned long nl, iovec *remote, unsigned long nr, unsigned long flags) nogil
    enum:
        SYS_tgkill
    long syscall(long number, ...) nogil


cdef class StubSpace(Space):
    """Made with its contexts; the process comes later, by fork of another stub or of the zygote."""

    def __cinit__(self):
        self.area = ContextArea()
        self.sites = Sites()
        self.taken = bytearray(NSLOT)
        self.dying = {}
        self.gone = set()
        self.tids = set()
        self.threads = set()

    cdef long read(self, unsigned long address, void *into, size_t length) noexcept:
        cdef long got
        if self.window is not None:
            got = self.window.read(address, into, length)
            if got:
                return got
            if self.window.dirty and self.window.touches(address, length):
                self.flush_window()
        return read_process(0 if self.dead else self.host_pid, address, into, length)

    cdef long write(self, unsigned long address, const void *data, size_t length) noexcept:
        cdef int i
        cdef unsigned long at
        if self.window is not None:
            self.window.forget_in(address, length)
            i = self.window.piece_for(address, length)
            if i >= 0:
                at = address - self.window.here.outgoing[i].address
                self.area.put_outgoing(self.window_slot, self.window, i, at, data, length)
                self.window.filled[i] = max(self.window.filled[i], <unsigned int> (at + length))
                self.window.dirty = True
                return length
            if self.window.dirty and self.window.touches(address, length):
                self.flush_window()
        return write_process(0 if self.dead else self.host_pid, address, data, length)

    cdef void flush_window(self) noexcept:
        """Puts into guest memory what would have gone with the answer. It was writable a moment ago: the guest's own doing if it is not."""
        cdef unsigned int i
        for i in range(self.window.here.nr_out):
            if self.window.filled[i]:
                write_process(0 if self.dead else self.host_pid, self.window.here.outgoing[i].address,
                              self.area.outgoing(self.window_slot, self.window, i), self.window.filled[i])
                self.window.filled[i] = 0
        self.window.dirty = False

    cpdef kill(self):
        """SIGKILL; the kernel hears of it when it reaps the process. Before the hello there is nobody to kill."""
        if self.host_pid and not self.dead:
            send_signal(self.host_pid, SIGKILL)

    cdef int take_slot(self) except -2:
        """A slot for a new thread, or -1."""
        cdef int slot = self.taken.find(0)
        self.had_threads = True
        if slot < 0:
            self.reclaim_slots()
            slot = self.taken.find(0)
        if slot >= 0:
            self.claim_slot(slot)
        return slot

    cdef void claim_slot(self, int slot) noexcept:
        self.taken[slot] = 1

    cdef void free_slot(self, int slot, int host_tid):
        """The slot of a released thread; host_tid 0 if it was never born."""
        if host_tid:
            self.dying[slot] = host_tid
            if len(self.dying) > 16:
                self.reclaim_slots()
        else:
            self.area.clear(slot)
            self.taken[slot] = 0

    def reclaim_slots(self):
        for slot, tid in list(self.dying.items()):
            if not self.has_thread(tid):
                del self.dying[slot]
                self.gone.add(tid)
                self.area.clear(slot)
                self.taken[slot] = 0

    cdef bint has_thread(self, int host_tid) noexcept:
        """The host's word on whether host_tid is a thread of this process."""
        return syscall(SYS_tgkill, self.host_pid, host_tid, 0) == 0

    cdef void bind(self, int host_pid) noexcept:
        self.host_pid = host_pid

    cdef void set_dead(self) noexcept:
        self.dead = True
        self.sites.drop()


cdef long read_process(int pid, unsigned long address, void *into, size_t length) noexcept:
    """Space.read of a host process; pid 0: there is none."""
    cdef iovec local, remote
    local.iov_base = into
    remote.iov_base = <void *> address
    local.iov_len = remote.iov_len = length
    if not pid:
        return -ESRCH
    return counted(process_vm_readv(pid, &local, 1, &remote, 1, 0))


cdef long write_process(int pid, unsigned long address, const void *data, size_t length) noexcept:
    """Space.write of a host process; pid 0: there is none."""
    cdef iovec local, remote
    local.iov_base = <void *> data
    remote.iov_base = <void *> address
    local.iov_len = remote.iov_len = length
    if not pid:
        return -ESRCH
    return counted(process_vm_writev(pid, &local, 1, &remote, 1, 0))


cdef long counted(ssize_t got) noexcept:
    """process_vm_*: the answer as the contract has it."""
    if got >= 0:
        return got
    return -ESRCH if errno == ESRCH or errno == EPERM else -EFAULT
