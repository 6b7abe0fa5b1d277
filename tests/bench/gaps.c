/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gaps GAP_NS THREADS SIBLINGS: each of THREADS computes for GAP_NS and calls umask(), over and over, for half a second; SIBLINGS threads
 * only compute. Prints the mean of a call in ns, the gap taken off, and how many calls were made.
 */
#include "common.h"

#include <stdatomic.h>

#define RUN_NS 500000000L

static long gap;
static atomic_int over;
static atomic_long calls, spent;

static void compute(long ns)
{
    for (long end = now_ns() + ns; now_ns() < end;)
        ;
}

static void *sibling(void *unused)
{
    while (!atomic_load_explicit(&over, memory_order_relaxed))
        for (volatile int i = 0; i < 1000; i++)
            ;
    return unused;
}

static void *caller(void *unused)
{
    long count = 0, inside = 0;

    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        if (gap)
            compute(gap);
        long before = now_ns();
        for (int i = 0; i < (gap ? 1 : 16); i++, count++)
            umask(022);
        inside += now_ns() - before;
    }
    atomic_fetch_add(&calls, count);
    atomic_fetch_add(&spent, inside);
    return unused;
}

int main(int argc, char **argv)
{
    int callers = atoi(argv[2]), siblings = atoi(argv[3]);
    pthread_t threads[16];
    struct timespec time = {0, RUN_NS};

    must(argc == 4 && callers + siblings <= 16, "arguments");
    gap = atol(argv[1]);
    for (int i = 0; i < callers + siblings; i++)
        must(!pthread_create(&threads[i], NULL, i < callers ? caller : sibling, NULL), "pthread_create");
    nanosleep(&time, NULL);
    atomic_store(&over, 1);
    for (int i = 0; i < callers + siblings; i++)
        pthread_join(threads[i], NULL);
    printf("%.1f %ld\n", (double)spent / calls, (long)calls);
    return 0;
}
