/* SPDX-License-Identifier: Apache-2.0 */
/* 64 threads on mutexes, condition variables, a barrier and a read-write lock for argv[1] seconds; counts must agree. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64, SLOTS = 8 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static long counted, queued, put, taken, pair[2];
static atomic_long expected;
static atomic_int stop;

static void count(void)
{
    pthread_mutex_lock(&mutex);
    counted++;
    if (counted % 64 == 0)
        sched_yield();
    pthread_mutex_unlock(&mutex);
    atomic_fetch_add(&expected, 1);
}

static void produce(void)
{
    pthread_mutex_lock(&queue_mutex);
    while (queued == SLOTS && !stop)
        pthread_cond_wait(&not_full, &queue_mutex);
    if (queued < SLOTS) {
        queued++;
        put++;
    }
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&queue_mutex);
}

static void consume(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 2000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&queue_mutex);
    while (queued == 0 && !stop)
        if (pthread_cond_timedwait(&not_empty, &queue_mutex, &until) == ETIMEDOUT)
            break;
    if (queued > 0) {
        queued--;
        taken++;
    }
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&queue_mutex);
}

static void look(int writes)
{
    if (writes) {
        pthread_rwlock_wrlock(&rwlock);
        pair[0]++;
        pair[1]++;
    } else {
        pthread_rwlock_rdlock(&rwlock);
        if (pair[0] != pair[1]) {
            puts("torn pair");
            exit(1);
        }
    }
    pthread_rwlock_unlock(&rwlock);
}

static void *run(void *argument)
{
    long me = (long)argument;
    pthread_barrier_wait(&barrier);
    for (long i = me; !stop; i++) {
        count();
        if (me % 4 == 0)
            produce();
        else if (me % 4 == 1)
            consume();
        else
            look(i % 16 == 0);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)i))
            return 1;
    pthread_barrier_wait(&barrier);
    usleep((argc > 1 ? atof(argv[1]) : 1) * 1e6);
    pthread_mutex_lock(&queue_mutex);
    stop = 1;
    pthread_cond_broadcast(&not_empty);
    pthread_cond_broadcast(&not_full);
    pthread_mutex_unlock(&queue_mutex);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%s %s %s\n", counted == expected ? "counted" : "lost", put - taken == queued ? "queued" : "leaked", taken > 0 ? "moved" : "stuck");
    return counted == expected && put - taken == queued ? 0 : 1;
}
