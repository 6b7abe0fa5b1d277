/* SPDX-License-Identifier: Apache-2.0 */
/* Blocked signals: pending sets, real-time queues and their order, the ways to take a signal synchronously. */
#include "../check.h"

static volatile int order[64], taken;

static void note(int signal, siginfo_t *info, void *context)
{
    order[taken++] = signal * 1000 + info->si_value.sival_int;
}

static sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    return set;
}

static void handle(int signal)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static void queue(int signal, int value)
{
    CHECK(sigqueue(getpid(), signal, (union sigval){.sival_int = value}) == 0);
}

TEST(real_time_signals_queue_in_order)
{
    int rt = SIGRTMIN + 2;
    sigset_t set = set_of(rt, rt + 1), old;
    handle(rt);
    handle(rt + 1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    taken = 0;
    queue(rt + 1, 1);
    for (int i = 0; i < 5; i++)
        queue(rt, i);
    queue(rt + 1, 2);
    CHECK_EQ(taken, 0);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK_EQ(taken, 7);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(order[i], rt * 1000 + i);
    CHECK_EQ(order[5], (rt + 1) * 1000 + 1);
    CHECK_EQ(order[6], (rt + 1) * 1000 + 2);
}

TEST(standard_signals_merge)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending;
    handle(SIGUSR1);
    handle(SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    taken = 0;
    queue(SIGUSR2, 1);
    queue(SIGUSR1, 5);
    queue(SIGUSR1, 6);
    kill(getpid(), SIGUSR1);
    CHECK(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2) && !sigismember(&pending, SIGHUP));
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK_EQ(taken, 2);
    CHECK_EQ(order[0], SIGUSR1 * 1000 + 5);
    CHECK_EQ(order[1], SIGUSR2 * 1000 + 1);
}

TEST(thread_and_process_queues)
{
    sigset_t set = set_of(SIGUSR1, 0);
    siginfo_t info;
    struct timespec none = {0, 0};
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1) == 0);
    CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8), SIGUSR1);
    CHECK_EQ(info.si_code, SI_TKILL);
    CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

TEST(limit_of_the_queue)
{
    IN_CHILD {
        struct rlimit limit = {5, 5};
        int rt = SIGRTMIN + 3, sent = 0;
        sigset_t set = set_of(rt, SIGUSR1);
        CHECK(setresuid(-1, -1, -1) == 0);
        if (geteuid() == 0)
            CHECK(setuid(34567) == 0);
        CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
        CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        while (sent < 100 && sigqueue(getpid(), rt, (union sigval){.sival_int = 0}) == 0)
            sent++;
        CHECK_EQ(sent, 5);
        CHECK_ERR(sigqueue(getpid(), rt, (union sigval){.sival_int = 0}), EAGAIN);
        CHECK(kill(getpid(), SIGUSR1) == 0);
        siginfo_t info;
        CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    }
}

TEST(sigtimedwait_waits)
{
    sigset_t set = set_of(SIGUSR1, 0);
    siginfo_t info;
    struct timespec short_time = {0, 30 * MS}, bad = {0, 1000000000}, negative = {-1, 0};
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    long long start = now_ns();
    CHECK_ERR(sigtimedwait(&set, &info, &short_time), EAGAIN);
    CHECK(now_ns() - start >= 29 * MS);
    CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
    CHECK_ERR(sigtimedwait(&set, &info, &negative), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, BAD_POINTER, NULL, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 4), EINVAL);
    pid_t parent = getpid(), pid = check_fork();
    if (pid == 0) {
        sleep_ms(30);
        sigqueue(parent, SIGUSR1, (union sigval){.sival_int = 8});
        _exit(0);
    }
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_value.sival_int, 8);
    CHECK_EXIT(pid, 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

TEST(sigtimedwait_is_interrupted_by_others)
{
    sigset_t set = set_of(SIGUSR1, 0);
    siginfo_t info;
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    handle(SIGUSR2);
    handle(SIGALRM);
    struct itimerval soon = {{0, 0}, {0, 30000}};
    taken = 0;
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK_ERR(sigwaitinfo(&set, &info), EINTR);
    CHECK_EQ(taken, 1);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    set_handler(SIGALRM, SIG_DFL, 0);
    alarm(20);
}

TEST(sigsuspend)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2), empty, now;
    sigemptyset(&empty);
    handle(SIGUSR1);
    handle(SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    taken = 0;
    queue(SIGUSR1, 3);
    CHECK_ERR(sigsuspend(&empty), EINTR);
    CHECK_EQ(taken, 1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
    CHECK_ERR(syscall(SYS_rt_sigsuspend, &set, 4), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigsuspend, BAD_POINTER, 8), EFAULT);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

TEST(masks)
{
    sigset_t set, old;
    sigfillset(&set);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD_POINTER, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 7), EINVAL);
    CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, 8) == 0);
    CHECK(syscall(SYS_rt_sigprocmask, 99, NULL, &old, 8) == 0);
    CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP) && sigismember(&old, SIGCONT));
    sigemptyset(&set);
    CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
    CHECK_ERR(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigpending, BAD_POINTER, 8), EFAULT);
}

TEST(forged_info)
{
    siginfo_t info = {.si_signo = SIGUSR1};
    info.si_code = SI_USER;
    IN_CHILD {
        CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGWINCH, &info), EPERM);
        info.si_code = SI_TKILL;
        CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGWINCH, &info), EPERM);
    }
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, BAD_POINTER), EFAULT);
    CHECK_ERR(sigqueue(0x3fffffff, 0, (union sigval){.sival_int = 0}), ESRCH);
}
