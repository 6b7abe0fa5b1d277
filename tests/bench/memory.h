/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, processes and threads. */
#include "common.h"

#define PAGE 4096
#define TOUCHED (64L << 20)
#define MUTEX_THREADS 4
#define MUTEX_ROUNDS 10000

static void do_mmap(void)
{
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(p != MAP_FAILED, "mmap");
    p[0] = 1;
    must(munmap(p, 65536) == 0, "munmap");
}

static void do_mprotect(void)
{
    static char *p;
    static int is_readonly;

    if (!p) {
        p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p[0] = 1;
    }
    is_readonly = !is_readonly;
    must(mprotect(p, PAGE, is_readonly ? PROT_READ : PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void do_touch(void)
{
    static char *p;
    static long at = TOUCHED;

    if (at == TOUCHED) {
        if (p)
            munmap(p, TOUCHED);
        p = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(p != MAP_FAILED && madvise(p, TOUCHED, MADV_NOHUGEPAGE) == 0, "mmap");
        at = 0;
    }
    p[at] = 1;
    at += PAGE;
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

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;

static void *lock_often(void *unused)
{
    for (int i = 0; i < MUTEX_ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

/* MUTEX_THREADS * MUTEX_ROUNDS times lock and unlock. */
static void do_mutex(void)
{
    pthread_t threads[MUTEX_THREADS];

    for (int i = 0; i < MUTEX_THREADS; i++)
        must(pthread_create(&threads[i], NULL, lock_often, NULL) == 0, "pthread_create");
    for (int i = 0; i < MUTEX_THREADS; i++)
        pthread_join(threads[i], NULL);
}
