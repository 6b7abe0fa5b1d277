# SPDX-License-Identifier: Apache-2.0
"""One address space: a traced process that holds guest memory, and two pages of ours.

The code page is of the program that the zygote executed; guest memory ends below it, so no host call that the kernel orders can
change it. The data page is for messages of recvmsg, which the guest may overwrite: what is read from it concerns this process only.
"""

from libc.signal cimport SIGKILL
from posix.signal cimport kill as send_signal

from kernel.platform.space cimport read_process, write_process


cdef class TracedSpace(Space):
    """The process comes later, by fork of another one or of the zygote."""

    def __cinit__(self):
        self.threads = set()
        self.tids = set()

    cdef long read(self, unsigned long address, void *into, size_t length) noexcept:
        return read_process(0 if self.dead else self.host_pid, address, into, length)

    cdef long write(self, unsigned long address, const void *data, size_t length) noexcept:
        return write_process(0 if self.dead else self.host_pid, address, data, length)

    cpdef kill(self):
        """SIGKILL; the platform hears of it when the last thread has ended."""
        if self.host_pid and not self.dead:
            send_signal(self.host_pid, SIGKILL)

    cdef void bind(self, int host_pid) noexcept:
        self.host_pid = host_pid

    cdef void set_dead(self) noexcept:
        self.dead = True
