/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of one process: identity, thread-local storage, death of single threads and of the leader. */
#include "../check.h"
#include <linux/futex.h>
#include <sys/auxv.h>

static __thread int local = 5;
static pid_t leader;

static void *check_identity(void *arg)
{
    CHECK_EQ(getpid(), leader);
    CHECK(gettid() != leader);
    CHECK_EQ(local, 5);
    local = (int)(long)arg;
    sched_yield();
    CHECK_EQ(local, (long)arg);
    return (void *)(long)gettid();
}

TEST(identity_and_tls)
{
    pthread_t threads[8];
    void *tids[8];
    leader = getpid();
    local = 5;
    for (long i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, check_identity, (void *)i) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(pthread_join(threads[i], &tids[i]) == 0);
        for (int j = 0; j < i; j++)
            CHECK(tids[i] != tids[j]);
    }
    CHECK_EQ(local, 5);
}

static void *exit_program(void *arg)
{
    sleep_ms(20);
    _exit(44);
}

static void *sleeper(void *arg)
{
    for (;;)
        pause();
    return NULL;
}

TEST(exit_group_from_a_thread)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t a, b;
        pthread_create(&a, NULL, sleeper, NULL);
        pthread_create(&b, NULL, exit_program, NULL);
        pause();
    }
    CHECK_EXIT(pid, 44);
}

TEST(leader_exits_first)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, exit_program, NULL);
        syscall(SYS_exit, 3);
    }
    CHECK_EXIT(pid, 44);
}

static void *thread_after_leader(void *arg)
{
    for (int i = 0; i < 1000 && task_state(getpid()) != 'Z'; i++)
        sleep_ms(2);
    CHECK_EQ(task_state(getpid()), 'Z');
    CHECK_EQ(kill(getpid(), 0), 0);
    CHECK_EQ(getppid(), (long)arg);
    syscall(SYS_exit, 9);
    return NULL;
}

TEST(dead_leader_is_a_zombie_until_the_last_thread)
{
    pid_t parent = getpid();
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, thread_after_leader, (void *)(long)parent);
        syscall(SYS_exit, 3);
    }
    CHECK_EXIT(pid, 9);
}

TEST(signal_kills_all_threads)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        for (int i = 0; i < 4; i++)
            pthread_create(&thread, NULL, sleeper, NULL);
        for (;;)
            pause();
    }
    sleep_ms(20);
    CHECK(kill(pid, SIGTERM) == 0);
    CHECK_KILLED(pid, SIGTERM);
}

static int tid_word;
static char stack[32768] __attribute__((aligned(16)));

static int quick(void *arg)
{
    return 0;
}

static void *nothing(void *arg)
{
    return arg;
}

TEST(child_cleartid_wakes_a_futex)
{
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID
              | CLONE_PARENT_SETTID;
    tid_word = 0;
    int tid = clone(quick, stack + sizeof stack, flags, NULL, &tid_word, NULL, &tid_word);
    CHECK(tid > 0);
    int seen;
    while ((seen = __atomic_load_n(&tid_word, __ATOMIC_SEQ_CST)) != 0)
        syscall(SYS_futex, &tid_word, FUTEX_WAIT, seen, NULL, NULL, 0);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), tid, 0), ESRCH);
    CHECK_EQ(syscall(SYS_set_tid_address, &tid_word), gettid());
}

static void *count_tasks(void *arg)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return (void *)(long)n;
}

TEST(proc_lists_the_tasks)
{
    void *n;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, count_tasks, NULL) == 0);
    CHECK(pthread_join(thread, &n) == 0);
    CHECK_EQ((long)n, 2);
}

static void *change_mask_and_name(void *arg)
{
    char name[17] = "";
    CHECK(prctl(PR_SET_NAME, "worker") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0);
    CHECK(strcmp(name, "worker") == 0);
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return NULL;
}

TEST(name_and_mask_are_per_thread)
{
    char before[17], after[17];
    sigset_t mask;
    pthread_t thread;
    CHECK(prctl(PR_GET_NAME, before) == 0);
    CHECK(pthread_create(&thread, NULL, change_mask_and_name, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(prctl(PR_GET_NAME, after) == 0);
    CHECK(strcmp(before, after) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGUSR1));
}

static void *fork_inside(void *arg)
{
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(getpid() == gettid() && (long)count_tasks(NULL) == 1 ? 0 : 1);
    CHECK_EXIT(pid, 0);
    return NULL;
}

TEST(fork_from_a_thread_copies_only_it)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, fork_inside, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static int slow_child;

static void *wait_for_it(void *arg)
{
    CHECK_EXIT(slow_child, 6);
    return NULL;
}

TEST(any_thread_may_wait_for_a_child)
{
    pthread_t thread;
    slow_child = check_fork();
    if (slow_child == 0) {
        sleep_ms(20);
        _exit(6);
    }
    CHECK(pthread_create(&thread, NULL, wait_for_it, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

TEST(thousand_short_threads)
{
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}
