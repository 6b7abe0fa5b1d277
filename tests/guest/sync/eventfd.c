/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2): counting, blocking, semaphore mode, overflow, refusals. */
#include "../check.h"
#include <sys/eventfd.h>

static uint64_t take(int fd)
{
    uint64_t value;
    CHECK_EQ(read(fd, &value, 8), 8);
    return value;
}

static void give(int fd, uint64_t value)
{
    CHECK_EQ(write(fd, &value, 8), 8);
}

TEST(counts)
{
    int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t value;
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    give(fd, 7);
    give(fd, 0);
    CHECK_EQ(take(fd), 12);
    CHECK_ERR(read(fd, &value, 8), EAGAIN);
    close(fd);
}

TEST(semaphore)
{
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t value;
    CHECK_EQ(take(fd), 1);
    CHECK_EQ(take(fd), 1);
    CHECK_ERR(read(fd, &value, 8), EAGAIN);
    close(fd);
}

TEST(limits)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t value = UINT64_MAX;
    char small[7];
    CHECK_ERR(write(fd, &value, 8), EINVAL);
    give(fd, UINT64_MAX - 1);
    value = 1;
    CHECK_ERR(write(fd, &value, 8), EAGAIN);
    struct pollfd pollfd = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK_EQ(pollfd.revents, POLLIN);
    CHECK_ERR(read(fd, small, 7), EINVAL);
    CHECK_ERR(write(fd, small, 7), EINVAL);
    CHECK_EQ(take(fd), UINT64_MAX - 1);
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK_EQ(pollfd.revents, POLLOUT);
    CHECK_ERR(read(fd, BAD_POINTER, 8), EAGAIN);
    CHECK_ERR(write(fd, BAD_POINTER, 8), EFAULT);
    CHECK_ERR(eventfd(0, 0x100000), EINVAL);
    close(fd);
}

TEST(blocking_between_processes)
{
    int there = eventfd(0, 0), back = eventfd(0, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        for (int i = 0; i < 200; i++)
            give(back, take(there) + 1);
        _exit(0);
    }
    for (uint64_t i = 1; i <= 200; i++) {
        give(there, i);
        CHECK_EQ(take(back), i + 1);
    }
    CHECK_EXIT(pid, 0);
    close(there);
    close(back);
}

static void *write_blocked(void *arg)
{
    give(*(int *)arg, 3);
    return NULL;
}

TEST(full_counter_blocks_writers)
{
    int fd = eventfd(0, 0);
    pthread_t thread;
    give(fd, UINT64_MAX - 2);
    CHECK(pthread_create(&thread, NULL, write_blocked, &fd) == 0);
    sleep_ms(30);
    CHECK_EQ(take(fd), UINT64_MAX - 2);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_EQ(take(fd), 3);
    close(fd);
}
