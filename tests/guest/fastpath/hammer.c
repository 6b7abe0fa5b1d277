/* SPDX-License-Identifier: Apache-2.0 */
/* Threads on all processors make calls of all kinds at once, at sites that become hot meanwhile: each result is checked. */
#include "sites.h"

enum { SECONDS_MS = 1200, CROWD = 64 };

static volatile int stop;
static volatile long calls;
static site_function shared_read, shared_write, shared_seek;

static int nr_workers(void)
{
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    return CPU_COUNT(&set) * 2 < 16 ? CPU_COUNT(&set) * 2 : 16;
}

static void hammer(void *(*work)(void *), int count, long ms)
{
    pthread_t threads[CROWD];
    pthread_attr_t attributes;
    stop = 0;
    calls = 0;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 1 << 18) == 0);
    for (long i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], &attributes, work, (void *)i) == 0);
    sleep_ms(ms);
    stop = 1;
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(calls > 0);
}

static void make_shared_sites(void)
{
    shared_read = new_site(COMPARE, SYS_read);
    shared_write = new_site(MOV, SYS_write);
    shared_seek = new_site(COMPARE, SYS_lseek);
}

/* Messages of changing length to itself; what comes back is what was sent. */
static void *talk_to_itself(void *argument)
{
    unsigned seed = (unsigned)(long)argument + 1;
    char sent[3000], got[3000];
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (long i = 0; !stop; i++) {
        int size = 1 + rand_r(&seed) % (i % 16 ? 64 : sizeof sent - 1);
        memset(sent, seed, size);
        sent[size - 1] = i;
        CHECK_EQ(shared_write(ends[1], (long)sent, size, 0, 0, 0), size);
        memset(got, 0, size);
        CHECK_EQ(shared_read(ends[0], (long)got, sizeof got, 0, 0, 0), size);
        CHECK(memcmp(sent, got, size) == 0);
        CHECK_EQ(shared_seek(-1, i, SEEK_SET, 0, 0, 0), -EBADF);
        __atomic_add_fetch(&calls, 3, __ATOMIC_RELAXED);
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

TEST(on_all_processors)
{
    make_shared_sites();
    hammer(talk_to_itself, nr_workers(), SECONDS_MS);
}

TEST(a_crowd)
{
    make_shared_sites();
    hammer(talk_to_itself, CROWD, SECONDS_MS);
}

/* Each thread makes sites of its own all the time; some fork, some get signals. */
static void *make_sites(void *argument)
{
    long number = (long)argument;
    while (!stop) {
        unsigned char *page = code_page();
        site_function group = write_site(forms[number % 2], page + 16 + number, SYS_getpgrp);
        seal_code(page);
        for (int i = 0; i < 30; i++)
            CHECK_EQ(group(0, 0, 0, 0, 0, 0), getpgrp());
        CHECK(munmap(page, PAGE) == 0);
        __atomic_add_fetch(&calls, 30, __ATOMIC_RELAXED);
        if (number % 4 == 3) {
            pid_t pid = fork();
            CHECK(pid >= 0);
            if (pid == 0)
                _exit(getpgrp() & 63);
            CHECK_EXIT(pid, getpgrp() & 63);
        }
        if (number % 4 == 2)
            CHECK(kill(getpid(), SIGUSR1) == 0);
    }
    return NULL;
}

static volatile long handled;

static void count_signal(int signo)
{
    __atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
}

TEST(new_sites_forks_and_signals)
{
    set_handler(SIGUSR1, count_signal, SA_RESTART);
    hammer(make_sites, 8, SECONDS_MS);
    CHECK(handled > 0);
}

/* Pairs pass a byte there and back, so that each call wakes the other. */
static int there[CROWD][2], back[CROWD][2];

static void *ping(void *argument)
{
    int pair = (long)argument / 2;
    char c = 0;
    if ((long)argument % 2 == 0) {
        for (unsigned char i = 0; !stop; i++) {
            c = i;
            CHECK_EQ(shared_write(there[pair][1], (long)&c, 1, 0, 0, 0), 1);
            CHECK_EQ(shared_read(back[pair][0], (long)&c, 1, 0, 0, 0), 1);
            CHECK_EQ((unsigned char)c, (unsigned char)(i + 1));
            __atomic_add_fetch(&calls, 2, __ATOMIC_RELAXED);
        }
        close(there[pair][1]);
        return NULL;
    }
    while (shared_read(there[pair][0], (long)&c, 1, 0, 0, 0) == 1) {
        c++;
        CHECK_EQ(shared_write(back[pair][1], (long)&c, 1, 0, 0, 0), 1);
    }
    return NULL;
}

TEST(threads_that_wake_each_other)
{
    make_shared_sites();
    for (int i = 0; i < 4; i++)
        CHECK(pipe(there[i]) == 0 && pipe(back[i]) == 0);
    hammer(ping, 8, SECONDS_MS);
}

static unsigned char *volatile toggled;

/* While others run its sites for the first times, which has them rewritten: the page is writable whenever mprotect has said so. */
static void *write_between(void *unused)
{
    unsigned seed = 1;
    while (!stop) {
        unsigned char *page = toggled;
        if (page == NULL)
            continue;
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        for (int i = 0; i < 20; i++)
            *(volatile unsigned char *)(page + PAGE - 1) = i;
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
        for (volatile int i = rand_r(&seed) % 50000; i > 0; i--)
            ;
    }
    return unused;
}

static void *run_new_sites(void *argument)
{
    enum { SITES = 60 };
    if ((long)argument % 2)
        return write_between(NULL);
    while (!stop) {
        unsigned char *page = code_page();
        site_function sites[SITES];
        for (int i = 0; i < SITES; i++)
            sites[i] = write_site(MOV, page + 64 * i + 4 + i % 48, SYS_getpgrp);
        seal_code(page);
        toggled = page;
        for (int round = 0; round < 12; round++)
            for (int i = 0; i < SITES; i++)
                CHECK_EQ(sites[i](0, 0, 0, 0, 0, 0), getpgrp());
        __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    }
    return argument;
}

TEST(protection_that_changes_meanwhile)
{
    hammer(run_new_sites, 2, SECONDS_MS);
}
