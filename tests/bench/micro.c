/* SPDX-License-Identifier: Apache-2.0 */
/*
 * micro [NAME...]: nanoseconds an operation takes, one line "NAME NS" each; without names, all of them.
 * micro time N COMMAND...: the median wall time of N runs of a command, as "time NS".
 *
 * An operation is repeated for about a tenth of a second, three times; the smallest mean counts, since whatever disturbs
 * only adds. Times come from the guest's own clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH_NS 100000000L
#define REPEATS 3

static char *program;

static void must(int true_, const char *what)
{
    if (!true_) {
        perror(what);
        exit(1);
    }
}

static long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void do_umask(void)
{
    umask(022);
}

static void do_getpid(void)
{
    syscall(SYS_getpid);
}

static void do_stat(void)
{
    struct stat st;

    must(stat("/etc/passwd", &st) == 0, "stat");
}

static void do_open(void)
{
    int fd = open("/etc/passwd", O_RDONLY);

    must(fd >= 0 && close(fd) == 0, "open");
}

static void do_read(void)
{
    static int fd = -1;
    static char buffer[4096];

    if (fd < 0)
        fd = open(program, O_RDONLY);
    must(pread(fd, buffer, sizeof(buffer), 4096) == sizeof(buffer), "pread");
}

static void do_mmap(void)
{
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED, "mmap");
    p[0] = 1;
    must(munmap(p, 65536) == 0, "munmap");
}

static void reap(pid_t pid)
{
    int status;

    must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
}

static void do_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    reap(pid);
}

static void do_exec(void)
{
    pid_t pid = vfork();

    if (pid == 0) {
        execl(program, program, "true", NULL);
        _exit(1);
    }
    reap(pid);
}

static void *nothing(void *unused)
{
    return unused;
}

static void do_thread(void)
{
    pthread_t thread;

    must(pthread_create(&thread, NULL, nothing, NULL) == 0, "pthread_create");
    pthread_join(thread, NULL);
}

/* A partner that answers each byte; it ends with the pipe. One operation is there and back. */
static void do_pipe(void)
{
    static int there[2], back[2];
    char byte = 0;

    if (!there[1]) {
        must(pipe(there) == 0 && pipe(back) == 0, "pipe");
        if (fork() == 0) {
            close(there[1]);
            while (read(there[0], &byte, 1) == 1)
                if (write(back[1], &byte, 1) != 1)
                    break;
            _exit(0);
        }
        close(there[0]);
    }
    must(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
}

static uint32_t turn;

static void take_turn(uint32_t mine)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL, NULL, 0);
    __atomic_store_n(&turn, !mine, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_partner(void *unused)
{
    for (;;)
        take_turn(1);
    return unused;
}

static void do_futex(void)
{
    static pthread_t partner;

    if (!partner)
        must(pthread_create(&partner, NULL, futex_partner, NULL) == 0, "pthread_create");
    take_turn(0);
}

static const struct operation {
    const char *name;
    void (*run)(void);
} operations[] = {
    { "umask", do_umask }, { "getpid", do_getpid }, { "stat", do_stat },     { "open", do_open }, { "read", do_read },   { "mmap", do_mmap },
    { "fork", do_fork },   { "exec", do_exec },     { "thread", do_thread }, { "pipe", do_pipe }, { "futex", do_futex },
};
#define NR_OPERATIONS (sizeof(operations) / sizeof(*operations))

static double mean_ns(void (*run)(void))
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
    return (double)(end - start) / count;
}

static void measure(const struct operation *operation)
{
    double best = 0;

    for (int i = 0; i < REPEATS; i++) {
        double ns = mean_ns(operation->run);

        if (best == 0 || ns < best)
            best = ns;
    }
    printf("%s %.1f\n", operation->name, best);
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
    printf("time %ld\n", ns[runs / 2]);
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
    return 0;
}
