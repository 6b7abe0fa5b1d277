/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's assembly: every instruction that enters the host kernel, and the way into and out of the guest.
 *
 * Each `syscall` is written by the macro HOST, which gives its address a name site_*; the build refuses any other.
 * The guest can jump to each of them with any registers: the filter alone says what is harmless (DESIGN 2.1).
 */
#include "abi.h"

.macro HOST name
    .globl site_\name
site_\name:
    syscall
.endm

.macro FUNCTION name
    .balign 16
    .globl \name
\name:
.endm

/* mmap(CTX_BASE, CTX_SIZE, RW, SHARED|FIXED, FD_CONTEXTS, 0): the one shape of it that the filter lets pass.
   Afterwards the flags say whether rax is CTX_BASE. A macro, since a child has no stack to return by. */
.macro MAP_CONTEXTS who
    mov $9, %eax
    movabs $CTX_BASE, %rdi
    mov $CTX_SIZE, %esi
    mov $3, %edx
    mov $0x11, %r10d
    mov $FD_CONTEXTS, %r8d
    xor %r9d, %r9d
    HOST map_\who
    cmp %rdi, %rax
.endm

    .section .text.entry, "ax"

/* The zygote's first instruction, on the stack that execve made. Maps the contexts and moves its stack there. */
FUNCTION _start
    MAP_CONTEXTS start
    jne die
    mov %rsp, %rdi
    lea SLOT_TOP(%rax), %rsp
    jmp zygote_main

FUNCTION die
    mov $231, %eax
    mov $111, %edi
    HOST die
    ud2

/* Every handled signal, on the thread's alternate stack: (signo, info, ucontext). The context is found by the stack
   pointer, never by %gs, which the guest may own. NT and AC may be set by the guest and would break us. */
FUNCTION signal_entry
    pushq $2
    popfq
    mov %rsp, %rcx
    and $-SLOT, %rcx
    mov %rsp, %r8
    jmp on_signal

/* long host_call(struct host_call *call) */
FUNCTION host_call
    mov (%rdi), %rax
    mov 16(%rdi), %rsi
    mov 24(%rdi), %rdx
    mov 32(%rdi), %r10
    mov 40(%rdi), %r8
    mov 48(%rdi), %r9
    mov 8(%rdi), %rdi
    HOST host_call
    ret

/* long ring(seq, kind): comes back when the sentry has answered, or -EINTR */
FUNCTION ring
    mov $NR_BELL, %eax
    HOST ring
    ret

/* long futex_native(context): the guest's futex call with its own arguments. A SIG_INTR between begin and end makes it
   answer -EINTR: the handler moves rip to futex_end. The flag covers a signal that came before. */
FUNCTION futex_native
    push %rbx
    mov %rdi, %rbx
    mov R_RSI(%rbx), %rsi
    mov R_RDX(%rbx), %rdx
    mov R_R10(%rbx), %r10
    mov R_R8(%rbx), %r8
    mov R_R9(%rbx), %r9
    mov R_RDI(%rbx), %rdi
    .globl futex_begin, futex_end
futex_begin:
    cmpl $0, C_INTERRUPTED(%rbx)
    jne 1f
    movl $1, C_WAITING(%rbx)
    mov $202, %eax
    HOST futex
futex_end:
    movl $0, C_WAITING(%rbx)
    pop %rbx
    ret
1:  mov $-4, %rax
    jmp futex_end

/* void clear_word(address): a store to guest memory that may fault; then rip is moved to clear_end */
FUNCTION clear_word
clear_begin:
    movl $0, (%rdi)
clear_end:
    ret

/* long cmpxchg_word(address, expected, new): the old value. A fault moves rip to cmpxchg_end and sets rax to -EFAULT. */
FUNCTION cmpxchg_word
    mov %esi, %eax
cmpxchg_begin:
    lock cmpxchg %edx, (%rdi)
cmpxchg_end:
    ret

/* long cmpxchg_code(address, expected, new): eight bytes of code at once. 0, or 1 if others were there; a fault makes it -EFAULT. */
FUNCTION cmpxchg_code
    mov %rsi, %rax
code_begin:
    lock cmpxchg %rdx, (%rdi)
    setne %al
    movzbl %al, %eax
code_end:
    ret

/* long copy(into, from, length): 0, or -EFAULT. One of the two is guest memory; a fault moves rip to copy_end. */
FUNCTION copy
    mov %rdx, %rcx
    xor %eax, %eax
copy_begin:
    rep movsb
copy_end:
    ret

/* long copy_string(into, from, room): its length with the NUL; -EFAULT if it has no end there */
FUNCTION copy_string
    xor %ecx, %ecx
string_begin:
1:  cmp %rdx, %rcx
    jae 2f
    movzbl (%rsi,%rcx), %eax
    mov %al, (%rdi,%rcx)
    inc %rcx
    test %al, %al
    jnz 1b
    mov %rcx, %rax
    ret
2:  mov $-14, %rax
string_end:
    ret

/* long probe(address, length): 0 if all of it can be written, or -EFAULT. Touches each page without changing it. */
FUNCTION probe
    lea -1(%rdi,%rsi), %rsi             /* the last byte */
    xor %eax, %eax
probe_begin:
1:  lock orb $0, (%rdi)
    or $0xfff, %rdi
    inc %rdi
    cmp %rsi, %rdi
    jbe 1b
    lock orb $0, (%rsi)
probe_end:
    ret

/* A rewritten call site comes here through its stub, with its number in r11; all else is the guest's, the flags too. Between
   here and fast_saved a signal finds the guest's state in the registers and undoes what was done (see on_signal). */
FUNCTION fast_entry
    mov %gs:C_CANARY, %ecx
    lea -CANARY(%rcx), %ecx
    jecxz 1f
    .globl fast_trap, fast_saved
fast_trap:                              /* the base is the guest's own: a signal finds the context by the stack */
    ud2
1:  rdgsbase %rcx
    mov %rsp, R_RSP(%rcx)
    lea SLOT_TOP(%rcx), %rsp
    pushfq
    popq R_RFL(%rcx)
    mov %rax, R_RAX(%rcx)
    mov %rdi, R_RDI(%rcx)
    mov %rsi, R_RSI(%rcx)
    mov %rdx, R_RDX(%rcx)
    mov %r10, R_R10(%rcx)
    mov %r8, R_R8(%rcx)
    mov %r9, R_R9(%rcx)
    mov %rbx, R_RBX(%rcx)
    mov %rbp, R_RBP(%rcx)
    mov %r12, R_R12(%rcx)
    mov %r13, R_R13(%rcx)
    mov %r14, R_R14(%rcx)
    mov %r15, R_R15(%rcx)
fast_saved:
    cld
    mov %rcx, %rdi
    mov %r11d, %esi
    jmp on_fast

/* void leave(context): into the guest. Only reads the context, so it can be broken off anywhere and done again. Vector state that
   is not in the registers must be loaded here, last: the host resets it whenever it delivers a signal.
   As a system call leaves rcx and r11, a jump is enough; a site that was rewritten with its comparison gets that one's flags. */
FUNCTION leave
    .globl leave_end
    cmpl $0, C_INTERRUPTED(%rdi)
    jne 1f
    cmpl $0, C_LIVE(%rdi)
    jne 2f
    mov C_XSAVE(%rdi), %rcx
    mov $-1, %eax
    mov $-1, %edx
    xrstor64 (%rcx)
2:  mov C_FS(%rdi), %rax
    rdfsbase %rcx
    cmp %rax, %rcx
    je 3f
    wrfsbase %rax
3:  mov C_GS(%rdi), %rax
    test %rax, %rax
    cmovz %rdi, %rax                    /* a guest that does not use it lends it to us */
    rdgsbase %rcx
    cmp %rax, %rcx
    je 4f
    wrgsbase %rax
4:  mov R_R8(%rdi), %r8
    mov R_R9(%rdi), %r9
    mov R_R10(%rdi), %r10
    mov R_RBX(%rdi), %rbx
    mov R_RBP(%rdi), %rbp
    mov R_R12(%rdi), %r12
    mov R_R13(%rdi), %r13
    mov R_R14(%rdi), %r14
    mov R_R15(%rdi), %r15
    mov R_RSI(%rdi), %rsi
    mov R_RDX(%rdi), %rdx
    mov R_RAX(%rdi), %rax
    mov R_RIP(%rdi), %rcx
    cmp R_RCX(%rdi), %rcx
    jne 6f
    testl $~PLAIN_FLAGS, R_RFL(%rdi)
    jnz 6f
    cmpq $0, C_TAIL(%rdi)
    jne 5f
    mov R_R11(%rdi), %r11
    pushq R_RFL(%rdi)
    popfq
    mov R_RSP(%rdi), %rsp
    mov R_RDI(%rdi), %rdi
    jmp *%rcx
5:  mov C_TAIL(%rdi), %rcx
    mov C_COMPARED(%rdi), %r11
    mov R_RSP(%rdi), %rsp
    mov R_RDI(%rdi), %rdi
    cmp %r11, %rax
    jmp *%rcx
6:  pushq $0x2b
    pushq R_RSP(%rdi)
    pushq R_RFL(%rdi)
    pushq $0x33
    pushq R_RIP(%rdi)
    mov R_RCX(%rdi), %rcx
    mov R_R11(%rdi), %r11
    mov R_RDI(%rdi), %rdi
    iretq
leave_end:
1:  mov $K_INTERRUPT, %esi
    /* falls through */

/* void start_over(context, kind): drop the shim's stack and ask. The context still holds the guest's state. */
    .globl start_over
start_over:
    mov C_STACK(%rdi), %rsp
    jmp serve

/* void load_vectors(fpstate): the guest's, which the host has reset for a signal */
FUNCTION load_vectors
    mov $-1, %eax
    mov $-1, %edx
    xrstor64 (%rdi)
    ret

/* void nested_return(gregs, fpstate): back into the interrupted shim; rt_sigreturn is in no lane of the filter */
FUNCTION nested_return
    mov $-1, %eax
    mov $-1, %edx
    xrstor64 (%rsi)
    pushq $0x2b
    pushq 15*8(%rdi)
    pushq 17*8(%rdi)
    pushq $0x33
    pushq 16*8(%rdi)
    mov 0*8(%rdi), %r8
    mov 1*8(%rdi), %r9
    mov 2*8(%rdi), %r10
    mov 3*8(%rdi), %r11
    mov 4*8(%rdi), %r12
    mov 5*8(%rdi), %r13
    mov 6*8(%rdi), %r14
    mov 7*8(%rdi), %r15
    mov 9*8(%rdi), %rsi
    mov 10*8(%rdi), %rbp
    mov 11*8(%rdi), %rbx
    mov 12*8(%rdi), %rdx
    mov 13*8(%rdi), %rax
    mov 14*8(%rdi), %rcx
    mov 8*8(%rdi), %rdi
    iretq

/* long make_process(context, nonce). The child has registers only: no stack, no contexts (they are MADV_DONTFORK). It says
   hello; meanwhile the sentry puts the child's own memfd on FD_CONTEXTS and writes its first order. The child uses its
   parent's slot number, so the inherited alternate stack is right as it stands. */
FUNCTION make_process
    push %r12
    push %r13
    mov %rdi, %r13
    mov %rsi, %r12
    mov $FORK_FLAGS, %edi
    xor %esi, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    xor %r9d, %r9d
    mov $56, %eax
    HOST fork
    test %rax, %rax
    jz 1f
    pop %r13
    pop %r12
    ret
1:  mov $NR_HELLO, %eax
    mov %r12, %rdi
    HOST hello_process
    cmp $-4, %rax
    je 1b
    and $~FD_CONTEXTS, %rax             /* ADDFD with SEND answers with the descriptor's number */
    jnz die
    MAP_CONTEXTS child
    jne die
    mov $28, %eax                       /* madvise(CTX_BASE, CTX_SIZE, MADV_DONTFORK) */
    mov $10, %edx
    HOST dontfork
    test %rax, %rax
    jnz die
    mov $3, %eax
    mov $FD_CONTEXTS, %edi
    HOST close_contexts
    lea SLOT_TOP(%r13), %rsp
    mov %r13, %rdi
    jmp child_main

/* long make_thread(context, nonce, child's context). The child's stack is in its own slot. */
FUNCTION make_thread
    push %r12
    push %r13
    mov %rdx, %r13
    mov %rsi, %r12
    mov $THREAD_FLAGS >> 4, %edi        /* in two steps: the whole number holds the bytes of a syscall instruction */
    shl $4, %edi
    lea SLOT_TOP(%r13), %rsi
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    xor %r9d, %r9d
    mov $56, %eax
    HOST thread
    test %rax, %rax
    jz 1f
    pop %r13
    pop %r12
    ret
1:  mov $NR_HELLO, %eax
    mov %r12, %rdi
    HOST hello_thread
    cmp $-4, %rax
    je 1b
    test %rax, %rax
    jnz 2f
    pushq $SLOT-SLOT_STACK              /* stack_t: address, flags, size */
    pushq $0
    lea SLOT_STACK(%r13), %rax
    push %rax
    mov $131, %eax
    mov %rsp, %rdi
    xor %esi, %esi
    HOST sigaltstack
    add $24, %rsp
    mov %r13, %rdi
    jmp child_main
2:  mov $60, %eax
    xor %edi, %edi
    HOST exit
    ud2

    /* where guest memory may be touched: a fault there goes on at the end */
    .macro ACCESS name
    .long \name\()_begin - ., \name\()_end - .
    .endm
    .section .rodata, "a"
    .balign 4
    .globl guest_accesses
guest_accesses:
    ACCESS clear
    ACCESS cmpxchg
    ACCESS code
    ACCESS copy
    ACCESS string
    ACCESS probe
    .long 0

    .section .stubs, "ax"
    .set site, 0
    .rept NSITE
    .balign SITE_STUB
    mov $site, %r11d
    jmp fast_entry
    .set site, site + 1
    .endr

    .section .note.GNU-stack, "", @progbits
