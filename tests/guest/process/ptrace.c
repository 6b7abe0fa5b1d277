/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): being traced, memory and registers, system call stops, single steps, attaching, events. */
#include "../check.h"
#include <sys/ptrace.h>
#include <sys/user.h>

static volatile long data = 1111;

static int supported(void)
{
    int answer = 0;
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME) == 0 ? 0 : 1);
    int status = wait_status(pid);
    answer = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return answer;
}

static void wait_stop(pid_t pid, int signal)
{
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), signal);
}

static pid_t traced_child(void)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        CHECK(ptrace(PTRACE_TRACEME) == 0);
        raise(SIGSTOP);
        syscall(SYS_getppid);
        _exit(data == 1111 ? 5 : (int)data);
    }
    wait_stop(pid, SIGSTOP);
    return pid;
}

TEST(memory)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = traced_child();
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &data, NULL), 1111);
    CHECK(ptrace(PTRACE_POKEDATA, pid, &data, (void *)77L) == 0);
    CHECK_EQ(data, 1111);
    CHECK_ERR(ptrace(PTRACE_PEEKDATA, pid, BAD_POINTER, NULL), EIO);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_EXIT(pid, 77);
}

TEST(registers)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = traced_child();
    struct user_regs_struct regs;
    CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
    CHECK(regs.rip != 0 && regs.rsp != 0);
    CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, (void *)(8L * 16), NULL), (long)regs.rip);
    CHECK_ERR(ptrace(PTRACE_GETREGS, pid, NULL, BAD_POINTER), EFAULT);
    struct iovec iov = {&regs, sizeof regs};
    CHECK(ptrace(PTRACE_GETREGSET, pid, (void *)1L, &iov) == 0);
    CHECK_EQ(iov.iov_len, sizeof regs);
    CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_EXIT(pid, 5);
}

TEST(system_call_stops)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = traced_child();
    struct user_regs_struct regs;
    int status, entered = 0, left = 0, stops = 0;
    CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) == 0);
    for (int inside = 0;; inside = !inside) {
        CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status))
            break;
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
        CHECK(stops++ < 100);
        if (stops == 1 && regs.orig_rax != SYS_getppid)
            inside = 1;
        if (regs.orig_rax != SYS_getppid)
            continue;
        if ((long)regs.rax == -ENOSYS)
            entered++;
        else {
            CHECK_EQ(regs.rax, getpid());
            left++;
        }
    }
    CHECK_EQ(WEXITSTATUS(status), 5);
    CHECK(entered == 1 && left == 1);
}

TEST(single_steps)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = traced_child();
    struct user_regs_struct before, after;
    int moved = 0;
    for (int i = 0; i < 20; i++) {
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &before) == 0);
        CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
        wait_stop(pid, SIGTRAP);
        CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &after) == 0);
        moved += before.rip != after.rip;
    }
    CHECK(moved >= 19);
    CHECK(ptrace(PTRACE_KILL, pid, NULL, NULL) == 0);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(signals_pass_the_tracer)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = check_fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME);
        raise(SIGUSR1);
        raise(SIGUSR2);
        _exit(0);
    }
    siginfo_t info;
    wait_stop(pid, SIGUSR1);
    CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
    CHECK(info.si_signo == SIGUSR1 && info.si_pid == pid);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    wait_stop(pid, SIGUSR2);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, (void *)(long)SIGUSR2) == 0);
    CHECK_KILLED(pid, SIGUSR2);
}

TEST(attach_and_detach)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = check_fork();
    while (pid == 0)
        pause();
    wait_asleep(pid);
    CHECK(ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0);
    wait_stop(pid, SIGSTOP);
    CHECK_EQ(task_state(pid), 't');
    CHECK_ERR(ptrace(PTRACE_ATTACH, pid, NULL, NULL), EPERM);
    CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
    CHECK_ERR(ptrace(PTRACE_CONT, pid, NULL, NULL), ESRCH);
    CHECK(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_KILLED(pid, SIGKILL);
    CHECK_ERR(ptrace(PTRACE_ATTACH, getpid(), NULL, NULL), EPERM);
    CHECK_ERR(ptrace(PTRACE_ATTACH, 0x3fffffff, NULL, NULL), ESRCH);
    CHECK_ERR(ptrace(PTRACE_CONT, getppid(), NULL, NULL), ESRCH);
}

TEST(fork_and_exit_events)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = check_fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME);
        raise(SIGSTOP);
        pid_t child = fork();
        if (child == 0)
            _exit(3);
        int status;
        waitpid(child, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    wait_stop(pid, SIGSTOP);
    CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE)) == 0);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    int status, forks = 0, exits = 0;
    unsigned long message;
    for (int ended = 0; ended < 2;) {
        pid_t got = waitpid(-1, &status, __WALL);
        CHECK(got > 0);
        if (WIFEXITED(status)) {
            CHECK_EQ(WEXITSTATUS(status), 3);
            ended++;
            continue;
        }
        CHECK(WIFSTOPPED(status));
        if (status >> 16 == PTRACE_EVENT_FORK || status >> 16 == PTRACE_EVENT_CLONE) {
            CHECK(ptrace(PTRACE_GETEVENTMSG, got, NULL, &message) == 0 && message > 0);
            forks++;
        }
        if (status >> 16 == PTRACE_EVENT_EXIT) {
            CHECK(ptrace(PTRACE_GETEVENTMSG, got, NULL, &message) == 0 && message == 3 << 8);
            exits++;
        }
        int pass = status >> 16 || WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        CHECK(ptrace(PTRACE_CONT, got, NULL, (void *)(long)pass) == 0);
    }
    CHECK(forks == 1 && exits == 2);
}

PROGRAM(nothing)
{
    _exit(9);
}

TEST(exec_stops)
{
    if (!supported())
        SKIP("no ptrace");
    pid_t pid = check_fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME);
        execl(check_self, "x", "@nothing", NULL);
        _exit(1);
    }
    wait_stop(pid, SIGTRAP);
    CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
    CHECK_EXIT(pid, 9);
}
