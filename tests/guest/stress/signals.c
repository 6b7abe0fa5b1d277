/* SPDX-License-Identifier: Apache-2.0 */
/* Signals in great numbers at threads that compute, call the kernel and sleep; queued ones must all arrive. For N thousand (default 5). */
#define CHECK_OWN_MAIN
#include "../check.h"

enum { THREADS = 4 };

static long received[THREADS], sums[THREADS];
static volatile int ready, stop;
static __thread int self;

static void count(int signal, siginfo_t *info, void *context)
{
    received[self]++;
    sums[self] += info->si_value.sival_int;
}

static void *work(void *arg)
{
    self = (int)(long)arg;
    volatile double value = 1;
    int ends[2];
    char c = 0;
    CHECK(pipe(ends) == 0);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    while (!stop) {
        switch (self) {
        case 0:
            for (int i = 0; i < 10000; i++)
                value = value * 1.0000001 + 1e-9;
            CHECK(value > 0);
            break;
        case 1:
            CHECK_EQ(write(ends[1], &c, 1), 1);
            CHECK_EQ(read(ends[0], &c, 1), 1);
            break;
        case 2:
            sleep_ms(1);
            break;
        case 3:
            CHECK(getppid() >= 0);
            break;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long n = 1000 * (argc > 1 ? atoi(argv[1]) : 5), wanted[THREADS] = {0};
    pthread_t threads[THREADS];
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t set;
    alarm(60);
    CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    while (ready < THREADS)
        sched_yield();
    for (long i = 0; i < n; i++) {
        int error;
        while ((error = pthread_sigqueue(threads[i % THREADS], SIGRTMIN + 1, (union sigval){.sival_int = (int)i})) == EAGAIN)
            sleep_ms(1);
        CHECK_EQ(error, 0);
        wanted[i % THREADS] += i;
    }
    for (int i = 0; i < 5000; i++) {
        long total = 0;
        for (int j = 0; j < THREADS; j++)
            total += __atomic_load_n(&received[j], __ATOMIC_SEQ_CST);
        if (total == n)
            break;
        sleep_ms(2);
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK_EQ(received[i], n / THREADS);
        CHECK_EQ(sums[i], wanted[i]);
    }
    puts("PASS");
    return 0;
}
