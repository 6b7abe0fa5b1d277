/* SPDX-License-Identifier: Apache-2.0 */
/* dup(2), fcntl(2), close_range(2): numbers, flags that belong to descriptors and to open files. */
#define CHECK_SCRATCH
#include "../check.h"

TEST(lowest_number)
{
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = dup(a);
    CHECK(b > a && c > b);
    close(b);
    CHECK_EQ(dup(a), b);
    CHECK_EQ(fcntl(a, F_DUPFD, 100), 100);
    CHECK_EQ(fcntl(a, F_DUPFD, 100), 101);
    CHECK_EQ(fcntl(a, F_DUPFD_CLOEXEC, 100), 102);
    CHECK_EQ(fcntl(102, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(101, F_GETFD), 0);
    CHECK_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
    CHECK(close_range(a, 200, 0) == 0);
}

TEST(dup2_and_dup3)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(dup2(fd, 50), 50);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(dup2(99, 99), EBADF);
    CHECK_ERR(dup2(99, 50), EBADF);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_ERR(dup2(fd, -1), EBADF);
    CHECK_ERR(dup2(fd, INT_MAX), EBADF);
    CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(dup3(fd, fd, 0), EINVAL);
    CHECK_ERR(dup3(fd, 51, O_NONBLOCK), EINVAL);
    CHECK_ERR(dup(-1), EBADF);
    close(fd), close(50), close(51);
}

TEST(dup2_closes_its_target)
{
    int ends[2];
    char c;
    CHECK(pipe(ends) == 0);
    int null = open("/dev/null", O_WRONLY);
    CHECK_EQ(dup2(null, ends[1]), ends[1]);
    CHECK_EQ(read(ends[0], &c, 1), 0);
    close(null), close(ends[0]), close(ends[1]);
}

TEST(flags)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), copy = dup(fd);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK_EQ(fcntl(copy, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE), O_APPEND | O_NONBLOCK | O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC) == 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE | O_TRUNC), O_RDWR);
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
    CHECK(ioctl(fd, FIONCLEX) == 0 && fcntl(fd, F_GETFD) == 0);
    CHECK(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    int on = 1;
    CHECK(ioctl(fd, FIONBIO, &on) == 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_ERR(ioctl(fd, FIONBIO, BAD_POINTER), EFAULT);
    CHECK_ERR(ioctl(fd, TCGETS, &on), ENOTTY);
    CHECK_ERR(ioctl(fd, 0xdeadbeef, &on), ENOTTY);
    CHECK_ERR(fcntl(fd, 12345), EINVAL);
    CHECK_ERR(fcntl(99, F_GETFD), EBADF);
    int left = -1;
    CHECK_EQ(pwrite(fd, "12345", 5, 0), 5);
    CHECK(ioctl(fd, FIONREAD, &left) == 0);
    CHECK_EQ(left, 5);
    close(fd), close(copy);
}

TEST(owner)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
    CHECK(fcntl(ends[0], F_SETOWN, getpid()) == 0);
    CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
    CHECK(fcntl(ends[0], F_SETSIG, SIGUSR1) == 0);
    CHECK_EQ(fcntl(ends[0], F_GETSIG), SIGUSR1);
    CHECK_ERR(fcntl(ends[0], F_SETSIG, 65), EINVAL);
    close(ends[0]), close(ends[1]);
}

TEST(close_ranges)
{
    int null = open("/dev/null", O_RDONLY);
    for (int i = 60; i < 70; i++)
        CHECK_EQ(dup2(null, i), i);
    CHECK(close_range(62, 64, 0) == 0);
    CHECK(fcntl(61, F_GETFD) == 0 && fcntl(65, F_GETFD) == 0);
    CHECK_ERR(fcntl(62, F_GETFD), EBADF);
    CHECK_ERR(fcntl(64, F_GETFD), EBADF);
    CHECK(close_range(65, 66, CLOSE_RANGE_CLOEXEC) == 0);
    CHECK_EQ(fcntl(65, F_GETFD), FD_CLOEXEC);
    CHECK(close_range(60, ~0U, 0) == 0);
    CHECK_ERR(fcntl(69, F_GETFD), EBADF);
    CHECK(close_range(1000, 2000, 0) == 0);
    CHECK_ERR(close_range(5, 4, 0), EINVAL);
    CHECK_ERR(close_range(0, 0, 0x100), EINVAL);
    close(null);
    IN_CHILD {
        CHECK(close_range(3, ~0U, CLOSE_RANGE_UNSHARE) == 0);
    }
}

static void *close_it(void *arg)
{
    CHECK(close((int)(long)arg) == 0);
    return NULL;
}

TEST(threads_share_the_table)
{
    pthread_t thread;
    int fd = open("/dev/null", O_RDONLY);
    CHECK(pthread_create(&thread, NULL, close_it, (void *)(long)fd) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
}

TEST(kcmp_knows_copies)
{
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
    long same = syscall(SYS_kcmp, getpid(), getpid(), 0, a, b);
    if (same == -1 && errno == ENOSYS)
        SKIP("no kcmp");
    CHECK_EQ(same, 0);
    CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, a, c) > 0);
    CHECK_ERR(syscall(SYS_kcmp, getpid(), getpid(), 0, a, 99), EBADF);
    close(a), close(b), close(c);
}

TEST(thousand_descriptors)
{
    IN_CHILD {
        struct rlimit limit;
        CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        int top = limit.rlim_cur < 1024 ? limit.rlim_cur : 1024, fd;
        do
            fd = open("/dev/null", O_RDONLY);
        while (fd >= 0 && fd < top - 1);
        CHECK_EQ(fd, top - 1);
        CHECK(close_range(3, top, 0) == 0);
        CHECK_EQ(open("/dev/null", O_RDONLY), 3);
    }
}
