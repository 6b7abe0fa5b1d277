/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call sites made at run time, at any place of a cache line, in the forms that a kernel in user space may rewrite when they
 * trap often. A site is a function of its system call's arguments; it answers what the call answered.
 */
#ifndef SITES_H
#define SITES_H
#include "../check.h"
#include <asm/prctl.h>

#define OFTEN 40        /* calls of a site after which it has been rewritten, if ever */

enum { FORMS = 2 };

typedef long (*site_function)(long, long, long, long, long, long);

enum form { MOV, COMPARE, COMPARE_FLAGS };

static const enum form forms[FORMS] = {MOV, COMPARE};

static const unsigned char fourth_argument[] = {0x49, 0x89, 0xca};      /* mov %rcx, %r10 */

static inline unsigned char *code_page(void)
{
    unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

static inline void seal_code(void *page)
{
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
}

static inline unsigned char *emit(unsigned char *at, const void *bytes, int count)
{
    memcpy(at, bytes, count);
    return at + count;
}

static inline unsigned char *emit_number(unsigned char *at, const char *opcode, int length, int number)
{
    return emit(emit(at, opcode, length), &number, 4);
}

/* mov $number, %eax; syscall: begins at `at`, in front of which there must be room for three bytes. */
static inline site_function write_mov_site(unsigned char *at, int number)
{
    unsigned char *begin = at - 3;
    emit(begin, fourth_argument, 3);
    at = emit_number(at, "\xb8", 1, number);
    emit(at, "\x0f\x05\xc3", 3);
    return (site_function)begin;
}

/* syscall; cmp $imm, %rax: the syscall is at `at`. flags: answers the flags instead of the result. */
static inline site_function write_compare_site(unsigned char *at, int number, int compared, int flags)
{
    unsigned char *begin = at - 10;
    emit_number(emit(begin, fourth_argument, 3), "\x48\xc7\xc0", 3, number);
    at = emit_number(emit(at, "\x0f\x05", 2), "\x48\x3d", 2, compared);
    emit(at, flags ? "\x9c\x58\xc3" : "\xc3", flags ? 3 : 1);           /* pushfq; pop %rax; ret */
    return (site_function)begin;
}

static inline site_function write_site(enum form form, unsigned char *at, int number)
{
    return form == MOV ? write_mov_site(at, number) : write_compare_site(at, number, -4095, form == COMPARE_FLAGS);
}

/* One site on a page of its own. */
static inline site_function new_site(enum form form, int number)
{
    unsigned char *page = code_page();
    site_function site = write_site(form, page + 16, number);
    seal_code(page);
    return site;
}

static inline void make_hot(site_function site)
{
    for (int i = 0; i < OFTEN; i++)
        CHECK_EQ(site(-1, 0, 0, 0, 0, 0), site(-1, 0, 0, 0, 0, 0));
}

/* Calls `at` with rax; answers rax and the arithmetic flags. */
static inline long go_to(const void *at, long rax, long *flags)
{
    __asm__ volatile("sub $128, %%rsp; call *%2; pushfq; pop %1; add $128, %%rsp"
                     : "+a"(rax), "=&r"(*flags) : "r"(at) : "rcx", "r11", "memory", "cc");
    return rax;
}

#endif
