/* SPDX-License-Identifier: Apache-2.0 */
/* epoll(7): level and edge triggers, one-shot, exclusive, nesting, closed files, refusals. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int add(int epfd, int fd, uint32_t events)
{
    struct epoll_event event = {events, {.u64 = 0x100000000ULL + fd}};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

static int modify(int epfd, int fd, uint32_t events)
{
    struct epoll_event event = {events, {.u64 = 0x100000000ULL + fd}};
    return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
}

/* The events of the only ready descriptor, 0 when none is. */
static uint32_t wait_one(int epfd, int fd)
{
    struct epoll_event events[4];
    int n = epoll_wait(epfd, events, 4, 0);
    CHECK(n == 0 || n == 1);
    if (n)
        CHECK_EQ(events[0].data.u64, 0x100000000ULL + fd);
    return n ? events[0].events : 0;
}

TEST(level)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC), ends[2];
    char c;
    CHECK(epfd >= 0 && fcntl(epfd, F_GETFD) == FD_CLOEXEC && pipe(ends) == 0);
    CHECK(add(epfd, ends[0], EPOLLIN) == 0);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    CHECK_EQ(write(ends[1], "ab", 2), 2);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK(read(ends[0], &c, 1) == 1 && wait_one(epfd, ends[0]) == EPOLLIN);
    CHECK(read(ends[0], &c, 1) == 1 && wait_one(epfd, ends[0]) == 0);
    close(ends[1]);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLHUP);
    CHECK(epoll_ctl(epfd, EPOLL_CTL_DEL, ends[0], NULL) == 0);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    close(epfd), close(ends[0]);
}

TEST(edge)
{
    int epfd = epoll_create1(0), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_EQ(write(ends[1], "a", 1), 1);
    CHECK(add(epfd, ends[0], EPOLLIN | EPOLLET) == 0);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    CHECK_EQ(write(ends[1], "b", 1), 1);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    CHECK(modify(epfd, ends[0], EPOLLIN | EPOLLET) == 0);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    int event = eventfd(0, EFD_NONBLOCK);
    uint64_t value = 1;
    CHECK(add(epfd, event, EPOLLIN | EPOLLET) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(event, &value, 8), 8);
        CHECK_EQ(wait_one(epfd, event), EPOLLIN);
        CHECK_EQ(wait_one(epfd, event), 0);
    }
    close(epfd), close(ends[0]), close(ends[1]), close(event);
}

TEST(one_shot)
{
    int epfd = epoll_create1(0), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(add(epfd, ends[0], EPOLLIN | EPOLLONESHOT) == 0);
    CHECK_EQ(write(ends[1], "a", 1), 1);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK_EQ(write(ends[1], "b", 1), 1);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    CHECK(modify(epfd, ends[0], EPOLLIN | EPOLLONESHOT) == 0);
    CHECK_EQ(wait_one(epfd, ends[0]), EPOLLIN);
    CHECK_EQ(wait_one(epfd, ends[0]), 0);
    close(epfd), close(ends[0]), close(ends[1]);
}

TEST(refusals)
{
    int epfd = epoll_create1(0), other = epoll_create1(0), ends[2];
    int file = open("file", O_RDWR | O_CREAT, 0600), dir = open(".", O_RDONLY);
    struct epoll_event event = {EPOLLIN, {0}};
    CHECK(pipe(ends) == 0);
    CHECK_ERR(add(epfd, file, EPOLLIN), EPERM);
    CHECK_ERR(add(epfd, dir, EPOLLIN), EPERM);
    CHECK_ERR(add(epfd, 99, EPOLLIN), EBADF);
    CHECK_ERR(add(99, ends[0], EPOLLIN), EBADF);
    CHECK_ERR(add(ends[1], ends[0], EPOLLIN), EINVAL);
    CHECK_ERR(add(epfd, epfd, EPOLLIN), EINVAL);
    CHECK(add(epfd, ends[0], EPOLLIN) == 0);
    CHECK_ERR(add(epfd, ends[0], EPOLLIN), EEXIST);
    CHECK_ERR(modify(epfd, ends[1], EPOLLIN), ENOENT);
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_DEL, ends[1], &event), ENOENT);
    CHECK_ERR(epoll_ctl(epfd, 9, ends[0], &event), EINVAL);
    CHECK_ERR(epoll_ctl(epfd, EPOLL_CTL_ADD, ends[1], BAD_POINTER), EFAULT);
    CHECK_ERR(modify(epfd, ends[0], EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    CHECK_ERR(add(epfd, ends[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
    CHECK_ERR(epoll_wait(epfd, &event, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_wait, epfd, &event, -1L, 0L), EINVAL);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_ERR(epoll_wait(epfd, BAD_POINTER, 1, 0), EFAULT);
    CHECK_ERR(epoll_wait(ends[0], &event, 1, 0), EINVAL);
    CHECK_ERR(epoll_create1(0x100), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK(add(epfd, other, EPOLLIN) == 0);
    CHECK_ERR(add(other, epfd, EPOLLIN), ELOOP);
    char c;
    CHECK_ERR(read(epfd, &c, 1), EINVAL);
    close(epfd), close(other), close(file), close(dir), close(ends[0]), close(ends[1]);
}

TEST(nested)
{
    int outer = epoll_create1(0), inner = epoll_create1(0), event = eventfd(0, 0);
    uint64_t value = 1;
    CHECK(add(inner, event, EPOLLIN) == 0 && add(outer, inner, EPOLLIN) == 0);
    CHECK_EQ(wait_one(outer, inner), 0);
    CHECK_EQ(write(event, &value, 8), 8);
    CHECK_EQ(wait_one(outer, inner), EPOLLIN);
    struct pollfd pollfd = {outer, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK_EQ(wait_one(inner, event), EPOLLIN);
    CHECK_EQ(read(event, &value, 8), 8);
    CHECK_EQ(wait_one(outer, inner), 0);
    close(outer), close(inner), close(event);
}

TEST(closed_files_leave)
{
    int epfd = epoll_create1(0), ends[2];
    CHECK(pipe(ends) == 0);
    int copy = dup(ends[0]);
    CHECK(add(epfd, ends[0], EPOLLIN) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    int number = ends[0];
    close(ends[0]);
    CHECK_EQ(wait_one(epfd, number), EPOLLIN);
    close(copy);
    CHECK_EQ(wait_one(epfd, number), 0);
    CHECK(pipe(ends) == 0);
    CHECK(add(epfd, ends[0], EPOLLIN) == 0);
    close(epfd), close(ends[0]), close(ends[1]);
}

TEST(waking_and_timeouts)
{
    int epfd = epoll_create1(0), event = eventfd(0, 0);
    struct epoll_event got;
    CHECK(add(epfd, event, EPOLLIN) == 0);
    long long start = now_ns();
    CHECK_EQ(epoll_wait(epfd, &got, 1, 30), 0);
    CHECK(now_ns() - start >= 29 * MS);
    pid_t pid = check_fork();
    if (pid == 0) {
        uint64_t value = 1;
        sleep_ms(30);
        _exit(write(event, &value, 8) != 8);
    }
    CHECK_EQ(epoll_pwait(epfd, &got, 1, -1, NULL), 1);
    CHECK_EXIT(pid, 0);
    struct timespec time = {0, 0};
    CHECK_EQ(syscall(441, epfd, &got, 1, &time, NULL, 8), 1);
    close(epfd), close(event);
}

TEST(fair_rotation)
{
    enum { N = 8 };
    int epfd = epoll_create1(0), fds[N], seen[2048] = {0};
    for (int i = 0; i < N; i++) {
        fds[i] = eventfd(1, 0);
        CHECK(add(epfd, fds[i], EPOLLIN) == 0);
    }
    for (int i = 0; i < N; i++) {
        struct epoll_event event;
        CHECK_EQ(epoll_wait(epfd, &event, 1, 0), 1);
        seen[event.data.u64 & 2047]++;
    }
    for (int i = 0; i < N; i++) {
        CHECK_EQ(seen[fds[i]], 1);
        close(fds[i]);
    }
    close(epfd);
}

static int shared_epfd;

static void *wait_thread(void *arg)
{
    struct epoll_event event;
    CHECK_EQ(epoll_wait(shared_epfd, &event, 1, 5000), 1);
    uint64_t value;
    CHECK_EQ(read(*(int *)arg, &value, 8), 8);
    return NULL;
}

TEST(threads_share_one)
{
    int event = eventfd(0, EFD_SEMAPHORE);
    pthread_t threads[4];
    shared_epfd = epoll_create1(0);
    CHECK(add(shared_epfd, event, EPOLLIN) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_thread, &event) == 0);
    uint64_t value = 4;
    sleep_ms(10);
    CHECK_EQ(write(event, &value, 8), 8);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    close(event), close(shared_epfd);
}

TEST(added_while_waiting)
{
    int event = eventfd(1, 0);
    shared_epfd = epoll_create1(0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_thread, &event) == 0);
    sleep_ms(20);
    CHECK(add(shared_epfd, event, EPOLLIN) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    close(event), close(shared_epfd);
}
