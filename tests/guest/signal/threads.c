/* SPDX-License-Identifier: Apache-2.0 */
/* Which thread takes a signal: directed ones, process-wide ones, masks, refusals of tkill and tgkill. */
#include "../check.h"

static volatile pid_t taken_by, target_tid;
static volatile int stop;

static void note_tid(int signal)
{
    taken_by = gettid();
}

static void *loop(void *arg)
{
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask((int)(long)arg, &set, NULL);
    target_tid = gettid();
    while (!stop)
        sleep_ms(1);
    return NULL;
}

static pthread_t start(int how)
{
    pthread_t thread;
    stop = taken_by = target_tid = 0;
    CHECK(pthread_create(&thread, NULL, loop, (void *)(long)how) == 0);
    while (!target_tid)
        sched_yield();
    return thread;
}

static void finish(pthread_t thread)
{
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static int wait_taken(void)
{
    for (int i = 0; i < 2000 && !taken_by; i++)
        sleep_ms(1);
    return taken_by;
}

TEST(directed)
{
    set_handler(SIGUSR1, note_tid, SA_RESTART);
    pthread_t thread = start(SIG_UNBLOCK);
    CHECK(syscall(SYS_tgkill, getpid(), target_tid, SIGUSR1) == 0);
    CHECK_EQ(wait_taken(), target_tid);
    taken_by = 0;
    CHECK(syscall(SYS_tkill, gettid(), SIGUSR1) == 0);
    CHECK_EQ(taken_by, gettid());
    finish(thread);
}

TEST(process_wide_goes_to_one_that_may)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    set_handler(SIGUSR1, note_tid, SA_RESTART);
    pthread_t thread = start(SIG_UNBLOCK);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_EQ(wait_taken(), target_tid);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    finish(thread);
    thread = start(SIG_BLOCK);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_EQ(wait_taken(), gettid());
    finish(thread);
}

TEST(kill_by_thread_id_reaches_its_process)
{
    set_handler(SIGUSR1, note_tid, SA_RESTART);
    pthread_t thread = start(SIG_BLOCK);
    CHECK(kill(target_tid, SIGUSR1) == 0);
    CHECK_EQ(wait_taken(), gettid());
    finish(thread);
}

TEST(refusals)
{
    CHECK_ERR(syscall(SYS_tgkill, -1, gettid(), SIGUSR1), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), gettid(), 65), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, 0x3ffffffe, gettid(), 0), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, 0x3fffffff, 0), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, -1, 0), EINVAL);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), gettid(), 0), 0);
}

static void *block_in_read(void *arg)
{
    char c;
    set_handler(SIGUSR2, note_tid, 0);
    target_tid = gettid();
    CHECK_ERR(read(*(int *)arg, &c, 1), EINTR);
    return NULL;
}

TEST(blocked_thread_is_interrupted)
{
    int ends[2];
    pthread_t thread;
    CHECK(pipe(ends) == 0);
    taken_by = target_tid = 0;
    CHECK(pthread_create(&thread, NULL, block_in_read, ends) == 0);
    while (!target_tid)
        sched_yield();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", target_tid);
    sleep_ms(30);
    CHECK(pthread_kill(thread, SIGUSR2) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_EQ(taken_by, target_tid);
}

static void *take_one(void *arg)
{
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    CHECK_EQ(sigwait(&set, &signal), 0);
    return (void *)(long)signal;
}

TEST(sigwait_in_many_threads_takes_each_once)
{
    pthread_t threads[5];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 5; i++)
        CHECK(pthread_create(&threads[i], NULL, take_one, NULL) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = i}) == 0);
    for (int i = 0; i < 5; i++) {
        void *got;
        CHECK(pthread_join(threads[i], &got) == 0);
        CHECK_EQ((long)got, SIGRTMIN + 5);
    }
}

static void *cancelled(void *arg)
{
    for (;;)
        sleep_ms(1000);
    return NULL;
}

TEST(cancellation_uses_signals)
{
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, cancelled, NULL) == 0);
    sleep_ms(10);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
}
