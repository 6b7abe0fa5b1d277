/* SPDX-License-Identifier: Apache-2.0 */
/* futex(2): waiting, waking, bit sets, requeueing, wake operations, timeouts, keys, refusals. */
#include "../check.h"
#include <linux/futex.h>

static int word, other;
static volatile int awake;

static long futex(int *address, int op, int value, const void *timeout, int *address2, unsigned value3)
{
    return syscall(SYS_futex, address, op, value, timeout, address2, value3);
}

struct waiter {
    pthread_t thread;
    int *address;
    unsigned bits;
    volatile pid_t tid;
    volatile long result;
};

static void *wait_thread(void *arg)
{
    struct waiter *waiter = arg;
    struct timespec limit = {now_ns() / 1000000000 + 10, 0};
    waiter->tid = gettid();
    waiter->result = futex(waiter->address, FUTEX_WAIT_BITSET_PRIVATE, 0, &limit, NULL, waiter->bits);
    __atomic_add_fetch(&awake, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void start(struct waiter *waiters, int n, int *address)
{
    awake = 0;
    for (int i = 0; i < n; i++) {
        waiters[i].address = address;
        waiters[i].bits = 1u << i;
        waiters[i].tid = 0;
        CHECK(pthread_create(&waiters[i].thread, NULL, wait_thread, &waiters[i]) == 0);
        while (!waiters[i].tid)
            sched_yield();
        wait_asleep(waiters[i].tid);
    }
}

static void join(struct waiter *waiters, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK(pthread_join(waiters[i].thread, NULL) == 0);
        CHECK_EQ(waiters[i].result, 0);
    }
}

static void wait_awake(int n)
{
    for (int i = 0; i < 1000 && awake < n; i++)
        sleep_ms(2);
    CHECK_EQ(awake, n);
}

TEST(values_and_timeouts)
{
    struct timespec soon = {0, 30 * MS}, bad = {0, 1000000000}, none = {0, 0}, negative = {-1, 0};
    word = 1;
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0), EAGAIN);
    long long start_ns = now_ns();
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &soon, NULL, 0), ETIMEDOUT);
    CHECK(now_ns() - start_ns >= 29 * MS && now_ns() - start_ns < 2000 * MS);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &none, NULL, 0), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &negative, NULL, 0), EINVAL);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(absolute_timeouts)
{
    struct timespec now;
    int clocks[] = {0, FUTEX_CLOCK_REALTIME};
    word = 1;
    for (int i = 0; i < 2; i++) {
        clock_gettime(clocks[i] ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
        now.tv_nsec += 30 * MS;
        if (now.tv_nsec >= 1000000000) {
            now.tv_sec++;
            now.tv_nsec -= 1000000000;
        }
        long long start_ns = now_ns();
        CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | clocks[i], 1, &now, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
        CHECK(now_ns() - start_ns >= 25 * MS && now_ns() - start_ns < 2000 * MS);
    }
    struct timespec past = {1, 0};
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, &past, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
}

TEST(refusals)
{
    int *odd = (int *)((char *)&word + 1);
    CHECK_ERR(futex(odd, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(odd, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(BAD_POINTER, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(BAD_POINTER, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, BAD_POINTER, NULL, 0), EFAULT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, &other, 12345), EAGAIN);
}

TEST(wake_counts)
{
    struct waiter waiters[5];
    word = 0;
    start(waiters, 5, &word);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
    wait_awake(2);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 3);
    join(waiters, 5);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}

TEST(bit_sets)
{
    struct waiter waiters[4];
    word = 0;
    start(waiters, 4, &word);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 0x10), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 0x5), 2);
    CHECK(pthread_join(waiters[0].thread, NULL) == 0 && pthread_join(waiters[2].thread, NULL) == 0);
    CHECK_EQ(awake, 2);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
    CHECK(pthread_join(waiters[1].thread, NULL) == 0 && pthread_join(waiters[3].thread, NULL) == 0);
}

TEST(requeue)
{
    struct waiter waiters[4];
    word = other = 0;
    start(waiters, 4, &word);
    long moved = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2L, &other, 0);
    CHECK_EQ(moved, 3);
    for (int i = 0; i < 1000 && awake < 4; i++) {
        futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        sleep_ms(2);
    }
    join(waiters, 4);
}

TEST(wake_op)
{
    struct waiter waiters[2];
    word = 0;
    other = 5;
    start(waiters, 2, &word);
    unsigned op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 6);
    CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other, op), 1);
    CHECK_EQ(other, 8);
    other = 0;
    op = FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_EQ, 0);
    CHECK_EQ(futex(&other, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other, op), 0);
    CHECK_EQ(other, 9);
    CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 0, (void *)1L, &word, FUTEX_OP(FUTEX_OP_OR, 4, FUTEX_OP_CMP_EQ, 0)), 1);
    CHECK_EQ(word, 4);
    join(waiters, 2);
}

TEST(shared_between_processes)
{
    int *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        while (futex(map, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR)
            ;
        _exit(map[1]);
    }
    wait_asleep(pid);
    map[1] = 31;
    CHECK_EQ(futex(map, FUTEX_WAKE, 10, NULL, NULL, 0), 1);
    CHECK_EXIT(pid, 31);
    word = 0;
    pid = check_fork();
    if (pid == 0) {
        struct timespec limit = {0, 100 * MS};
        _exit(futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0) == -1 && errno == ETIMEDOUT ? 0 : 1);
    }
    sleep_ms(40);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
    CHECK_EXIT(pid, 0);
}

TEST(waitv_when_there)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } wait = {1, (uintptr_t)&word, 2, 0};
    word = 7;
    long result = syscall(449, &wait, 1, 0, NULL, CLOCK_MONOTONIC);
    CHECK(result == -1);
    result = syscall(449, &wait, 1, 0, NULL, CLOCK_MONOTONIC);
    int err = errno;
    CHECK(result == -1 && (err == EAGAIN || err == ENOSYS));
}
