/* SPDX-License-Identifier: Apache-2.0 */
/*
 * border SECONDS SEED: children scribble in their own contexts and ring bells with random numbers, until the sentry has killed them.
 *
 * Runs as a guest only. Nobody but the child may be harmed: at the end an ordinary child must live its ordinary life.
 */
#include <time.h>

#include "../attack/attack.h"

#define NR_CHILDREN 3
#define NR_STEPS 400

static uint64_t noise;

static uint64_t draw(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(uint64_t limit)
{
    return (draw() >> 20) % limit;
}

static uint64_t some_value(void)
{
    static const uint64_t values[] = {0, 1, 2, 8, 0xff, 0xfff, 0x1000, 0xffffffff, 0x7fffffff, 0x80000000, -1UL, 1UL << 63, SHIM_BASE, CTX_BASE};

    switch (below(4)) {
    case 0:
        return draw();
    case 1:
        return below(500);
    case 2:
        return CTX_BASE + below(CTX_SIZE);
    default:
        return values[below(LENGTH(values))];
    }
}

/* A few words of the context, or all of it, or of another slot's. */
static void scribble(void)
{
    volatile uint64_t *words = (void *)(CTX_BASE + (below(8) ? 0 : below(CTX_SIZE / SLOT) * SLOT));
    unsigned count = below(16) ? below(4) : PAGE / 8;

    while (count--)
        words[below(PAGE / 8)] = some_value();
}

static void ring(void)
{
    uint32_t seq = CONTEXT->seq + (below(6) ? 1 : below(4));
    long kind = below(5) ? K_SYSCALL : (long)below(8);

    if (below(3)) {
        CONTEXT->machine.regs[RAX] = below(460);
        for (int i = 0; i < 6; i++)
            CONTEXT->machine.regs[RDI + below(4)] = some_value();
        CONTEXT->seq = seq;
    }
    jump(below(12) ? NR_BELL : NR_HELLO, seq, kind, some_value(), 0, 0, 0);
}

static void child(void)
{
    getppid();                                                  /* from here on there is a context */
    alarm(1);
    for (int i = 0; i < NR_STEPS; i++) {
        if (below(2))
            scribble();
        if (below(4))
            ring();
        else
            jump(below(3) ? below(460) : NR_BELL, some_value(), some_value(), some_value(), some_value(), some_value(), some_value());
        if (below(8) == 0)
            getppid();
    }
    _exit(SURVIVED);
}

static void ordinary(const void *unused)
{
    (void)unused;
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 3);
    uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
    long rounds = 0, killed = 0;
    int status = 0;

    if (getpid() != 1) {
        fputs("only as process 1 of a sandbox: it would harm its host\n", stderr);
        return 2;
    }

    for (; time(NULL) < end; rounds++) {
        pid_t children[NR_CHILDREN];

        for (int i = 0; i < NR_CHILDREN; i++) {
            noise = seed * 7919 + rounds * 104729 + i * 1299709 + 1;
            children[i] = fork();
            if (children[i] == 0)
                child();
        }
        usleep(100000);
        for (int i = 0; i < NR_CHILDREN; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], &status, 0);
            killed += WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
        }
    }
    must_be_harmless("an ordinary child afterwards", ordinary, SURVIVED);
    printf("%ld rounds, %ld children killed for it\n", rounds, killed);
    return finish();
}
