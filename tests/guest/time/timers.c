/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX timers, interval timers, alarm(2): delivery, periods, overruns, what is read back, refusals. */
#include "../check.h"

static volatile int fired, value_seen, code_seen;
static volatile pid_t thread_seen;

static void on_timer(int signal, siginfo_t *info, void *context)
{
    fired++;
    value_seen = info->si_value.sival_int;
    code_seen = info->si_code;
    thread_seen = gettid();
}

static void handle(int signal)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal, &action, NULL) == 0);
    fired = 0;
}

static timer_t create(int notify, int signal)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = 4711};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    return timer;
}

static struct itimerspec spec(long first_ms, long period_ms)
{
    return (struct itimerspec){{period_ms / 1000, period_ms % 1000 * MS}, {first_ms / 1000, first_ms % 1000 * MS}};
}

static void wait_fired(int n)
{
    for (int i = 0; i < 3000 && fired < n; i++)
        sleep_ms(1);
    CHECK(fired >= n);
}

TEST(signal_once)
{
    struct itimerspec when = spec(20, 0), now;
    handle(SIGUSR1);
    timer_t timer = create(SIGEV_SIGNAL, SIGUSR1);
    CHECK(timer_gettime(timer, &now) == 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    CHECK(timer_gettime(timer, &now) == 0);
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20 * MS);
    wait_fired(1);
    CHECK_EQ(value_seen, 4711);
    CHECK_EQ(code_seen, SI_TIMER);
    sleep_ms(30);
    CHECK_EQ(fired, 1);
    CHECK(timer_delete(timer) == 0);
    CHECK_ERR(syscall(SYS_timer_delete, 0x3fffffff), EINVAL);
}

TEST(period_and_overrun)
{
    struct itimerspec when = spec(5, 5), old;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    handle(SIGUSR1);
    timer_t timer = create(SIGEV_SIGNAL, SIGUSR1);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    wait_fired(3);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    sleep_ms(60);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_overrun >= 5);
    CHECK(timer_getoverrun(timer) >= 5);
    when = spec(0, 0);
    CHECK(timer_settime(timer, 0, &when, &old) == 0);
    CHECK_EQ(old.it_interval.tv_nsec, 5 * MS);
    struct timespec none = {0, 0};
    sigtimedwait(&set, NULL, &none);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    int before = fired;
    sleep_ms(20);
    CHECK_EQ(fired, before);
    CHECK(timer_delete(timer) == 0);
}

TEST(absolute)
{
    struct timespec now;
    handle(SIGUSR1);
    timer_t timer = create(SIGEV_SIGNAL, SIGUSR1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct itimerspec when = {{0, 0}, {now.tv_sec, now.tv_nsec}};
    CHECK(timer_settime(timer, TIMER_ABSTIME, &when, NULL) == 0);
    wait_fired(1);
    CHECK(timer_delete(timer) == 0);
}

static void *make_thread_timer(void *arg)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = gettid();
    timer_t timer;
    struct itimerspec when = spec(10, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    wait_fired(1);
    CHECK_EQ(thread_seen, gettid());
    CHECK(timer_delete(timer) == 0);
    return NULL;
}

TEST(directed_to_a_thread)
{
    pthread_t thread;
    handle(SIGUSR1);
    CHECK(pthread_create(&thread, NULL, make_thread_timer, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

TEST(silent_and_not_inherited)
{
    struct itimerspec when = spec(1000, 0), now;
    timer_t timer = create(SIGEV_NONE, 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    sleep_ms(5);
    CHECK(timer_gettime(timer, &now) == 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0);
    IN_CHILD {
        CHECK_ERR(timer_gettime(timer, &now), EINVAL);
    }
    CHECK(timer_delete(timer) == 0);
}

TEST(processor_time_timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec when = spec(30, 0);
    timer_t timer;
    handle(SIGUSR1);
    CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    sleep_ms(60);
    CHECK_EQ(fired, 0);
    long long start = now_ns();
    while (!fired && now_ns() - start < 3000 * MS)
        ;
    CHECK_EQ(fired, 1);
    CHECK(timer_delete(timer) == 0);
}

TEST(refusals)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = 99, .sigev_signo = SIGUSR1};
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event.sigev_signo = SIGUSR1;
    CHECK_ERR(syscall(SYS_timer_create, 77, &event, &timer), EINVAL);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, BAD_POINTER, &timer), EFAULT);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, BAD_POINTER), EFAULT);
    timer = create(SIGEV_SIGNAL, SIGUSR1);
    struct itimerspec bad = {{0, 0}, {0, 1000000000}};
    CHECK_ERR(timer_settime(timer, 0, &bad, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_timer_settime, 0x3fffffff, 0, &bad, NULL), EINVAL);
    CHECK(timer_delete(timer) == 0);
}

TEST(interval_timers)
{
    struct itimerval when = {{0, 10000}, {0, 10000}}, got, bad = {{0, 0}, {0, 1000000}};
    handle(SIGALRM);
    CHECK(setitimer(ITIMER_REAL, &when, NULL) == 0);
    wait_fired(3);
    CHECK(getitimer(ITIMER_REAL, &got) == 0);
    CHECK(got.it_interval.tv_usec == 10000 && got.it_value.tv_usec <= 10000);
    when = (struct itimerval){{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &when, &got) == 0);
    CHECK_EQ(got.it_interval.tv_usec, 10000);
    CHECK_ERR(setitimer(99, &when, NULL), EINVAL);
    CHECK_ERR(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, BAD_POINTER, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, BAD_POINTER), EFAULT);
    handle(SIGVTALRM);
    when = (struct itimerval){{0, 0}, {0, 20000}};
    CHECK(setitimer(ITIMER_VIRTUAL, &when, NULL) == 0);
    long long start = now_ns();
    while (!fired && now_ns() - start < 3000 * MS)
        ;
    CHECK_EQ(fired, 1);
    handle(SIGPROF);
    CHECK(setitimer(ITIMER_PROF, &when, NULL) == 0);
    start = now_ns();
    while (!fired && now_ns() - start < 3000 * MS)
        ;
    CHECK_EQ(fired, 1);
}

TEST(alarms)
{
    handle(SIGALRM);
    alarm(0);
    CHECK_EQ(alarm(10), 0);
    CHECK(alarm(5) >= 9);
    struct itimerval got;
    CHECK(getitimer(ITIMER_REAL, &got) == 0);
    CHECK(got.it_value.tv_sec >= 4 && got.it_interval.tv_sec == 0);
    IN_CHILD {
        alarm(0);
        CHECK_EQ(alarm(0), 0);
    }
    CHECK(alarm(1) >= 4);
    CHECK_ERR(pause(), EINTR);
    CHECK_EQ(fired, 1);
    set_handler(SIGALRM, SIG_DFL, 0);
    alarm(20);
}
