# SPDX-License-Identifier: Apache-2.0
# The shim's header for Cython. Only kernel/platform/border.pyx uses struct context.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "kernel/platform/x86_64/abi.h" nogil:
    enum:
        RAX, RDI, RSI, RDX, R10, R8, R9, RCX, R11, RBX, RBP, R12, R13, R14, R15, RSP, RIP, RFL, NREG
        SLOT, NSLOT, CTX_SIZE, SLOT_XSAVE, SLOT_WINDOW, SLOT_STACK
        NR_HELLO, NR_BELL, FORK_FLAGS, THREAD_FLAGS, SIG_INTR, FD_CONTEXTS, FD_RO_PAGE, FD_DONATED, MAX_HOST_CALLS, NR_IDS
        K_SYSCALL, K_FAULT, K_INTERRUPT, K_DONE, K_FUTEX, K_SITE, KIND_MASK, IS_TRAPPED, IS_FOREIGN, HAS_PIECES, HAS_MASK
        NR_DESCRIBED, COPY_STRING, COPY_IN, COPY_IN_COUNTED, COPY_OUT, COPY_OUT_COUNTED, IS_STRING, NR_PIECES, WINDOW_SIZE
        NSITE, SITE_SLOTS, SITE_RECORDS, SITE_BYTES, SITE_STUB
        ORDER_RESUME, ORDER_HOST, ORDER_FORK, ORDER_THREAD, ORDER_EXIT, ORDER_CLEAR
    const uint64_t CTX_BASE, GUEST_END, STACK_LOW, STACK_HIGH, HOST_CMPXCHG, HOST_CMPXCHG8, SITE_STUBS

    struct machine:
        uint64_t regs[NREG]
        uint64_t fs, gs, xsave

    struct report:
        int32_t signo, code
        uint64_t address
        uint64_t error, trap
        int64_t result

    struct request:
        uint64_t number
        uint64_t args[6]
        uint64_t posted

    struct answer:
        uint32_t rep, order, then_resume, plain
        uint64_t result
        uint32_t filled[NR_PIECES]
        uint32_t spin

    struct piece:
        uint64_t address
        uint32_t length, offset

    struct window:
        uint32_t nr_in, nr_out
        piece incoming[NR_PIECES]
        piece outgoing[NR_PIECES]

    struct site:
        uint64_t back
        int32_t number, compare

    struct host_call:
        uint64_t number
        uint64_t args[6]
        int64_t result

    struct context:
        machine machine
        uint32_t interrupted, ready, waiting, live, nr_host_calls, cpu
        uint64_t rang
        request request
        answer answer
        uint64_t nonce, child, clear_tid, mask, robust_list
        uint32_t mask_is_local
        uint32_t ids[NR_IDS]
        report report
        int32_t listener
        uint32_t mxcsr_mask
        uint64_t xfeatures, xstate_size, vdso, hwcap, hwcap2, minsigstksz
        host_call host[MAX_HOST_CALLS]
