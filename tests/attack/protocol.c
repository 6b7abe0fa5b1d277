/* SPDX-License-Identifier: Apache-2.0 */
/* Lies to the sentry: forged hellos and bells, spoilt contexts, a thread that vanishes or will not listen. */
#include <pthread.h>

#include "attack.h"


static void forged_hello(const void *unused)
{
    (void)unused;
    jump(NR_HELLO, 0x1234, 0, 0, 0, 0, 0);
}

static void hello_with_own_nonce(const void *unused)
{
    (void)unused;
    getppid();
    jump(NR_HELLO, CONTEXT->nonce, 0, 0, 0, 0, 0);
}

static void wrong_sequence(const void *unused)
{
    (void)unused;
    jump(NR_BELL, 77777, K_SYSCALL, 0, 0, 0, 0);
}

static void wrong_kind(const void *unused)
{
    (void)unused;
    getppid();
    jump(NR_BELL, CONTEXT->seq + 1, 99, 0, 0, 0, 0);
}

static void done_without_an_order(const void *unused)
{
    (void)unused;
    getppid();
    jump(NR_BELL, CONTEXT->seq + 1, K_DONE, 0, 0, 0, 0);
}

/* Allowed: it is a slow way of making system calls. */
static void bells_by_hand(const void *unused)
{
    (void)unused;
    getppid();
    for (int i = 0; i < 20000; i++) {
        CONTEXT->request.number = SYS_getppid;
        uint32_t seq = ++CONTEXT->seq;
        while (CONTEXT->answer.rep != seq)
            jump(NR_BELL, seq, K_SYSCALL, 0, 0, 0, 0);
    }
}

static void false_results(const void *unused)
{
    (void)unused;
    getppid();
    CONTEXT->report.result = 0x7fffffffffffffff;
    CONTEXT->nr_host_calls = 0xffffffff;
    for (int i = 0; i < MAX_HOST_CALLS; i++)
        CONTEXT->host[i].result = -4095;
    mmap(NULL, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void vanish(const void *unused)
{
    (void)unused;
    jump(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void bad_vectors(const void *unused)
{
    (void)unused;
    getppid();
    CONTEXT->machine.xsave = CTX_BASE + 0x1001;
    CONTEXT->interrupted = 0;
    ((void (*)(void *))SHIM_leave)(CONTEXT);
}

static void signal_with_bad_vectors_handler(int signo)
{
    (void)signo;
}

/* The sentry must survive an image address that lies anywhere, when it builds a frame. */
static void signal_with_bad_vectors(const void *unused)
{
    static const uint64_t places[] = {0, 1, CTX_BASE - 64, CTX_BASE + SLOT - 64, CTX_BASE + SLOT * 5, SHIM_BASE, -64UL, 0x8000000000000000};

    (void)unused;
    signal(SIGUSR1, signal_with_bad_vectors_handler);
    pid_t self = getpid();
    for (unsigned i = 0; i < LENGTH(places); i++) {
        CONTEXT->machine.xsave = places[i];
        CONTEXT->request.number = SYS_kill;
        CONTEXT->request.args[0] = self;
        CONTEXT->request.args[1] = SIGUSR1;
        uint32_t seq = ++CONTEXT->seq;
        while (CONTEXT->answer.rep != seq)
            jump(NR_BELL, seq, K_SYSCALL, 0, 0, 0, 0);
    }
}

static void spoilt_context(const void *unused)
{
    (void)unused;
    memset(CONTEXT, 0xff, PAGE);
    getppid();
}

static void spoilt_slots(const void *unused)
{
    (void)unused;
    memset((char *)CTX_BASE + SLOT, 0xff, 4 * SLOT);    /* not our own, which is in use */
    getppid();
}

static void *overwrite_for_ever(void *unused)
{
    uint64_t noise = 88172645463325252ULL;

    (void)unused;
    for (;;)
        for (unsigned i = 0; i < PAGE / 8; i++) {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            ((volatile uint64_t *)CTX_BASE)[i] = noise;
        }
    return NULL;
}

/* A sibling scribbles in our context while we call. */
static void racing_sibling(const void *unused)
{
    pthread_t thread;

    (void)unused;
    pthread_create(&thread, NULL, overwrite_for_ever, NULL);
    for (int i = 0; i < 2000; i++)
        getppid();
}

static void deaf(void)
{
    for (;;)
        CONTEXT->interrupted = 0;
}

/* Computes for ever and takes no notice of anything: SIGKILL must end it. */
static void kill_the_deaf(void)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        deaf();
    usleep(50000);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    verdict(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "a deaf process", "wait status %#lx", status);
}

int main(void)
{
    must_kill("forged hello", forged_hello);
    must_kill("hello with its own nonce, again", hello_with_own_nonce);
    must_kill("bell with a wrong sequence number", wrong_sequence);
    must_kill("bell of an unknown kind", wrong_kind);
    must_kill("done, without an order", done_without_an_order);
    must_be_harmless("20 000 bells by hand", bells_by_hand, SURVIVED);
    must_end("false results", false_results);
    must_end("only thread leaves by itself", vanish);
    must_kill("leaving with a bad vector image", bad_vectors);
    must_end("signal with a bad vector image", signal_with_bad_vectors);
    must_kill("own context overwritten", spoilt_context);
    must_be_harmless("unused slots overwritten", spoilt_slots, SURVIVED);
    must_end("sibling scribbles in the context", racing_sibling);
    kill_the_deaf();
    return finish();
}
