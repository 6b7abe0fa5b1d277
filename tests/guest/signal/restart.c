/* SPDX-License-Identifier: Apache-2.0 */
/* What interrupted calls do: restart with SA_RESTART, EINTR, or always EINTR, by class (signal(7)). */
#include "../check.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>

static volatile int caught;
static int ends[2];

static void on_signal(int signal)
{
    caught++;
}

static void open_pipe(void)
{
    if (ends[1] == 0)
        CHECK(pipe(ends) == 0);
}

static pid_t interrupter(int signals, int then_write)
{
    pid_t parent = getpid(), pid = check_fork();
    if (pid == 0) {
        for (int i = 0; i < signals; i++) {
            wait_asleep(parent);
            sleep_ms(15);
            kill(parent, SIGUSR1);
        }
        sleep_ms(30);
        if (then_write)
            CHECK(write(ends[1], "d", 1) == 1);
        _exit(0);
    }
    caught = 0;
    return pid;
}

TEST(read_restarts)
{
    char c = 0;
    open_pipe();
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t pid = interrupter(2, 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(caught, 2);
    CHECK_EXIT(pid, 0);
    set_handler(SIGUSR1, on_signal, 0);
    pid = interrupter(1, 1);
    CHECK_ERR(read(ends[0], &c, 1), EINTR);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(read(ends[0], &c, 1), 1);
}

TEST(wait_restarts)
{
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t pid = interrupter(1, 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(caught, 1);
    set_handler(SIGUSR1, on_signal, 0);
    pid = interrupter(1, 0);
    CHECK_ERR(waitpid(pid, &status, 0), EINTR);
    CHECK_EXIT(pid, 0);
}

TEST(partial_write_returns_its_count)
{
    static char data[300000];
    open_pipe();
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t pid = interrupter(1, 0);
    ssize_t n = write(ends[1], data, sizeof data);
    CHECK(n > 0 && n < (ssize_t)sizeof data);
    CHECK_EXIT(pid, 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (read(ends[0], data, sizeof data) > 0)
        ;
    fcntl(ends[0], F_SETFL, 0);
}

TEST(nanosleep_reports_the_rest)
{
    struct timespec time = {0, 400 * MS}, rest = {9, 9};
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid_t pid = interrupter(1, 0);
    CHECK_ERR(nanosleep(&time, &rest), EINTR);
    CHECK_EQ(rest.tv_sec, 0);
    CHECK(rest.tv_nsec > 0 && rest.tv_nsec < 399 * MS);
    CHECK_EXIT(pid, 0);
    pid = interrupter(1, 0);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &rest), EINTR);
    CHECK_EXIT(pid, 0);
}

TEST(ignored_signals_do_not_interrupt)
{
    struct timespec time = {0, 100 * MS}, rest = {9, 9};
    set_handler(SIGUSR1, SIG_IGN, 0);
    pid_t pid = interrupter(1, 0);
    CHECK_EQ(nanosleep(&time, &rest), 0);
    CHECK_EQ(rest.tv_sec, 9);
    CHECK_EXIT(pid, 0);
}

TEST(stop_and_continue_do_not_interrupt)
{
    open_pipe();
    IN_CHILD {
        pid_t parent = getpid(), pid = check_fork();
        if (pid == 0) {
            wait_asleep(parent);
            kill(parent, SIGSTOP);
            sleep_ms(30);
            kill(parent, SIGCONT);
            sleep_ms(30);
            CHECK(write(ends[1], "x", 1) == 1);
            _exit(0);
        }
        char c;
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK_EXIT(pid, 0);
        struct timespec time = {0, 150 * MS};
        pid = check_fork();
        if (pid == 0) {
            wait_asleep(parent);
            kill(parent, SIGSTOP);
            sleep_ms(20);
            kill(parent, SIGCONT);
            _exit(0);
        }
        long long start = now_ns();
        CHECK_EQ(nanosleep(&time, NULL), 0);
        CHECK(now_ns() - start >= 149 * MS);
        CHECK_EXIT(pid, 0);
    }
}

TEST(polls_never_restart)
{
    open_pipe();
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    struct pollfd pollfd = {ends[0], POLLIN, 0};
    pid_t pid = interrupter(1, 0);
    CHECK_ERR(poll(&pollfd, 1, 3000), EINTR);
    CHECK_EXIT(pid, 0);
    pid = interrupter(1, 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    CHECK_ERR(select(ends[0] + 1, &set, NULL, NULL, NULL), EINTR);
    CHECK_EXIT(pid, 0);
    pid = interrupter(1, 0);
    int epfd = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {0}};
    CHECK(epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &event) == 0);
    CHECK_ERR(epoll_wait(epfd, &event, 1, 3000), EINTR);
    CHECK_EXIT(pid, 0);
    pid = interrupter(1, 0);
    CHECK_ERR(pause(), EINTR);
    CHECK_EXIT(pid, 0);
    close(epfd);
}

TEST(futex_wait)
{
    static int word;
    struct timespec limit = {3, 0};
    set_handler(SIGUSR1, on_signal, 0);
    pid_t pid = interrupter(1, 0);
    CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &limit, NULL, 0), EINTR);
    CHECK_EXIT(pid, 0);
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pid = interrupter(1, 0);
    CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &limit, NULL, 0), EINTR);
    CHECK_EXIT(pid, 0);
    int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    caught = 0;
    pid = check_fork();
    if (pid == 0) {
        wait_asleep(parent);
        kill(parent, SIGUSR1);
        sleep_ms(30);
        CHECK_EQ(syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
        _exit(0);
    }
    CHECK_EQ(syscall(SYS_futex, shared, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
    CHECK_EQ(caught, 1);
    CHECK_EXIT(pid, 0);
}

TEST(file_locks)
{
    char name[] = "/tmp/restart.XXXXXX";
    int fd = mkstemp(name), other = open(name, O_RDWR);
    CHECK(fd >= 0 && other >= 0 && unlink(name) == 0);
    CHECK(flock(other, LOCK_EX) == 0);
    set_handler(SIGUSR1, on_signal, 0);
    pid_t pid = interrupter(1, 0);
    CHECK_ERR(flock(fd, LOCK_EX), EINTR);
    CHECK_EXIT(pid, 0);
    close(fd);
    close(other);
}

TEST(sockets_with_timeouts_do_not_restart)
{
    int pair[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    struct timeval limit = {2, 0};
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    pid_t pid = interrupter(1, 0);
    CHECK_ERR(recv(pair[0], &c, 1, 0), EINTR);
    CHECK_EXIT(pid, 0);
    close(pair[0]);
    close(pair[1]);
}
