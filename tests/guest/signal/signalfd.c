/* SPDX-License-Identifier: Apache-2.0 */
/* signalfd(2): reading signals, several at once, masks changed later, refusals. */
#include "../check.h"
#include <sys/signalfd.h>

static sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    return set;
}

TEST(read_one_and_many)
{
    struct signalfd_siginfo info[4];
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 0);
    CHECK(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77}) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK_EQ(read(fd, info, sizeof info), 2 * sizeof info[0]);
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_code, SI_USER);
    CHECK_EQ(info[0].ssi_pid, getpid());
    CHECK_EQ(info[1].ssi_signo, SIGUSR2);
    CHECK_EQ(info[1].ssi_code, SI_QUEUE);
    CHECK_EQ(info[1].ssi_int, 77);
    CHECK_ERR(read(fd, info, sizeof info[0] - 1), EINVAL);
    CHECK_ERR(write(fd, "x", 1), EINVAL);
    close(fd);
}

TEST(change_of_the_mask)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2), only = set_of(SIGUSR2, 0);
    struct signalfd_siginfo info;
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    CHECK_EQ(signalfd(fd, &only, 0), fd);
    kill(getpid(), SIGUSR1);
    CHECK_ERR(read(fd, &info, sizeof info), EAGAIN);
    CHECK_EQ(signalfd(fd, &set, 0), fd);
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    close(fd);
}

TEST(blocking_read)
{
    sigset_t set = set_of(SIGCHLD, 0);
    struct signalfd_siginfo info;
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(30);
        _exit(19);
    }
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGCHLD);
    CHECK_EQ(info.ssi_code, CLD_EXITED);
    CHECK_EQ(info.ssi_status, 19);
    CHECK_EQ(info.ssi_pid, pid);
    CHECK_EXIT(pid, 19);
    close(fd);
}

TEST(refusals)
{
    sigset_t set = set_of(SIGUSR1, 0);
    CHECK_ERR(signalfd(-1, &set, 0x1000000), EINVAL);
    CHECK_ERR(signalfd(0x3fffffff, &set, 0), EBADF);
    int other = open("/dev/null", O_RDONLY);
    CHECK_ERR(signalfd(other, &set, 0), EINVAL);
    CHECK_ERR(syscall(SYS_signalfd4, -1, BAD_POINTER, 8, 0), EFAULT);
    CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    close(other);
}

TEST(reader_sees_its_own_signals)
{
    sigset_t set = set_of(SIGUSR1, 0);
    struct signalfd_siginfo info;
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    kill(getpid(), SIGUSR1);
    IN_CHILD {
        CHECK_ERR(read(fd, &info, sizeof info), EAGAIN);
        raise(SIGUSR1);
        CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
        CHECK_EQ(info.ssi_pid, getpid());
    }
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_pid, getpid());
    close(fd);
}
