/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2), ppoll(2), select(2), pselect6: readiness of each kind of file, timeouts, masks, refusals. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

static short ready(int fd, short events)
{
    struct pollfd pollfd = {fd, events, 0};
    int n = poll(&pollfd, 1, 0);
    CHECK_EQ(n, pollfd.revents != 0);
    return pollfd.revents;
}

TEST(pipes)
{
    int ends[2];
    static char block[65536];
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK_EQ(ready(ends[0], POLLIN), 0);
    CHECK_EQ(ready(ends[1], POLLOUT), POLLOUT);
    CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
    CHECK_EQ(ready(ends[0], POLLIN | POLLRDNORM), POLLIN | POLLRDNORM);
    CHECK_EQ(ready(ends[1], POLLOUT), 0);
    CHECK_EQ(read(ends[0], block, 4096), 4096);
    CHECK_EQ(ready(ends[1], POLLOUT), POLLOUT);
    close(ends[1]);
    CHECK_EQ(ready(ends[0], POLLIN), POLLIN | POLLHUP);
    while (read(ends[0], block, sizeof block) > 0)
        ;
    CHECK_EQ(ready(ends[0], POLLIN), POLLHUP);
    CHECK_EQ(ready(ends[0], 0), POLLHUP);
    close(ends[0]);
    CHECK_EQ(ready(ends[0], POLLIN), POLLNVAL);
    CHECK_EQ(ready(-1, POLLIN), 0);
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    CHECK_EQ(ready(ends[1], POLLOUT), POLLOUT | POLLERR);
    close(ends[1]);
}

TEST(other_files)
{
    int file = open("file", O_RDWR | O_CREAT, 0600), dir = open(".", O_RDONLY), event = eventfd(1, 0), pair[2];
    CHECK_EQ(ready(file, POLLIN | POLLOUT), POLLIN | POLLOUT);
    CHECK_EQ(ready(dir, POLLIN | POLLOUT), POLLIN | POLLOUT);
    CHECK_EQ(ready(event, POLLIN | POLLOUT), POLLIN | POLLOUT);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK_EQ(ready(pair[0], POLLIN | POLLOUT), POLLOUT);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CHECK_EQ(ready(pair[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    close(pair[1]);
    CHECK_EQ(ready(pair[0], POLLIN | POLLOUT) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    int fresh = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(ready(fresh, POLLIN | POLLOUT), POLLOUT | POLLHUP);
    close(file), close(dir), close(event), close(pair[0]), close(fresh);
}

TEST(timeouts)
{
    struct timespec time = {0, 20 * MS};
    long long start = now_ns();
    CHECK_EQ(poll(NULL, 0, 20), 0);
    CHECK(now_ns() - start >= 20 * MS);
    start = now_ns();
    CHECK_EQ(ppoll(NULL, 0, &time, NULL), 0);
    CHECK(now_ns() - start >= 20 * MS);
    struct timeval tv = {0, 20000};
    start = now_ns();
    CHECK_EQ(select(0, NULL, NULL, NULL, &tv), 0);
    CHECK(now_ns() - start >= 20 * MS);
    CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
    time = (struct timespec){0, 20 * MS};
    CHECK_EQ(syscall(SYS_ppoll, NULL, 0, &time, NULL, 8), 0);
    CHECK_EQ(time.tv_nsec, 0);
}

TEST(waking)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {-5, POLLIN, 99}};
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(30);
        _exit(write(ends[1], "x", 1) != 1);
    }
    CHECK_EQ(poll(fds, 2, -1), 1);
    CHECK(fds[0].revents == POLLIN && fds[1].revents == 0);
    CHECK_EXIT(pid, 0);
    fd_set in, out, except;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    FD_SET(ends[1], &in);
    CHECK_EQ(select(ends[1] + 1, &in, &out, &except, NULL), 2);
    CHECK(FD_ISSET(ends[0], &in) && !FD_ISSET(ends[1], &in) && FD_ISSET(ends[1], &out));
    close(ends[0]), close(ends[1]);
}

TEST(refusals)
{
    struct timespec bad = {0, 1000000000};
    struct timeval negative = {-1, 0};
    fd_set set;
    CHECK_ERR(poll(BAD_POINTER, 1, 0), EFAULT);
    CHECK_ERR(syscall(SYS_poll, BAD_POINTER, 0xffffffffL, 0), EINVAL);
    CHECK_ERR(ppoll(NULL, 0, &bad, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_ppoll, NULL, 0, NULL, &set, 5), EINVAL);
    CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
    CHECK_ERR(select(0, NULL, NULL, NULL, &negative), EINVAL);
    FD_ZERO(&set);
    FD_SET(77, &set);
    struct timeval zero = {0, 0};
    CHECK_ERR(select(78, &set, NULL, NULL, &zero), EBADF);
    CHECK_EQ(select(77, &set, NULL, NULL, &zero), 0);
    CHECK_ERR(select(10, BAD_POINTER, NULL, NULL, &zero), EFAULT);
}

static volatile int caught;

static void on_signal(int signal)
{
    caught = signal;
}

TEST(masks)
{
    sigset_t block, empty, now;
    sigemptyset(&empty);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    set_handler(SIGUSR1, on_signal, 0);
    CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0);
    raise(SIGUSR1);
    CHECK_EQ(poll(NULL, 0, 10), 0);
    CHECK_EQ(caught, 0);
    CHECK_ERR(ppoll(NULL, 0, NULL, &empty), EINTR);
    CHECK_EQ(caught, SIGUSR1);
    caught = 0;
    raise(SIGUSR1);
    CHECK_ERR(pselect(0, NULL, NULL, NULL, NULL, &empty), EINTR);
    CHECK_EQ(caught, SIGUSR1);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    CHECK(sigismember(&now, SIGUSR1));
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
}

TEST(many_descriptors)
{
    enum { N = 500 };
    static struct pollfd fds[N];
    IN_CHILD {
        int ends[2];
        CHECK(pipe(ends) == 0);
        for (int i = 0; i < N; i++)
            fds[i] = (struct pollfd){i % 2 ? ends[0] : ends[1], i % 2 ? POLLIN : POLLOUT, 0};
        CHECK_EQ(poll(fds, N, 0), N / 2);
        CHECK_EQ(write(ends[1], "x", 1), 1);
        CHECK_EQ(poll(fds, N, 0), N);
        struct rlimit limit = {100, 100};
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_ERR(poll(fds, N, 0), EINVAL);
    }
}
