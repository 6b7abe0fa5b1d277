/* SPDX-License-Identifier: Apache-2.0 */
/* timerfd_create(2) and its operations. */
#include "../check.h"
#include <sys/timerfd.h>

static struct itimerspec spec(long first_ms, long period_ms)
{
    return (struct itimerspec){{period_ms / 1000, period_ms % 1000 * MS}, {first_ms / 1000, first_ms % 1000 * MS}};
}

TEST(once)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec when = spec(20, 0), got;
    uint64_t ticks;
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    long long start = now_ns();
    CHECK(timerfd_settime(fd, 0, &when, NULL) == 0);
    CHECK(timerfd_gettime(fd, &got) == 0);
    CHECK(got.it_value.tv_nsec > 0 && got.it_value.tv_nsec <= 20 * MS);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK_EQ(ticks, 1);
    CHECK(now_ns() - start >= 19 * MS);
    CHECK(timerfd_gettime(fd, &got) == 0);
    CHECK(got.it_value.tv_sec == 0 && got.it_value.tv_nsec == 0);
    close(fd);
}

TEST(periods)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec when = spec(5, 5), old;
    uint64_t ticks;
    CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
    CHECK(timerfd_settime(fd, 0, &when, NULL) == 0);
    sleep_ms(60);
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK_EQ(pollfd.revents, POLLIN);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK(ticks >= 10);
    CHECK_EQ(poll(&pollfd, 1, 1000), 1);
    CHECK_ERR(read(fd, &ticks, 7), EINVAL);
    when = spec(0, 0);
    CHECK(timerfd_settime(fd, 0, &when, &old) == 0);
    CHECK_EQ(old.it_interval.tv_nsec, 5 * MS);
    CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
    close(fd);
}

TEST(absolute)
{
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    for (size_t i = 0; i < LENGTH(clocks); i++) {
        struct timespec now;
        uint64_t ticks;
        int fd = timerfd_create(clocks[i], 0);
        clock_gettime(clocks[i], &now);
        struct itimerspec past = {{0, 0}, {now.tv_sec - 1, now.tv_nsec}};
        CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL) == 0);
        CHECK_EQ(read(fd, &ticks, 8), 8);
        CHECK_EQ(ticks, 1);
        close(fd);
    }
}

TEST(shared_by_fork)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec when = spec(10, 0);
    IN_CHILD {
        CHECK(timerfd_settime(fd, 0, &when, NULL) == 0);
    }
    uint64_t ticks;
    CHECK_EQ(read(fd, &ticks, 8), 8);
    close(fd);
}

TEST(refusals)
{
    struct itimerspec when = spec(10, 0), bad = {{0, 0}, {0, 1000000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), null = open("/dev/null", O_RDONLY);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0x100000), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERR(timerfd_create(99, 0), EINVAL);
    CHECK_ERR(timerfd_settime(fd, 0x100, &when, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(null, 0, &when, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(99, 0, &when, NULL), EBADF);
    CHECK_ERR(syscall(SYS_timerfd_settime, fd, 0, BAD_POINTER, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_timerfd_gettime, fd, BAD_POINTER), EFAULT);
    CHECK_ERR(write(fd, "12345678", 8), EINVAL);
    close(fd), close(null);
}
