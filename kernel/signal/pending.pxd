# SPDX-License-Identifier: Apache-2.0
# Signals that wait: of a thread or of a process.

from kernel.sync.waitqueue cimport WaitQueue

cdef class SigInfo:
    cdef public int signo
    cdef public int code
    cdef public int error                # si_errno
    cdef public bytes fields             # what follows the first 16 bytes of siginfo_t
    cdef public object timer             # POSIX timer to account an overrun to, when delivered; None
    cpdef bytes pack(self)               # siginfo_t, 128 bytes


cdef class Pending:
    cdef public unsigned long mask       # bit signo - 1
    cdef dict queues                     # signo -> [SigInfo]
    cdef public int count                # queued real-time entries
    cdef public WaitQueue waiters        # signalfd and sigtimedwait
    cpdef bint add(self, SigInfo info, bint queue_anyway=*)      # False: was pending already (classic signals)
    cpdef SigInfo take(self, unsigned long mask)                 # the next by Linux's order among mask, or None
    cpdef discard(self, unsigned long mask)


cpdef SigInfo kill_info(int signo, int code, int pid, unsigned int uid, object value=*)
cpdef SigInfo fault_info(int signo, int code, unsigned long address)
cpdef SigInfo child_info(int code, int pid, unsigned int uid, int status, long long utime_ns, long long stime_ns)
cpdef SigInfo kernel_info(int signo)
cpdef SigInfo seccomp_info(unsigned long address, int number, unsigned int arch, int data)
