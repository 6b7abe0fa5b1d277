/* SPDX-License-Identifier: Apache-2.0 */
/* fork(2), vfork(2), clone(2) and clone3(2): what is shared, what is copied, which flags are refused. */
#include "../check.h"
#include <linux/sched.h>

static char stack[65536] __attribute__((aligned(16)));
static volatile int shared_value;

static int set_value(void *arg)
{
    shared_value = (int)(long)arg;
    return 7;
}

static int close_descriptor(void *arg)
{
    return close((int)(long)arg) == 0 && chdir("/tmp") == 0 ? 0 : 1;
}

TEST(fork_copies_memory)
{
    shared_value = 1;
    pid_t parent = getpid();
    IN_CHILD {
        CHECK_EQ(shared_value, 1);
        CHECK_EQ(getppid(), parent);
        CHECK_EQ(gettid(), getpid());
        shared_value = 2;
    }
    CHECK_EQ(shared_value, 1);
}

TEST(vfork_shares_memory_and_suspends_the_parent)
{
    static volatile int order;
    order = 0;
    long long start = now_ns();
    pid_t pid = vfork();
    if (pid == 0) {
        struct timespec t = {0, 50 * MS};
        nanosleep(&t, NULL);
        order = 1;
        _exit(5);
    }
    CHECK_EQ(order, 1);
    CHECK(now_ns() - start >= 45 * MS);
    CHECK_EXIT(pid, 5);
}

TEST(vfork_exec_releases_the_parent)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(check_self, check_self, "@sleeper", NULL);
        _exit(99);
    }
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_EXIT(pid, 0);
}

PROGRAM(sleeper)
{
    sleep_ms(200);
}

TEST(clone_vm)
{
    shared_value = 0;
    pid_t pid = clone(set_value, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)42L);
    CHECK(pid > 0);
    CHECK_EXIT(pid, 7);
    CHECK_EQ(shared_value, 42);
}

TEST(clone_files_and_fs)
{
    char cwd[PATH_MAX];
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd >= 0);
    CHECK(chdir("/") == 0);
    pid_t pid = clone(close_descriptor, stack + sizeof stack, SIGCHLD, (void *)(long)fd);
    CHECK_EXIT(pid, 0);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    CHECK(strcmp(getcwd(cwd, sizeof cwd), "/") == 0);
    pid = clone(close_descriptor, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, (void *)(long)fd);
    CHECK_EXIT(pid, 0);
    CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
    CHECK(strcmp(getcwd(cwd, sizeof cwd), "/tmp") == 0);
    CHECK(chdir("/") == 0);
}

TEST(refused_flags)
{
    CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
    struct clone_args args = {.exit_signal = 65};
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    args = (struct clone_args){.flags = CLONE_VM, .stack = 4096};
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    args = (struct clone_args){.exit_signal = SIGCHLD, .stack_size = 4096};
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    args = (struct clone_args){.exit_signal = SIGCHLD};
    CHECK_ERR(syscall(SYS_clone3, &args, 63), EINVAL);
    CHECK_ERR(syscall(SYS_clone3, &args, 4097), E2BIG);
    CHECK_ERR(syscall(SYS_clone3, BAD_POINTER, sizeof args), EFAULT);
    args.flags = 0xff;
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
}

TEST(settid_words)
{
    static volatile pid_t child_word, parent_word;
    child_word = parent_word = 0;
    pid_t pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent_word, &child_word, 0);
    if (pid == 0)
        _exit(child_word == gettid() ? 0 : 1);
    CHECK_EQ(parent_word, pid);
    CHECK_EQ(child_word, 0);
    CHECK_EXIT(pid, 0);
}

TEST(clone3_with_pidfd_and_exit_signal)
{
    int pidfd = -1;
    pid_t parent_tid = 0;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
        .pidfd = (uintptr_t)&pidfd,
        .parent_tid = (uintptr_t)&parent_tid,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(21);
    CHECK(pid > 0);
    CHECK_EQ(parent_tid, pid);
    CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    siginfo_t info = {0};
    CHECK_EQ(waitid(P_PIDFD, pidfd, &info, WEXITED), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 21);
    close(pidfd);
}

TEST(clone_parent_makes_a_sibling)
{
    IN_CHILD {
        pid_t parent = getppid();
        pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0)
            _exit(getppid() == parent ? 12 : 1);
        CHECK_ERR(waitpid(pid, NULL, __WALL), ECHILD);
    }
    int status;
    CHECK(waitpid(-1, &status, 0) > 0);
    CHECK_EQ(WEXITSTATUS(status), 12);
}

static void on_signal(int signal)
{
}

TEST(clear_sighand)
{
    set_handler(SIGUSR1, SIG_IGN, 0);
    set_handler(SIGUSR2, on_signal, 0);
    struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one);
        sigaction(SIGUSR2, NULL, &two);
        _exit(one.sa_handler == SIG_IGN && two.sa_handler == SIG_DFL ? 0 : 1);
    }
    CHECK_EXIT(pid, 0);
}

TEST(pending_signals_are_not_inherited)
{
    IN_CHILD {
        sigset_t set, pending;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        raise(SIGUSR1);
        IN_CHILD {
            CHECK(sigpending(&pending) == 0);
            CHECK(!sigismember(&pending, SIGUSR1));
            CHECK(sigprocmask(SIG_BLOCK, NULL, &pending) == 0);
            CHECK(sigismember(&pending, SIGUSR1));
        }
    }
}

TEST(many_generations)
{
    for (int i = 0; i < 20; i++)
        IN_CHILD {
            IN_CHILD {
                CHECK(getpid() > 0);
            }
        }
}
