/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, answers and windows made by hand or spoilt by a sibling, with bells and without. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "attack.h"

#define WINDOW(context) ((struct window *)((char *)(context) + SLOT_WINDOW))
#define WARM_UP 3000                    /* calls after which the sentry may look at requests before they ring */

static uint64_t noise = 88172645463325252ULL;

static uint64_t next_noise(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise;
}

static void warm_up(void)
{
    for (int i = 0; i < WARM_UP; i++)
        getpgrp();
}

static void set_request(long number, long a, long b, long c)
{
    CONTEXT->request.number = number;
    CONTEXT->request.args[0] = a;
    CONTEXT->request.args[1] = b;
    CONTEXT->request.args[2] = c;
    CONTEXT->request.args[3] = CONTEXT->request.args[4] = CONTEXT->request.args[5] = 0;
}

static long ring_until_answered(uint32_t seq, long what)
{
    while (CONTEXT->answer.rep != seq)
        jump(NR_BELL, seq, what, 0, 0, 0, 0);
    return CONTEXT->answer.plain ? (long)CONTEXT->answer.result : (long)CONTEXT->machine.regs[RAX];
}

static long call_with_pieces(long number, long a, long b, long c)
{
    set_request(number, a, b, c);
    return ring_until_answered(++CONTEXT->seq, K_SYSCALL | HAS_PIECES);
}

static const uint32_t extremes[] = {0, 1, 8, NR_PIECES, WINDOW_SIZE - 1, WINDOW_SIZE, WINDOW_SIZE + 1, 0x7fff, 0x8000, 0xbfff, 0xffff, SLOT, CTX_SIZE,
                                    0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff};

static uint32_t any_length(void)
{
    return next_noise() % 3 ? extremes[next_noise() % LENGTH(extremes)] : next_noise() % WINDOW_SIZE;
}

static char memory[1 << 16];

static unsigned with_own_context;

/* The last ones are the thread's own context, which it may spoil. */
static uint64_t any_address(void)
{
    const uint64_t addresses[] = {(uint64_t)memory, (uint64_t)memory + 100, CTX_BASE + SLOT * 3, SHIM_BASE, RO_PAGE, 0, 1, -1UL, -4096UL, GUEST_END - 8,
                                  GUEST_END, 0x8000000000000000, SITE_SLOTS, CTX_BASE, CTX_BASE + SLOT_WINDOW};

    return addresses[next_noise() % (LENGTH(addresses) - (with_own_context ? 0 : 2))] + next_noise() % 3;
}

/* Pieces of any place and length. What the sentry reads and writes must be the window and this process's memory. */
static void pieces_of_noise(const void *unused)
{
    static const long numbers[] = {SYS_read, SYS_write, SYS_stat, SYS_getrandom, SYS_writev, SYS_readlink, SYS_getcwd, SYS_uname, SYS_poll,
                                   SYS_rt_sigprocmask, SYS_clock_getres, SYS_getdents64, SYS_open};
    int ends[2];

    (void)unused;
    if (pipe2(ends, O_NONBLOCK))
        _exit(3);
    getpgrp();
    for (int i = 0; i < 4000; i++) {
        struct window *w = WINDOW(CONTEXT);
        long number = numbers[next_noise() % LENGTH(numbers)];
        w->nr_in = any_length();
        w->nr_out = any_length();
        for (int k = 0; k < NR_PIECES; k++) {
            w->incoming[k] = (struct piece){any_address(), any_length(), any_length()};
            w->outgoing[k] = (struct piece){any_address(), any_length(), any_length()};
        }
        long first = number == SYS_read || number == SYS_write || number == SYS_writev ? ends[number == SYS_read ? 0 : 1] : (long)any_address();
        call_with_pieces(number, first, any_address(), number == SYS_poll ? 0 : next_noise() % 2000);
    }
}

static void pieces_in_its_own_context(const void *unused)
{
    with_own_context = 1;
    pieces_of_noise(unused);
}

/* What comes is what the piece says; that is nobody else's business. */
static void pieces_that_lie(const void *unused)
{
    struct window *w = WINDOW(CONTEXT);
    int ends[2];
    char got[8] = "";

    (void)unused;
    if (pipe(ends))
        _exit(3);
    getpgrp();
    w->nr_in = 1;
    w->nr_out = 0;
    w->incoming[0] = (struct piece){(uint64_t)memory, 5, 1000};
    memcpy((char *)w + 1000, "false", 5);
    memcpy(memory, "truth", 5);
    if (call_with_pieces(SYS_write, ends[1], (long)memory, 5) != 5 || read(ends[0], got, 5) != 5 || memcmp(got, "false", 5))
        _exit(4);
}

static void answers_into_the_context(const void *unused)
{
    (void)unused;
    for (unsigned at = 0; at < SLOT; at += 1024)
        syscall(SYS_getrandom, CTX_BASE + at, 1024, 0);
}

static void wild_kind(const void *argument)
{
    getpgrp();
    set_request(SYS_getpgrp, 0, 0, 0);
    ring_until_answered(++CONTEXT->seq, K_SYSCALL | 1UL << *(const int *)argument);
}

static void wild_kinds(void)
{
    int went_on = 0;

    for (int bit = 0; bit < 64; bit++)
        went_on += survived(in_child(wild_kind, &bit));
    verdict(went_on < 40, "kinds with wild bits", "%ld went on", went_on);
}

/* ---- a sibling ---- */

struct target {
    volatile uint64_t *words;
    unsigned count;
};

static void *scribble(void *argument)
{
    const struct target *t = argument;

    for (;;)
        t->words[next_noise() % t->count] = next_noise() % 4 ? next_noise() : next_noise() % 64;
    return NULL;
}

static void call_beside(struct target target)
{
    pthread_t thread;
    struct stat st;
    int fd = open("/proc/self/stat", O_RDONLY);

    warm_up();
    pthread_create(&thread, NULL, scribble, &target);
    for (int i = 0; i < 3000; i++) {
        stat("/", &st);
        pread(fd, memory, 4000, 0);
        getpgrp();
    }
}

static void scribbled_window(const void *unused)
{
    (void)unused;
    call_beside((struct target){(void *)WINDOW(CONTEXT), sizeof(struct window) / 8});
}

static void scribbled_data(const void *unused)
{
    (void)unused;
    call_beside((struct target){(void *)(WINDOW(CONTEXT) + 1), (WINDOW_SIZE - sizeof(struct window)) / 8});
}

static void scribbled_arguments(const void *unused)
{
    (void)unused;
    call_beside((struct target){CONTEXT->request.args, 6});
}

static void scribbled_post(const void *unused)
{
    (void)unused;
    call_beside((struct target){&CONTEXT->request.posted, 1});
}

static void scribbled_answer(const void *unused)
{
    (void)unused;
    call_beside((struct target){(void *)&CONTEXT->answer, sizeof(struct answer) / 8});
}

static void *post_next(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t kind = next_noise() % 3 ? K_SYSCALL : next_noise() % 16;
        CONTEXT->request.posted = kind << 32 | (CONTEXT->seq + next_noise() % 3);
    }
    return NULL;
}

/* Requests that nobody has made, while the thread computes, spins or is in its bell. */
static void posts_by_a_sibling(const void *unused)
{
    pthread_t thread;

    (void)unused;
    warm_up();
    pthread_create(&thread, NULL, post_next, NULL);
    for (int i = 0; i < 5000; i++)
        getpgrp();
}

/* Posted and rung for at the same time: one request. */
static void posts_and_bells(const void *unused)
{
    int ends[2], written = 20000, left = 0;

    (void)unused;
    if (pipe(ends))
        _exit(3);
    warm_up();
    for (int i = 0; i < written; i++) {
        set_request(SYS_write, ends[1], (long)memory, 1);
        uint32_t seq = ++CONTEXT->seq;
        if (i % 3)
            CONTEXT->request.posted = (uint64_t)K_SYSCALL << 32 | seq;
        for (int k = 0; k < i % 200 && CONTEXT->answer.rep != seq; k++)
            asm volatile("pause");
        if (i % 5 == 0)
            jump(NR_BELL, seq, K_SYSCALL, 0, 0, 0, 0);
        if (ring_until_answered(seq, K_SYSCALL) != 1)
            _exit(4);
        if (i % 1000 == 999)
            for (int k = 0; k < 1000; k++)
                left += read(ends[0], memory, 1) != 1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (left || read(ends[0], memory, 1) != -1)
        _exit(5);
}

/* Spins by itself, though nobody has asked it to, and never rings. It waits for itself. */
static void posts_without_bells(const void *unused)
{
    (void)unused;
    warm_up();
    set_request(SYS_getpgrp, 0, 0, 0);
    uint32_t seq = ++CONTEXT->seq;
    CONTEXT->request.posted = (uint64_t)K_SYSCALL << 32 | seq;
    for (int i = 0; i < 100000000 && CONTEXT->answer.rep != seq; i++)
        asm volatile("pause");
}

/* ---- ends in the middle ---- */

static void *read_for_ever(void *unused)
{
    int fd = open("/proc/self/maps", O_RDONLY);

    (void)unused;
    for (;;) {
        pread(fd, memory, 16000, 0);
        syscall(SYS_getrandom, memory, sizeof memory, 0);
    }
    return NULL;
}

static void ends_in_the_middle(const void *argument)
{
    pthread_t threads[6];

    for (unsigned i = 0; i < LENGTH(threads); i++)
        pthread_create(&threads[i], NULL, read_for_ever, NULL);
    usleep(*(const int *)argument * 100);
    _exit(SURVIVED);
}

static void many_ends(void)
{
    int ended = 0;

    for (int i = 0; i < 40; i++)
        ended += survived(in_child(ends_in_the_middle, &i));
    verdict(ended == 40, "exits in the middle of copies", "%ld", ended);
}

/* After all of it the kernel still answers, exactly. */
static void check_kernel(void)
{
    char text[5000], again[5000];
    int ends[2], good = 0;

    if (pipe(ends))
        exit(2);
    for (int i = 0; i < 2000; i++) {
        memset(text, i, sizeof text);
        good += write(ends[1], text, sizeof text) == sizeof text && read(ends[0], again, sizeof again) == sizeof again
             && memcmp(text, again, sizeof text) == 0;
    }
    verdict(good == 2000, "the kernel goes on", "%ld", good);
}

int main(void)
{
    must_be_harmless("pieces of noise", pieces_of_noise, SURVIVED);
    must_end("pieces in its own context", pieces_in_its_own_context);
    must_be_harmless("pieces that lie", pieces_that_lie, SURVIVED);
    must_end("answers into the context", answers_into_the_context);
    wild_kinds();
    must_end("a sibling scribbles over the window", scribbled_window);
    must_end("a sibling scribbles over its data", scribbled_data);
    must_end("a sibling scribbles over the arguments", scribbled_arguments);
    must_end("a sibling scribbles over the post", scribbled_post);
    must_end("a sibling scribbles over the answer", scribbled_answer);
    must_end("a sibling posts requests", posts_by_a_sibling);
    must_be_harmless("posts and bells for the same request", posts_and_bells, SURVIVED);
    must_end("posts without bells", posts_without_bells);
    many_ends();
    check_kernel();
    return finish();
}
