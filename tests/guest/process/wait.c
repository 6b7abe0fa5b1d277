/* SPDX-License-Identifier: Apache-2.0 */
/* wait4(2) and waitid(2): what they report, what they leave, and how they refuse. */
#include "../check.h"

static pid_t child_exiting(int status)
{
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(status);
    return pid;
}

static pid_t child_pausing(void)
{
    pid_t pid = check_fork();
    while (pid == 0)
        pause();
    return pid;
}

TEST(exit_status_keeps_eight_bits)
{
    int values[] = {0, 1, 127, 255, 256, 0x1234, -1};
    for (size_t i = 0; i < LENGTH(values); i++)
        CHECK_EXIT(child_exiting(values[i]), values[i] & 0xff);
}

TEST(killed_status)
{
    pid_t pid = child_pausing();
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_KILLED(pid, SIGKILL);
    pid = child_pausing();
    CHECK(kill(pid, SIGTERM) == 0);
    CHECK_KILLED(pid, SIGTERM);
}

TEST(no_children)
{
    int status = 77;
    CHECK_ERR(wait4(-1, &status, 0, NULL), ECHILD);
    CHECK_ERR(wait4(-1, &status, WNOHANG, NULL), ECHILD);
    CHECK_ERR(waitpid(getpid(), &status, 0), ECHILD);
    CHECK_EQ(status, 77);
    siginfo_t info;
    CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

TEST(bad_arguments)
{
    siginfo_t info;
    CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERR(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    CHECK_ERR(waitid(99, 0, &info, WEXITED), EINVAL);
    CHECK_ERR(waitid(P_PID, 0, &info, WEXITED), EINVAL);
    CHECK_ERR(waitid(P_PID, -1, &info, WEXITED), EINVAL);
    CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED | 0x100000), EINVAL);
    CHECK_ERR(syscall(SYS_wait4, -1, NULL, 0x100000, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_wait4, INT_MIN, NULL, 0, NULL), ESRCH);
}

TEST(nohang)
{
    pid_t pid = child_pausing();
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_pid, 0);
    CHECK_EQ(info.si_signo, 0);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(waitid_leaves_with_wnowait)
{
    pid_t pid = child_exiting(9);
    for (int i = 0; i < 3; i++) {
        siginfo_t info = {0};
        CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
        CHECK_EQ(info.si_signo, SIGCHLD);
        CHECK_EQ(info.si_code, CLD_EXITED);
        CHECK_EQ(info.si_pid, pid);
        CHECK_EQ(info.si_uid, getuid());
        CHECK_EQ(info.si_status, 9);
    }
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EXIT(pid, 9);
    CHECK_ERR(kill(pid, 0), ESRCH);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(waitid_killed)
{
    pid_t pid = child_pausing();
    siginfo_t info = {0};
    kill(pid, SIGUSR1);
    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGUSR1);
    pid = child_exiting(0);
    CHECK_EQ(waitid(P_PID, pid, NULL, WEXITED), 0);
}

TEST(stopped_and_continued)
{
    pid_t pid = child_pausing();
    int status;
    siginfo_t info = {0};
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT), 0);
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_EQ(waitid(P_PID, pid, &info, WSTOPPED), 0);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(waits_for_any_and_for_groups)
{
    pid_t first = check_fork();
    if (first == 0) {
        setpgid(0, 0);
        pause();
    }
    setpgid(first, first);
    pid_t second = child_exiting(5);
    int status;
    CHECK_EQ(waitpid(0, &status, 0), second);
    CHECK_EQ(waitpid(-first, &status, WNOHANG), 0);
    CHECK_ERR(waitpid(0, &status, 0), ECHILD);
    kill(first, SIGKILL);
    CHECK_EQ(waitpid(-first, &status, 0), first);
    CHECK_ERR(waitpid(-first, &status, 0), ECHILD);
}

TEST(bad_pointer_reaps_all_the_same)
{
    pid_t pid = child_exiting(0);
    CHECK_ERR(syscall(SYS_wait4, pid, BAD_POINTER, 0, NULL), EFAULT);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(rusage_of_the_child)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        long long until = now_ns() + 60 * MS;
        while (now_ns() < until)
            ;
        _exit(0);
    }
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    int status;
    CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
    long spent = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    CHECK(spent > 10000 && spent < 5000000);
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >= spent);
}

TEST(waits_block_until_the_end)
{
    long long start = now_ns();
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(50);
        _exit(3);
    }
    CHECK_EXIT(pid, 3);
    CHECK(now_ns() - start >= 45 * MS);
}

TEST(clone_children_need_wclone)
{
    pid_t pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(4);
    int status;
    CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
    CHECK_EQ(WEXITSTATUS(status), 4);
    pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (pid == 0)
        _exit(4);
    CHECK_EQ(waitpid(pid, &status, __WALL), pid);
}
