/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that map, protect, unmap, fork and do I/O into their pages all at once, for N seconds (argument, default 1). */
#define CHECK_OWN_MAIN
#include "../check.h"

enum { THREADS = 8, PAGES = 16 };

static volatile int stop;
static int zero;

static void *map_and_check(void *arg)
{
    unsigned seed = (unsigned)(long)arg;
    while (!stop) {
        size_t pages = 1 + rand_r(&seed) % PAGES;
        unsigned char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(map != MAP_FAILED);
        for (size_t i = 0; i < pages; i++) {
            CHECK_EQ(map[i * PAGE], 0);
            map[i * PAGE] = i + 1;
        }
        size_t hole = rand_r(&seed) % pages;
        CHECK(mprotect(map + hole * PAGE, PAGE, PROT_READ) == 0);
        CHECK_EQ(map[hole * PAGE], hole + 1);
        CHECK_ERR(read(zero, map + hole * PAGE, 10), EFAULT);
        CHECK(mprotect(map + hole * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
        CHECK_EQ(read(zero, map + hole * PAGE, 10), 10);
        CHECK_EQ(map[hole * PAGE], 0);
        map = mremap(map, pages * PAGE, (pages + 4) * PAGE, MREMAP_MAYMOVE);
        CHECK(map != MAP_FAILED);
        for (size_t i = 0; i < pages; i++)
            CHECK_EQ(map[i * PAGE], i == hole ? 0 : i + 1);
        CHECK(munmap(map, (pages + 4) * PAGE) == 0);
    }
    return NULL;
}

static void *fork_and_check(void *arg)
{
    unsigned char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned char round = 1; !stop; round = round % 200 + 1) {
        memset(map, round, PAGES * PAGE);
        pid_t pid = check_fork();
        if (pid == 0) {
            for (size_t i = 0; i < PAGES * PAGE; i += 1000)
                if (map[i] != round)
                    _exit(1);
            memset(map, 255, PAGES * PAGE);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
        for (size_t i = 0; i < PAGES * PAGE; i += 1000)
            CHECK_EQ(map[i], round);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    pthread_t threads[THREADS];
    alarm(30 + (int)seconds);
    zero = open("/dev/zero", O_RDONLY);
    CHECK(zero >= 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, i < THREADS - 2 ? map_and_check : fork_and_check, (void *)i) == 0);
    sleep_ms((long)(seconds * 1000));
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    puts("PASS");
    return 0;
}
