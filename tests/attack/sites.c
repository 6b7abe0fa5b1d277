/* SPDX-License-Identifier: Apache-2.0 */
/* Rewritten call sites, as an enemy sees them: the table is in its own memory, the stubs can be jumped to, text can be changed back. */
#include <pthread.h>

#include "attack.h"

#define CALLS 40
#define NUMBERED(n) (SITE_STUBS + SITE_STUB * (n))

static uint64_t noise = 88172645463325252ULL;

static uint64_t next_noise(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise;
}

/* mov $number, %eax; syscall; ret on a page of its own, called until it has been rewritten */
static unsigned char *hot_site(int number)
{
    unsigned char *page = mmap(NULL, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    page[16] = 0xb8;
    memcpy(page + 17, &number, 4);
    memcpy(page + 21, "\x0f\x05\xc3", 3);
    mprotect(page, PAGE, PROT_READ | PROT_EXEC);
    for (int i = 0; i < CALLS; i++)
        ((long (*)(long))(page + 16))(-1);
    return page + 16;
}

static int rewritten(const unsigned char *site)
{
    return site[0] == 0xff && site[1] == 0x24;
}

static long call_site(const unsigned char *site)
{
    return ((long (*)(void))site)();
}

static void records_of_noise(const void *unused)
{
    unsigned char *site = hot_site(SYS_getpgrp);
    struct site *records = (struct site *)SITE_RECORDS;

    (void)unused;
    if (!rewritten(site))
        _exit(3);
    for (int i = 0; i < NSITE; i++)
        records[i] = (struct site){next_noise(), next_noise(), next_noise()};
    call_site(site);
}

/* The number is the guest's to choose; the right place to go back to makes it a call like any other. */
static void records_of_any_call(const void *unused)
{
    unsigned char *site = hot_site(SYS_getpgrp);
    struct site *records = (struct site *)SITE_RECORDS;

    (void)unused;
    if (!rewritten(site))
        _exit(3);
    for (int i = 0; i < NSITE; i++) {
        records[i].number = i % 64 == 11 ? 100000 : SYS_getpgrp + i % 2 * 0x40000000;
        records[i].compare = 0;
        records[i].back = (uint64_t)site + 7;
    }
    for (int i = 0; i < 2000; i++)
        call_site(site);
}

static void slots_of_noise(const void *unused)
{
    unsigned char *site = hot_site(SYS_getpgrp);

    (void)unused;
    for (int i = 0; i < NSITE; i++)
        ((uint64_t *)SITE_SLOTS)[i] = SHIM_BASE + next_noise() % SHIM_SIZE;
    call_site(site);
}

static void no_table(const void *unused)
{
    unsigned char *site = hot_site(SYS_getpgrp);

    (void)unused;
    jump(SYS_munmap, SITE_SLOTS, SITE_BYTES, 0, 0, 0, 0);
    call_site(site);
}

/* The sentry writes into what the guest has made unwritable, or taken away, when the next site is to be rewritten. */
static void table_in_the_way(const void *unused)
{
    (void)unused;
    hot_site(SYS_getpgrp);
    jump(SYS_mprotect, SITE_SLOTS, SITE_BYTES, PROT_READ, 0, 0, 0);
    unsigned char *second = hot_site(SYS_getpgrp);
    if (call_site(second) != getpgrp())
        _exit(4);
    jump(SYS_munmap, SITE_SLOTS, SITE_BYTES, 0, 0, 0, 0);
    if (call_site(hot_site(SYS_getpgrp)) != getpgrp())
        _exit(5);
}

/* Jumps to address with any r11 and the base of %gs that is given. */
static void go(uint64_t address, uint64_t r11, uint64_t gs, int set_gs)
{
    if (set_gs)
        asm volatile("wrgsbase %0" : : "r"(gs));
    asm volatile("mov %0, %%r11; sub $256, %%rsp; call *%1; add $256, %%rsp"
                 : : "r"(r11), "r"(address) : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
}

struct way {
    uint64_t address, r11, gs;
    int set_gs;
};

static void go_way(const void *argument)
{
    const struct way *w = argument;

    hot_site(SYS_getpgrp);
    go(w->address, w->r11, w->gs, w->set_gs);
}

static uint64_t false_context[SLOT / 4] __attribute__((aligned(65536)));

static void jumps_into_stubs(void)
{
    ((struct context *)false_context)->canary = CANARY;
    const uint64_t addresses[] = {NUMBERED(0), NUMBERED(1), NUMBERED(NSITE - 1), NUMBERED(0) + 6, NUMBERED(NSITE), SHIM_fast_entry, SHIM_fast_trap,
                                  SHIM_fast_saved, SHIM_fast_saved - 4};
    const uint64_t words[] = {0, 1, NSITE, 0xffffffff, -1UL, 0x8000000000000000};
    const uint64_t bases[] = {0, CTX_BASE, CTX_BASE + SLOT, CTX_BASE + CTX_SIZE, SHIM_BASE, (uint64_t)false_context, SITE_RECORDS, -4096UL};
    int ended = 0, went_on = 0;

    for (unsigned a = 0; a < LENGTH(addresses); a++)
        for (unsigned i = 0; i < LENGTH(words); i++)
            for (unsigned b = 0; b <= LENGTH(bases); b++) {
                struct way way = {addresses[a], words[i], b < LENGTH(bases) ? bases[b] : 0, b < LENGTH(bases)};
                if (survived(in_child(go_way, &way)))
                    went_on++;
                else
                    ended++;
            }
    verdict(ended + went_on > 0, "jumps into stubs", "%ld went on", went_on);
}

/* The patched bytes changed back, byte by byte and half, and called: its own affair. */
static void patched_text(const void *unused)
{
    (void)unused;
    for (int i = 0; i < 7; i++) {
        unsigned char *site = hot_site(SYS_getpgrp);
        unsigned char *page = (unsigned char *)((uint64_t)site & -PAGE);
        mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
        memcpy(site, "\xb8\x6f\x00\x00\x00\x0f\x05", 7);
        if (call_site(site) != getpgrp())
            _exit(3);
        mprotect(page, PAGE, PROT_READ | PROT_EXEC);
        for (int k = 0; k < CALLS; k++)
            if (call_site(site) != getpgrp())
                _exit(4);
    }
    unsigned char *site = hot_site(SYS_getpgrp);
    mprotect((void *)((uint64_t)site & -PAGE), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    site[4] = 0x60;
    call_site(site);
}

static void flagged(const void *unused)
{
    (void)unused;
    unsigned char *site = hot_site(SYS_getpgrp);
    /* nested task and trap flag, then a call that must leave by iretq */
    for (int i = 0; i < 100; i++)
        asm volatile("pushfq; orq $0x4000, (%%rsp); popfq; sub $128, %%rsp; call *%0; add $128, %%rsp; pushfq; andq $~0x4000, (%%rsp); popfq"
                     : : "r"(site) : "rax", "rcx", "r11", "memory", "cc");
}

static void *scribble(void *unused)
{
    (void)unused;
    for (;;)
        for (unsigned i = 0; i < SITE_BYTES / 8; i += 1 + next_noise() % 64) {
            ((volatile uint64_t *)SITE_SLOTS)[i] = next_noise() % 3 ? NUMBERED(next_noise() % NSITE) : next_noise();
        }
    return NULL;
}

/* Another thread writes the table while sites are rewritten and used. */
static void racing_table(const void *unused)
{
    pthread_t thread;

    (void)unused;
    hot_site(SYS_getpgrp);
    pthread_create(&thread, NULL, scribble, NULL);
    for (int i = 0; i < 300; i++)
        munmap((void *)((uint64_t)hot_site(i % 2 ? SYS_getpgrp : SYS_getpid) & -PAGE), PAGE);
}

static volatile int stop;
static unsigned char *volatile moving;

static void *take_away(void *unused)
{
    (void)unused;
    while (!stop) {
        unsigned char *page = moving;
        if (page) {
            mmap(page, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            munmap(page, PAGE);
            mmap(page, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        }
    }
    return NULL;
}

/* The page goes while its site is rewritten. */
static void page_goes(const void *unused)
{
    pthread_t thread;

    (void)unused;
    pthread_create(&thread, NULL, take_away, NULL);
    for (int i = 0; i < 50; i++) {
        unsigned char *page = mmap(NULL, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(page + 16, "\xb8\x6f\x00\x00\x00\x0f\x05\xc3", 8);
        mprotect(page, PAGE, PROT_READ | PROT_EXEC);
        moving = page;
        for (int k = 0; k < CALLS; k++)
            call_site(page + 16);
        moving = NULL;
    }
}

int main(void)
{
    must_kill("records of noise", records_of_noise);
    must_be_harmless("records of any call", records_of_any_call, SURVIVED);
    must_kill("slots of noise", slots_of_noise);
    must_kill("table unmapped", no_table);
    must_be_harmless("table unwritable, then away", table_in_the_way, SURVIVED);
    jumps_into_stubs();
    must_kill("patched text changed back, and spoilt", patched_text);
    must_be_harmless("odd flags", flagged, SURVIVED);
    must_end("another thread scribbles over the table", racing_table);
    must_end("the page goes while it is rewritten", page_goes);
    return finish();
}
