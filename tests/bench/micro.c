/* SPDX-License-Identifier: Apache-2.0 */
/*
 * micro [NAME...]: nanoseconds an operation takes, one line "NAME NS COUNT" each (COUNT: how often it was done in all); without names,
 * all of them.
 * micro time N COMMAND...: the median wall time of N runs of a command, as "time NS N".
 *
 * An operation is repeated for about a tenth of a second, three times; the smallest mean counts, since whatever disturbs
 * only adds. Times come from the guest's own clock.
 */
#include "calls.h"
#include "common.h"
#include "ipc.h"
#include "memory.h"

#define BATCH_NS 100000000L
#define REPEATS 3

static const struct operation {
    const char *name;
    void (*run)(void);
    long idle_ns; /* what it computes beside, to be left out */
    int times;    /* it is done so often in one run; 0: once */
} operations[] = {
    { "umask", do_umask },
    { "umask_30", do_umask_30, 30000 },
    { "umask_200", do_umask_200, 200000 },
    { "getpid", do_getpid },
    { "getppid", do_getppid },
    { "getuid", do_getuid },
    { "stat", do_stat },
    { "open", do_open },
    { "read", do_read },
    { "tmpfs_stat", do_tmpfs_stat },
    { "tmpfs_open", do_tmpfs_open },
    { "tmpfs_read", do_tmpfs_read },
    { "tmpfs_write", do_tmpfs_write },
    { "epoll", do_epoll },
    { "signal", do_signal },
    { "nanosleep", do_nanosleep },
    { "mmap", do_mmap },
    { "mprotect", do_mprotect },
    { "touch", do_touch },
    { "fork", do_fork },
    { "exec", do_exec },
    { "thread", do_thread },
    { "mutex", do_mutex, 0, MUTEX_THREADS * MUTEX_ROUNDS },
    { "pipe", do_pipe },
    { "pipe_threads", do_pipe_threads },
    { "unix", do_unix },
    { "unix_threads", do_unix_threads },
    { "eventfd", do_eventfd },
    { "eventfd_threads", do_eventfd_threads },
    { "futex", do_futex },
};
#define NR_OPERATIONS (sizeof(operations) / sizeof(*operations))

/* Runs it for a while; adds to *total how often. */
static double mean_ns(void (*run)(void), long *total)
{
    long start = now_ns(), end, count = 0, batch = 1;

    do {
        for (long i = 0; i < batch; i++)
            run();
        count += batch;
        end = now_ns();
        if (end - start < BATCH_NS / 20)
            batch *= 2;
    } while (end - start < BATCH_NS);
    *total += count;
    return (double)(end - start) / count;
}

static void measure(const struct operation *operation)
{
    int times = operation->times ? operation->times : 1;
    long total = 0;
    double best = 0;

    for (int i = 0; i < REPEATS; i++) {
        double ns = (mean_ns(operation->run, &total) - operation->idle_ns) / times;

        if (best == 0 || ns < best)
            best = ns;
    }
    printf("%s %.1f %ld\n", operation->name, best, total * times);
    fflush(stdout);
}

/* Each in a process of its own, so that partners and descriptors of one do not burden the next. */
static void measure_apart(const struct operation *operation)
{
    pid_t pid = fork();

    if (pid == 0) {
        measure(operation);
        exit(0);
    }
    reap(pid);
}

static int compare(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

static void measure_command(int runs, char **argv)
{
    long *ns = calloc(runs, sizeof(*ns));

    for (int i = 0; i < runs; i++) {
        long start = now_ns();
        pid_t pid = fork();

        if (pid == 0) {
            execv(argv[0], argv);
            _exit(127);
        }
        reap(pid);
        ns[i] = now_ns() - start;
    }
    qsort(ns, runs, sizeof(*ns), compare);
    printf("time %ld %d\n", ns[runs / 2], runs);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "true") == 0)
        return 0;
    if (argc > 3 && strcmp(argv[1], "time") == 0) {
        measure_command(atoi(argv[2]), argv + 3);
        return 0;
    }
    for (size_t i = 0; i < NR_OPERATIONS; i++) {
        int wanted = argc == 1;

        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], operations[i].name) == 0;
        if (wanted)
            measure_apart(&operations[i]);
    }
    unlink(TMPFS_FILE);
    return 0;
}
