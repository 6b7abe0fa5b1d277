/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim (in every stub) and the sentry agree on: addresses, numbers, and the context that they share.
 *
 * Everything of ours lies at or above CTX_BASE, guest memory ends at GUEST_END; the filter's range guard needs the gap
 * between the two. The shim is the only code that uses these as addresses: the sentry has its own mapping of a context.
 */
#ifndef KERNEL_PLATFORM_X86_64_ABI_H
#define KERNEL_PLATFORM_X86_64_ABI_H

/* the stub's address space */
#define GUEST_END   0x7ffe00000000
#define CTX_BASE    0x7fff00000000  /* the contexts of this address space: NSLOT slots */
#define SHIM_BASE   0x7fffff000000
#define SHIM_SIZE   0x7000
#define SITE_STUBS  0x7fffff003000  /* where rewritten calls arrive: SITE_STUB bytes for each */
#define SITE_STUB   16
#define RO_PAGE     0x7fffff100000  /* one page for the whole sandbox, read-only here */
#define STACK_LOW   0x7fffff200000  /* the stack that exec made lies above; the zygote unmaps it */
#define STACK_HIGH  0x7ffffffff000

/* Rewritten call sites: `jmp *slot`. Guest memory of the process, below what guests may map; the third byte of a slot's address
   is 0x06, which no instruction begins with, so that a jump into the middle of the old `mov; syscall` faults. */
#define SITE_SLOTS  0x60000         /* NSITE addresses of stubs */
#define SITE_RECORDS 0x68000        /* NSITE struct site */
#define SITE_BYTES  0x10000
#define NSITE       1024
#define PLAIN_FLAGS 0x200ad7        /* those that arithmetic sets, IF and ID: no trap flag, no direction flag */
#define CANARY      0x5e17          /* at %gs:C_CANARY: the base is a context, not the guest's own */

/* a slot: what one thread owns. Aligned to its size, so the stack pointer of a handler finds its context by masking */
#define SLOT        0x10000
#define NSLOT       1024
#define CTX_SIZE    0x4000000       /* NSLOT * SLOT */
#define SLOT_XSAVE  0x1000          /* 12 KiB: vector state that the sentry wrote (births, execve) */
#define SLOT_WINDOW 0x4000          /* 16 KiB: what calls read and write: struct window */
#define WINDOW_SIZE 0x4000
#define SLOT_STACK  0x8000          /* 32 KiB: the alternate signal stack */
#define SLOT_TOP    0xffc0          /* where a stack in the slot begins */

/* reserved system call numbers; the filter makes user notifications of them */
#define NR_HELLO    0x3f001         /* (nonce) */
#define NR_BELL     0x3f002         /* (seq, kind) */

/* the two words that clone may be called with */
#define FORK_FLAGS   0x8011         /* CLONE_PARENT | SIGCHLD */
#define THREAD_FLAGS 0x50f00        /* VM | FS | FILES | SIGHAND | THREAD | SYSVSEM */

#define SIG_INTR    33              /* the sentry's knock; the guest's own signals never exist on the host */
#define FD_CONTEXTS 3               /* where a newborn process finds its memfd */
#define FD_RO_PAGE  4               /* the zygote only */
#define FD_DONATED  8               /* first descriptor that a mapping order may name */
#define MAX_HOST_CALLS 40           /* an execve in one go */
#define NR_IDS 7                    /* of struct context.ids */
#define HOST_CMPXCHG 0xf0000001     /* in a list of host calls: (address, expected, new) on 32 bits; the old value or -EFAULT */
#define HOST_CMPXCHG8 0xf0000002    /* the same on 64 bits: 0, 1 if it was another value, or -EFAULT */

/* What a call reads and writes, at RO_PAGE: 64 bits for each number, actions of 16 bits: kind, then the argument (0 to 5) that is
   the address, then the length: ten bits, or three for the argument that counts and seven for the size of its units */
#define NR_DESCRIBED 480
#define COPY_STRING  1
#define COPY_IN      2
#define COPY_IN_COUNTED 3
#define COPY_OUT     4
#define COPY_OUT_COUNTED 5
#define NR_PIECES    4              /* each way */
#define STRING_ROOM  1024           /* of a string that comes with the request */
#define IS_STRING    0x8000         /* in a piece's offset: it is one, and ends where it ends */

/* why the shim rings */
#define K_SYSCALL   1
#define K_FAULT     2
#define K_INTERRUPT 3
#define K_DONE      4               /* an order was carried out, or failed */
#define K_FUTEX     5               /* a native futex wait was broken off by SIG_INTR */
#define K_SITE      6               /* a call that the shim answers itself traps often; rip is at the call, which was not made */
#define KIND_MASK   0xff
#define IS_TRAPPED  0x100           /* K_SYSCALL, K_SITE: it came by SIGSYS, not from a rewritten site */
#define IS_FOREIGN  0x200           /* of another architecture */
#define HAS_PIECES  0x400           /* with a window */
#define HAS_MASK    0x800           /* the thread has changed its signal mask by itself */

/* what the sentry orders */
#define ORDER_RESUME 0
#define ORDER_HOST   1
#define ORDER_FORK   2
#define ORDER_THREAD 3
#define ORDER_EXIT   4
#define ORDER_CLEAR  5              /* clear the word and wake, but stay (a leader) */

/* offsets into the context, for assembly */
#define R_RAX 0x00
#define R_RDI 0x08
#define R_RSI 0x10
#define R_RDX 0x18
#define R_R10 0x20
#define R_R8  0x28
#define R_R9  0x30
#define R_RCX 0x38
#define R_R11 0x40
#define R_RBX 0x48
#define R_RBP 0x50
#define R_R12 0x58
#define R_R13 0x60
#define R_R14 0x68
#define R_R15 0x70
#define R_RSP 0x78
#define R_RIP 0x80
#define R_RFL 0x88
#define C_FS    0x90
#define C_GS    0x98
#define C_XSAVE 0xa0
#define C_STACK 0xa8
#define C_INTERRUPTED 0xb0
#define C_READY 0xb4
#define C_WAITING 0xb8
#define C_CANARY 0xbc
#define C_LIVE  0xc0
#define C_COMPARED 0xc8
#define C_TAIL  0xd0

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum { RAX, RDI, RSI, RDX, R10, R8, R9, RCX, R11, RBX, RBP, R12, R13, R14, R15, RSP, RIP, RFL, NREG };

/* all that a guest thread is; kept in the context while the thread does not run */
struct machine {
    uint64_t regs[NREG];            /* 0x00, in the order of the enum above */
    uint64_t fs, gs;                /* 0x90 bases, always read at a trap and written when leaving */
    uint64_t xsave;                 /* 0xa0 address of the vector state: in the signal's frame, or SLOT_XSAVE */
};

/* what the shim says beside the kind */
struct report {
    int32_t signo, code;            /* of a fault */
    uint64_t address;               /* of a fault */
    uint64_t error, trap;           /* processor's error code and trap number of a fault */
    int64_t result;                 /* of clone; for ORDER_HOST how many calls were made */
};

/* A request: what a plain system call needs is in one cache line. The bell brings its number and what it is as well; while the
   thread spins they are written last, at once, into a line of their own, which the sentry looks at all the time. */
struct request {
    uint64_t number, args[6];       /* of K_SYSCALL */
    volatile uint64_t posted __attribute__((aligned(64)));      /* number of the request, and above it K_* and IS_* */
};

/* The answer, in one line, written by the sentry in one go; rep last. */
struct answer {
    volatile uint32_t rep;          /* number of the request */
    uint32_t order, then_resume;    /* then_resume: if the order succeeds go on with the guest, without asking */
    uint32_t plain;                 /* of the registers only rax has changed: it is `result` */
    uint64_t result;
    uint32_t filled[NR_PIECES];     /* bytes of each outgoing piece that the sentry wrote and the shim copies out */
    volatile uint32_t spin;         /* for how many ticks the next request is looked for before its bell must ring */
};

/* a piece of guest memory that a call reads or writes */
struct piece {
    uint64_t address;
    uint32_t length, offset;        /* offset: in the window; IS_STRING */
};

struct window {
    uint32_t nr_in, nr_out;
    struct piece incoming[NR_PIECES], outgoing[NR_PIECES];      /* outgoing pieces were writable a moment ago */
};

/* a rewritten call site */
struct site {
    uint64_t back;                  /* address behind the syscall instruction */
    int32_t number;                 /* what the site loads into eax; -1: nothing */
    int32_t compare;                /* what rax is compared with behind the call; 0: nothing */
};

struct host_call {
    uint64_t number, args[6];
    int64_t result;
};

struct context {
    struct machine machine;         /* 0x00 */
    uint64_t stack;                 /* 0xa8 where the shim's stack may start again */
    volatile uint32_t interrupted;  /* 0xb0 SIG_INTR hit the shim: ask again instead of leaving */
    volatile uint32_t ready;        /* 0xb4 a newborn's signal stack is in place; until then no SIG_INTR is sent */
    volatile uint32_t waiting;      /* 0xb8 in a native futex wait; for those who look at /proc */
    uint32_t canary;                /* 0xbc written by the thread itself */
    volatile uint32_t live;         /* 0xc0 the guest's vectors are in the registers: 1, also saved at xsave: 2 */
    uint32_t pad;
    uint64_t compared, tail;        /* 0xc8 site with a comparison behind its call: with what, and where to go on; tail 0: none */
    uint32_t seq;                   /* of the last request */
    uint32_t origin;                /* of the call at hand: IS_TRAPPED, IS_FOREIGN */

    struct request request __attribute__((aligned(64)));
    struct answer answer __attribute__((aligned(64)));

    /* pid (0: ask the sentry), tid, ppid, uid, euid, gid, egid: what the shim answers by itself */
    volatile uint32_t ids[NR_IDS] __attribute__((aligned(64)));
    volatile uint32_t cpu;          /* where it last rang */
    volatile uint64_t rang;         /* and when, in ticks */
    volatile uint32_t site_hits;    /* calls that trapped and were answered here */
    uint32_t nr_host_calls;
    volatile uint64_t mask;         /* of signals: the thread's own business while `mask_is_local`, which the sentry takes away before */
    volatile uint32_t mask_is_local;/* it looks at the mask, and as long as a signal waits */
    uint32_t mask_changed;
    volatile uint64_t robust_list;  /* its head, read when the thread ends */
    uint64_t nonce;                 /* fork, thread: what the child says in its hello */
    uint64_t child;                 /* thread: address of its context */
    uint64_t clear_tid;             /* exit, clear */
    struct report report;

    /* bootstrap: written by the zygote before any guest exists */
    volatile int32_t listener;      /* descriptor number + 1 */
    uint32_t mxcsr_mask;
    uint64_t xfeatures, xstate_size;
    uint64_t vdso, hwcap, hwcap2, minsigstksz;          /* from its auxiliary vector */

    volatile uint32_t home_server;  /* reserved for what comes: several servers */

    struct host_call host[MAX_HOST_CALLS];
};

_Static_assert(offsetof(struct context, machine.fs) == C_FS, "C_FS");
_Static_assert(offsetof(struct context, machine.xsave) == C_XSAVE, "C_XSAVE");
_Static_assert(offsetof(struct context, stack) == C_STACK, "C_STACK");
_Static_assert(offsetof(struct context, interrupted) == C_INTERRUPTED, "C_INTERRUPTED");
_Static_assert(offsetof(struct context, ready) == C_READY, "C_READY");
_Static_assert(offsetof(struct context, waiting) == C_WAITING, "C_WAITING");
_Static_assert(offsetof(struct context, canary) == C_CANARY, "C_CANARY");
_Static_assert(offsetof(struct context, live) == C_LIVE, "C_LIVE");
_Static_assert(offsetof(struct context, compared) == C_COMPARED, "C_COMPARED");
_Static_assert(offsetof(struct context, tail) == C_TAIL, "C_TAIL");
_Static_assert(sizeof(struct context) <= SLOT_XSAVE, "a context is one page");
#endif
#endif
