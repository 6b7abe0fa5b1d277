/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and sleeping: clock_gettime(2), clock_getres(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2). */
#include "../check.h"

static long long get(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long get_by_call(clockid_t clock)
{
    struct timespec now;
    CHECK(syscall(SYS_clock_gettime, clock, &now) == 0);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

TEST(monotonic_never_goes_back)
{
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (size_t i = 0; i < LENGTH(clocks); i++) {
        long long last = get(clocks[i]);
        for (int j = 0; j < 1000; j++) {
            long long now = get(clocks[i]);
            CHECK(now >= last);
            last = now;
        }
    }
}

TEST(library_and_system_call_agree)
{
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW, CLOCK_TAI};
    for (size_t i = 0; i < LENGTH(clocks); i++) {
        long long before = get(clocks[i]), middle = get_by_call(clocks[i]), after = get(clocks[i]);
        CHECK(before <= middle + 1000 && middle <= after + 1000);
    }
    clockid_t coarse[] = {CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE};
    for (int i = 0; i < 2; i++) {
        clockid_t fine = i ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        long long before = get(fine), middle = get(coarse[i]), after = get(fine);
        CHECK(before - 50 * MS < middle && middle <= after);     /* it stands still for a tick of the host */
    }
}

TEST(other_ways_to_the_time_of_day)
{
    struct timeval tv;
    struct timezone tz;
    CHECK(gettimeofday(&tv, NULL) == 0);
    CHECK(llabs(tv.tv_sec - time(NULL)) <= 1);
    CHECK(llabs(tv.tv_sec - syscall(SYS_time, NULL)) <= 1);
    CHECK(syscall(SYS_gettimeofday, &tv, &tz) == 0);
    CHECK_ERR(syscall(SYS_gettimeofday, BAD_POINTER, NULL), EFAULT);
    CHECK(tv.tv_sec > 1600000000);
}

TEST(refusals)
{
    struct timespec now;
    CHECK_ERR(clock_gettime(99, &now), EINVAL);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD_POINTER), EFAULT);
    CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &now), EINVAL);
    CHECK_ERR(clock_getres(99, &now), EINVAL);
    now = (struct timespec){0, 1000000000};
    CHECK_ERR(clock_settime(CLOCK_REALTIME, &now), EINVAL);
    if (geteuid() == 0)
        IN_CHILD {
            CHECK(setuid(1000) == 0);
            now = (struct timespec){1000, 0};
            CHECK_ERR(clock_settime(CLOCK_REALTIME, &now), EPERM);
        }
}

TEST(resolutions)
{
    struct timespec res;
    clockid_t fine[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (size_t i = 0; i < LENGTH(fine); i++) {
        CHECK(clock_getres(fine[i], &res) == 0);
        CHECK(res.tv_sec == 0 && res.tv_nsec == 1);
    }
    CHECK(clock_getres(CLOCK_MONOTONIC_COARSE, &res) == 0);
    CHECK(res.tv_nsec >= 1000000 && res.tv_nsec <= 10000000);
    CHECK(clock_getres(CLOCK_MONOTONIC, NULL) == 0);
}

TEST(sleeping)
{
    struct timespec time = {0, 20 * MS}, bad = {0, -1}, rest = {7, 7};
    long long start = now_ns();
    CHECK(nanosleep(&time, &rest) == 0);
    CHECK(now_ns() - start >= 20 * MS);
    CHECK_EQ(rest.tv_sec, 7);
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    bad = (struct timespec){-1, 0};
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_nanosleep, BAD_POINTER, NULL), EFAULT);
    time = (struct timespec){0, 0};
    CHECK(nanosleep(&time, NULL) == 0);
    CHECK_EQ(clock_nanosleep(99, 0, &time, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &time, NULL), EOPNOTSUPP);
}

TEST(sleeping_until)
{
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (size_t i = 0; i < LENGTH(clocks); i++) {
        long long until = get(clocks[i]) + 20 * MS;
        struct timespec time = {until / 1000000000, until % 1000000000};
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &time, NULL), 0);
        CHECK(get(clocks[i]) >= until);
        long long start = now_ns();
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &time, NULL), 0);
        CHECK(now_ns() - start < 1000 * MS);
    }
}

TEST(processor_clocks)
{
    clockid_t mine, thread;
    CHECK_EQ(clock_getcpuclockid(0, &mine), 0);
    CHECK_EQ(pthread_getcpuclockid(pthread_self(), &thread), 0);
    long long before = get(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns();
    sleep_ms(30);
    CHECK(get(CLOCK_PROCESS_CPUTIME_ID) - before < 20 * MS);
    while (get(CLOCK_THREAD_CPUTIME_ID) < 30 * MS && now_ns() - wall < 5000 * MS)
        ;
    CHECK(get(CLOCK_PROCESS_CPUTIME_ID) >= 25 * MS);
    CHECK(get(mine) > 0 && get(thread) > 0);
    CHECK_EQ(clock_getcpuclockid(0x0fffffff, &mine), ESRCH);
    CHECK(clock() > 0);
}
