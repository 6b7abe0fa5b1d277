/* SPDX-License-Identifier: Apache-2.0 */
/* What libc builds on futexes, under contention: mutexes, conditions, read-write locks, barriers, semaphores; membarrier(2). */
#include "../check.h"
#include <linux/membarrier.h>
#include <semaphore.h>

enum { THREADS = 8, ROUNDS = 4000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, turn, phase_sum[16];

static void run_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void *count_up(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(mutex)
{
    counter = 0;
    run_threads(count_up);
    CHECK_EQ(counter, THREADS * ROUNDS);
}

static void *take_turns(void *arg)
{
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != (long)arg)
            pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(conditions_in_turn)
{
    turn = 0;
    run_threads(take_turns);
    CHECK_EQ(turn, THREADS * 100);
}

TEST(condition_timeout)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 20 * MS;
    if (limit.tv_nsec >= 1000000000) {
        limit.tv_sec++;
        limit.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &limit), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
}

static void *read_and_write(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        if (i % 10 == (long)arg) {
            pthread_rwlock_wrlock(&rwlock);
            counter++;
            counter++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (counter & 1)
                CHECK(!"saw a half-done write");
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

TEST(read_write_lock)
{
    counter = 0;
    run_threads(read_and_write);
    CHECK_EQ(counter, THREADS * 100 * 2);
}

static void *phases(void *arg)
{
    int serial = 0;
    for (int i = 0; i < 16; i++) {
        __atomic_add_fetch(&phase_sum[i], 1, __ATOMIC_SEQ_CST);
        serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
        CHECK_EQ(phase_sum[i], THREADS);
    }
    __atomic_add_fetch(&counter, serial, __ATOMIC_SEQ_CST);
    return NULL;
}

TEST(barrier)
{
    counter = 0;
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    run_threads(phases);
    CHECK_EQ(counter, 16);
}

TEST(semaphores_between_processes)
{
    struct {
        sem_t ping, pong;
        int value;
    } *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(sem_init(&shared->ping, 1, 0) == 0 && sem_init(&shared->pong, 1, 0) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        for (int i = 0; i < 300; i++) {
            sem_wait(&shared->ping);
            shared->value++;
            sem_post(&shared->pong);
        }
        _exit(0);
    }
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(shared->value, i);
        sem_post(&shared->ping);
        CHECK(sem_wait(&shared->pong) == 0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_ERR(sem_trywait(&shared->pong), EAGAIN);
    struct timespec past = {1, 0};
    CHECK_ERR(sem_timedwait(&shared->pong, &past), ETIMEDOUT);
}

TEST(named_semaphore)
{
    char name[32];
    snprintf(name, sizeof name, "/check-%d", getpid());
    sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    CHECK(sem != SEM_FAILED);
    pid_t pid = check_fork();
    if (pid == 0) {
        sem_t *mine = sem_open(name, 0);
        sem_post(mine);
        _exit(mine == SEM_FAILED);
    }
    CHECK(sem_wait(sem) == 0);
    CHECK_EXIT(pid, 0);
    CHECK(sem_unlink(name) == 0);
}

static pthread_mutex_t *shared_mutex;
static long *shared_counter;

TEST(mutex_between_processes)
{
    pthread_mutexattr_t attr;
    pid_t pids[4];
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_mutex = (pthread_mutex_t *)map;
    shared_counter = (long *)(map + 1024);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(shared_mutex, &attr);
    for (int i = 0; i < 4; i++) {
        pids[i] = check_fork();
        if (pids[i] == 0) {
            for (int j = 0; j < ROUNDS; j++) {
                pthread_mutex_lock(shared_mutex);
                ++*shared_counter;
                pthread_mutex_unlock(shared_mutex);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++)
        CHECK_EXIT(pids[i], 0);
    CHECK_EQ(*shared_counter, 4 * ROUNDS);
}

TEST(membarrier_)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands == -1 && errno == ENOSYS)
        SKIP("no membarrier");
    CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
    IN_CHILD {
        CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
        CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
        CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    }
}
