/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the executable is entered: asks the host for all pages of its data at once, and goes on as the C library does.
 * Relocation writes to each of these four hundred pages, and a fault for every one costs a third of what --version costs.
 * A host that does not know MADV_POPULATE_WRITE (before Linux 5.14) refuses, which changes nothing.
 */
#define SYS_MADVISE 28
#define MADV_POPULATE_WRITE 23

        .text
        .globl runsc_start
        .type runsc_start, @function
        .hidden __init_array_start
        .hidden _edata
runsc_start:
        mov %rdx, %r8                   /* the C library's, as is the stack */
        lea __init_array_start(%rip), %rdi
        and $-4096, %rdi
        lea _edata(%rip), %rsi
        sub %rdi, %rsi
        mov $MADV_POPULATE_WRITE, %edx
        mov $SYS_MADVISE, %eax
        syscall
        mov %r8, %rdx
        jmp _start

        .section .note.GNU-stack, "", @progbits
