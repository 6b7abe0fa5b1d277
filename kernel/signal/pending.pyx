# SPDX-License-Identifier: Apache-2.0
"""Pending signals and siginfo_t (signal(7), asm-generic/siginfo.h).

Classic signals are held once, real-time signals queue. The order of delivery is Linux's: synchronous faults first, then
the lowest number.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset

from kernel.abi.signal cimport SI_KERNEL, SIGBUS, SIGFPE, SIGILL, SIGRTMIN, SIGSEGV, SIGSYS, SIGTRAP, SYS_SECCOMP

cdef enum:
    INFO_SIZE = 128
    HEAD_SIZE = 16

cdef unsigned long SYNCHRONOUS = (1UL << (SIGSEGV - 1) | 1UL << (SIGBUS - 1) | 1UL << (SIGILL - 1) | 1UL << (SIGTRAP - 1)
                                  | 1UL << (SIGFPE - 1) | 1UL << (SIGSYS - 1))


cdef class SigInfo:
    """One siginfo_t."""

    cpdef bytes pack(self):
        """The 128 bytes that a handler sees."""
        cdef bytes image = PyBytes_FromStringAndSize(NULL, INFO_SIZE)
        cdef char *at = PyBytes_AS_STRING(image)
        cdef int *head = <int *> at
        cdef bytes fields = self.fields
        memset(at, 0, INFO_SIZE)
        head[0], head[1], head[2] = self.signo, self.error, self.code
        if fields is not None:
            memcpy(at + HEAD_SIZE, PyBytes_AS_STRING(fields), min(len(fields), INFO_SIZE - HEAD_SIZE))
        return image


cdef class Pending:
    """A set of pending signals with their information."""

    def __cinit__(self):
        self.queues = {}
        self.waiters = WaitQueue()

    cpdef bint add(self, SigInfo info, bint queue_anyway=False):
        """Make a signal pending; False if a classic signal was so already."""
        cdef unsigned long bit = 1UL << (info.signo - 1)
        if self.mask & bit and info.signo < SIGRTMIN and not queue_anyway:
            return False
        self.mask |= bit
        self.queues.setdefault(info.signo, []).append(info)
        self.count += 1
        return True

    cpdef SigInfo take(self, unsigned long mask):
        """Remove and return the next signal among mask; None if there is none."""
        cdef unsigned long ready = self.mask & mask
        cdef int signo
        if not ready:
            return None
        if ready & SYNCHRONOUS:
            ready &= SYNCHRONOUS
        signo = lowest(ready)
        queue = self.queues[signo]
        info = queue.pop(0)
        self.count -= 1
        if not queue:
            del self.queues[signo]
            self.mask &= ~(1UL << (signo - 1))
        return info if (<SigInfo> info).timer is None else (<SigInfo> info).timer.delivered(info)

    cpdef discard(self, unsigned long mask):
        """Forget all signals among mask."""
        cdef int signo
        for signo in list(self.queues):
            if mask & (1UL << (signo - 1)):
                self.count -= len(self.queues.pop(signo))
        self.mask &= ~mask


cdef int lowest(unsigned long mask) noexcept:
    cdef int signo = 1
    while not mask & 1:
        mask >>= 1
        signo += 1
    return signo


cdef SigInfo make(int signo, int code, const void *fields, Py_ssize_t length):
    cdef SigInfo info = SigInfo.__new__(SigInfo)
    info.signo, info.code = signo, code
    info.fields = (<const char *> fields)[:length]
    return info


cpdef SigInfo kill_info(int signo, int code, int pid, unsigned int uid, object value=None):
    """SI_USER, SI_TKILL, SI_QUEUE: who sent it; value: 64 bits of sigval."""
    cdef char fields[16]
    cdef unsigned long word
    memset(fields, 0, 16)
    memcpy(fields, &pid, 4)
    memcpy(fields + 4, &uid, 4)
    if value is not None:
        word = value
        memcpy(fields + 8, &word, 8)
    return make(signo, code, fields, 16)


cpdef SigInfo fault_info(int signo, int code, unsigned long address):
    """SIGSEGV and its kin: si_addr."""
    return make(signo, code, &address, 8)


cpdef SigInfo child_info(int code, int pid, unsigned int uid, int status, long long utime_ns, long long stime_ns):
    """SIGCHLD: CLD_* code; times are given to the guest in clock ticks of 10 ms."""
    cdef char fields[32]
    cdef long ticks
    memset(fields, 0, 32)
    memcpy(fields, &pid, 4)
    memcpy(fields + 4, &uid, 4)
    memcpy(fields + 8, &status, 4)
    ticks = utime_ns // 10000000
    memcpy(fields + 16, &ticks, 8)
    ticks = stime_ns // 10000000
    memcpy(fields + 24, &ticks, 8)
    return make(17, code, fields, 32)


cpdef SigInfo kernel_info(int signo):
    """A signal from the kernel itself."""
    return make(signo, SI_KERNEL, b"", 0)


cpdef SigInfo seccomp_info(unsigned long address, int number, unsigned int arch, int data):
    """SIGSYS of a filter: where the call was made, which, and what the filter says in si_errno."""
    cdef char fields[16]
    cdef SigInfo info
    memcpy(fields, &address, 8)
    memcpy(fields + 8, &number, 4)
    memcpy(fields + 12, &arch, 4)
    info = make(SIGSYS, SYS_SECCOMP, fields, 16)
    info.error = data
    return info
