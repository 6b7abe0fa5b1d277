/* SPDX-License-Identifier: Apache-2.0 */
/* 64 threads on mutexes and condition variables for N seconds (argument, default 2); every hand-over is counted. */
#define CHECK_OWN_MAIN
#include "../check.h"

enum { THREADS = 64, RINGS = 8, PER_RING = THREADS / RINGS };

static struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    long turn;
    long sum;
} rings[RINGS];

static pthread_mutex_t total_mutex = PTHREAD_MUTEX_INITIALIZER;
static long total, per_thread[THREADS];
static volatile int stop;

/* Thread i waits for its turn in its ring, counts, passes the turn on. */
static void *run(void *arg)
{
    long me = (long)arg, place = me % PER_RING;
    struct ring *ring = &rings[me / PER_RING];
    for (;;) {
        pthread_mutex_lock(&ring->mutex);
        while (!stop && ring->turn % PER_RING != place)
            pthread_cond_wait(&ring->changed, &ring->mutex);
        if (stop) {
            pthread_cond_broadcast(&ring->changed);
            pthread_mutex_unlock(&ring->mutex);
            return NULL;
        }
        ring->turn++;
        ring->sum += place;
        pthread_cond_broadcast(&ring->changed);
        pthread_mutex_unlock(&ring->mutex);
        per_thread[me]++;
        pthread_mutex_lock(&total_mutex);
        total++;
        pthread_mutex_unlock(&total_mutex);
    }
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    pthread_t threads[THREADS];
    alarm(30 + (int)seconds);
    for (int i = 0; i < RINGS; i++) {
        pthread_mutex_init(&rings[i].mutex, NULL);
        pthread_cond_init(&rings[i].changed, NULL);
    }
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    sleep_ms((long)(seconds * 1000));
    for (int i = 0; i < RINGS; i++) {
        pthread_mutex_lock(&rings[i].mutex);
        stop = 1;
        pthread_cond_broadcast(&rings[i].changed);
        pthread_mutex_unlock(&rings[i].mutex);
    }
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        sum += per_thread[i];
        CHECK(per_thread[i] > 0);
    }
    CHECK_EQ(sum, total);
    for (int i = 0; i < RINGS; i++) {
        long full = rings[i].turn / PER_RING, rest = rings[i].turn % PER_RING;
        CHECK_EQ(rings[i].sum, full * (PER_RING * (PER_RING - 1) / 2) + rest * (rest - 1) / 2);
    }
    printf("%.0f hand-overs per second\n", total / seconds);
    puts("PASS");
    return 0;
}
