/* SPDX-License-Identifier: Apache-2.0 */
/* Priority-inheriting futexes and robust lists: owners in words, death of owners. */
#include "../check.h"
#include <linux/futex.h>
#include <stddef.h>

static int word;

static long futex(int *address, int op, const void *timeout)
{
    return syscall(SYS_futex, address, op, 0, timeout, NULL, 0);
}

TEST(uncontended)
{
    word = 0;
    CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
    CHECK_EQ(word & FUTEX_TID_MASK, gettid());
    CHECK_ERR(futex(&word, FUTEX_LOCK_PI, NULL), EDEADLK);
    CHECK_ERR(futex(&word, FUTEX_TRYLOCK_PI, NULL), EDEADLK);
    CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
    CHECK_EQ(word, 0);
    CHECK_ERR(futex(&word, FUTEX_UNLOCK_PI, NULL), EPERM);
    CHECK_EQ(futex(&word, FUTEX_TRYLOCK_PI, NULL), 0);
    CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
    word = 0x3ffffff0;
    CHECK_ERR(futex(&word, FUTEX_LOCK_PI, NULL), ESRCH);
    word = 0;
}

static volatile pid_t holder;

static void *lock_it(void *arg)
{
    holder = gettid();
    CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
    CHECK_EQ(word & FUTEX_TID_MASK, gettid());
    CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
    return NULL;
}

TEST(contended)
{
    pthread_t thread;
    holder = word = 0;
    CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
    CHECK(pthread_create(&thread, NULL, lock_it, NULL) == 0);
    while (!holder)
        sched_yield();
    wait_asleep(holder);
    CHECK(word & FUTEX_WAITERS);
    CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_EQ(word & FUTEX_TID_MASK, 0);
}

static void *try_it(void *arg)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK_ERR(futex(&word, FUTEX_TRYLOCK_PI, NULL), EAGAIN);
    CHECK_ERR(futex(&word, FUTEX_LOCK_PI, &now), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_UNLOCK_PI, NULL), EPERM);
    return NULL;
}

TEST(held_by_another)
{
    pthread_t thread;
    word = 0;
    CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
    CHECK(pthread_create(&thread, NULL, try_it, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
}

static pthread_mutex_t *robust_mutex(int protocol)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t *mutex = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(pthread_mutexattr_init(&attr), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_EQ(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_EQ(pthread_mutex_init(mutex, &attr), 0);
    return mutex;
}

static void *lock_and_die(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(arg), 0);
    return NULL;
}

TEST(robust_after_thread_death)
{
    int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT};
    for (int i = 0; i < 2; i++) {
        pthread_mutex_t *mutex = robust_mutex(protocols[i]);
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, lock_and_die, mutex) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
        CHECK_EQ(pthread_mutex_consistent(mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(mutex), 0);
        CHECK_EQ(pthread_mutex_lock(mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    }
}

TEST(robust_after_process_death)
{
    pthread_mutex_t *mutex = robust_mutex(PTHREAD_PRIO_NONE);
    int ready[2];
    char c;
    CHECK(pipe(ready) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_mutex_lock(mutex);
        (void)!write(ready[1], "r", 1);
        sleep_ms(50);
        kill(getpid(), SIGKILL);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    CHECK_EQ(pthread_mutex_lock(mutex), ENOTRECOVERABLE);
    CHECK_KILLED(pid, SIGKILL);
}

PROGRAM(nothing)
{
}

TEST(robust_after_exec)
{
    pthread_mutex_t *mutex = robust_mutex(PTHREAD_PRIO_NONE);
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_mutex_lock(mutex);
        execl(check_self, "x", "@nothing", NULL);
        _exit(99);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
}

TEST(list_head)
{
    struct robust_list_head *head, *again;
    size_t length;
    CHECK(syscall(SYS_get_robust_list, 0, &head, &length) == 0);
    CHECK_EQ(length, sizeof *head);
    CHECK(syscall(SYS_get_robust_list, getpid(), &again, &length) == 0);
    CHECK(head == again);
    CHECK_ERR(syscall(SYS_set_robust_list, head, 8), EINVAL);
    CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &head, &length), ESRCH);
    CHECK_ERR(syscall(SYS_get_robust_list, 0, BAD_POINTER, &length), EFAULT);
}

static void *endless_list(void *arg)
{
    static struct robust_list node = {&node};
    static struct robust_list_head head = {{&node}, 64, NULL};
    CHECK(syscall(SYS_set_robust_list, &head, sizeof head) == 0);
    syscall(SYS_exit, 0);
    return NULL;
}

TEST(circular_and_bad_lists_end)
{
    IN_CHILD {
        endless_list(NULL);
    }
    pid_t pid = check_fork();
    if (pid == 0) {
        static struct robust_list_head head = {{(void *)16}, 0, NULL};
        syscall(SYS_set_robust_list, &head, sizeof head);
        _exit(5);
    }
    CHECK_EXIT(pid, 5);
}

TEST(inheriting_mutex)
{
    pthread_mutex_t *mutex = robust_mutex(PTHREAD_PRIO_INHERIT);
    static long *counter;
    counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = check_fork();
        if (pids[i] == 0) {
            for (int j = 0; j < 500; j++) {
                CHECK_EQ(pthread_mutex_lock(mutex), 0);
                ++*counter;
                CHECK_EQ(pthread_mutex_unlock(mutex), 0);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++)
        CHECK_EXIT(pids[i], 0);
    CHECK_EQ(*counter, 1500);
}
