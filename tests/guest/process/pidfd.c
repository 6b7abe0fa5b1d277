/* SPDX-License-Identifier: Apache-2.0 */
/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), and polling for the end of a process. */
#include "../check.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int pidfd_of(pid_t pid)
{
    return syscall(SYS_pidfd_open, pid, 0);
}

static pid_t child_pausing(void)
{
    pid_t pid = check_fork();
    while (pid == 0)
        pause();
    return pid;
}

TEST(open_errors)
{
    CHECK_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, getpid(), 0x1000000), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
}

TEST(poll_and_wait)
{
    pid_t pid = child_pausing();
    int fd = pidfd_of(pid);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 0);
    siginfo_t info = {0};
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_pid, 0);
    CHECK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0);
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
    CHECK_EQ(poll(&pollfd, 1, 5000), 1);
    CHECK(pollfd.revents & POLLIN);
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
    CHECK_ERR(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
    close(fd);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), EBADF);
    CHECK_ERR(waitid(P_PIDFD, fd, &info, WEXITED), EBADF);
}

TEST(wrong_descriptors)
{
    siginfo_t info;
    int fd = open("/dev/null", O_RDONLY);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0), EBADF);
    CHECK_ERR(waitid(P_PIDFD, fd, &info, WEXITED), EBADF);
    close(fd);
    fd = pidfd_of(getpid());
    char c;
    CHECK_ERR(read(fd, &c, 1), EINVAL);
    CHECK_ERR(write(fd, "x", 1), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0x1000), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, BAD_POINTER, 0), EFAULT);
    close(fd);
}

TEST(nonblocking_wait)
{
    pid_t pid = child_pausing();
    int fd = syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    siginfo_t info;
    CHECK(fd >= 0);
    CHECK_ERR(waitid(P_PIDFD, fd, &info, WEXITED), EAGAIN);
    kill(pid, SIGKILL);
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 5000), 1);
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED), 0);
    close(fd);
}

TEST(signal_to_itself_carries_info)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = pidfd_of(getpid());
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == 0);
    siginfo_t info, out = {0};
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(info.si_pid, getpid());
    out.si_signo = SIGUSR1;
    out.si_code = SI_QUEUE;
    out.si_value.sival_int = 99;
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &out, 0) == 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 99);
    out.si_signo = SIGUSR2;
    CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &out, 0), EINVAL);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    close(fd);
}

TEST(getfd)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        close(ends[0]);
        dup2(ends[1], 50);
        (void)!write(ends[1], "r", 1);
        pause();
    }
    char c;
    CHECK(read(ends[0], &c, 1) == 1);
    int fd = pidfd_of(pid);
    CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 51, 0), EBADF);
    CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 50, 1), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_getfd, -1, 50, 0), EBADF);
    int got = syscall(SYS_pidfd_getfd, fd, 50, 0);
    if (got >= 0) {
        CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
        CHECK_EQ(write(got, "z", 1), 1);
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK_EQ(c, 'z');
        close(got);
    }
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

TEST(fdinfo_names_the_process)
{
    char path[64], wanted[32];
    int fd = pidfd_of(getpid());
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    snprintf(wanted, sizeof wanted, "Pid:\t%d\n", getpid());
    CHECK(strstr(read_file(path), wanted) != NULL);
    close(fd);
}
