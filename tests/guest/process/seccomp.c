/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that a process puts on its own system calls. */
#include "../check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* A call that nobody serves, so that every answer but ENOSYS is the filter's. */
#define UNSERVED SYS_vserver

static int filter(int number, unsigned first_argument, unsigned action, int flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first_argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog fprog = {LENGTH(program), program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
}

static void allow_filters(void)
{
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

TEST(needs_no_new_privs)
{
    IN_CHILD {
        if (geteuid() == 0)
            CHECK(setuid(1000) == 0);
        CHECK_ERR(filter(UNSERVED, 0, SECCOMP_RET_ERRNO, 0), EACCES);
        allow_filters();
        CHECK(filter(UNSERVED, 0, SECCOMP_RET_ERRNO, 0) == 0);
        CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    }
}

TEST(refusals)
{
    IN_CHILD {
        struct sock_filter no_return[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
        struct sock_filter far_load[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_filter far_jump[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 9, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_filter packet[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_fprog bad[] = {{1, no_return}, {2, far_load}, {2, far_jump}, {2, packet}, {0, packet}};
        unsigned action = SECCOMP_RET_ERRNO, unknown = 0x12340000;
        allow_filters();
        for (size_t i = 0; i < LENGTH(bad); i++)
            CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &bad[i]), EINVAL);
        CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD_POINTER), EFAULT);
        CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, &bad[0]), EINVAL);
        CHECK_ERR(syscall(SYS_seccomp, 77, 0, NULL), EINVAL);
        CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
        CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
        CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
        CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
    }
}

TEST(errno_by_argument_and_inheritance)
{
    IN_CHILD {
        allow_filters();
        CHECK(filter(UNSERVED, 5, SECCOMP_RET_ERRNO | 77, 0) == 0);
        CHECK_ERR(syscall(UNSERVED, 5), 77);
        CHECK_ERR(syscall(UNSERVED, 6), ENOSYS);
        CHECK_ERR(syscall(UNSERVED, 5), 77);
        IN_CHILD {
            CHECK_ERR(syscall(UNSERVED, 5), 77);
            CHECK(filter(UNSERVED, 5, SECCOMP_RET_ERRNO | 78, 0) == 0);
            CHECK_ERR(syscall(UNSERVED, 5), 78);
            CHECK(filter(UNSERVED, 5, SECCOMP_RET_LOG, 0) == 0);
            CHECK_ERR(syscall(UNSERVED, 5), 78);
        }
        CHECK_ERR(syscall(UNSERVED, 5), 77);
        CHECK(filter(UNSERVED, 8, SECCOMP_RET_ERRNO, 0) == 0);
        CHECK_EQ(syscall(UNSERVED, 8), 0);
        CHECK(filter(UNSERVED, 9, SECCOMP_RET_TRACE, 0) == 0);
        CHECK_ERR(syscall(UNSERVED, 9), ENOSYS);
    }
}

static siginfo_t caught;

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
    caught = *info;
}

TEST(identity_calls_are_judged_too)
{
    IN_CHILD {
        allow_filters();
        CHECK(syscall(SYS_getpid, 5) > 0);
        CHECK(filter(SYS_getpid, 5, SECCOMP_RET_ERRNO | 44, 0) == 0);
        CHECK_ERR(syscall(SYS_getpid, 5), 44);
        CHECK(syscall(SYS_getpid, 6) > 0);
        IN_CHILD {
            CHECK_ERR(syscall(SYS_getpid, 5), 44);
        }
    }
}

TEST(trap)
{
    IN_CHILD {
        struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
        allow_filters();
        CHECK(sigaction(SIGSYS, &action, NULL) == 0);
        CHECK(filter(UNSERVED, 5, SECCOMP_RET_TRAP | 9, 0) == 0);
        syscall(UNSERVED, 5);
        CHECK_EQ(caught.si_signo, SIGSYS);
        CHECK_EQ(caught.si_code, 1);
        CHECK_EQ(caught.si_errno, 9);
        CHECK_EQ(caught.si_syscall, UNSERVED);
        CHECK_EQ(caught.si_arch, AUDIT_ARCH_X86_64);
    }
}

static pid_t child_that_calls(unsigned action)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        allow_filters();
        filter(UNSERVED, 5, action, 0);
        syscall(UNSERVED, 5);
        _exit(0);
    }
    return pid;
}

TEST(kills)
{
    CHECK_KILLED(child_that_calls(SECCOMP_RET_KILL_PROCESS), SIGSYS);
    CHECK_KILLED(child_that_calls(SECCOMP_RET_KILL_THREAD), SIGSYS);
    CHECK_KILLED(child_that_calls(SECCOMP_RET_TRAP), SIGSYS);
    CHECK_EXIT(child_that_calls(SECCOMP_RET_LOG), 0);
}

static void *call_unserved(void *arg)
{
    syscall(UNSERVED, 5);
    return arg;
}

TEST(kill_of_one_thread)
{
    IN_CHILD {
        pthread_t thread;
        allow_filters();
        CHECK(filter(UNSERVED, 5, SECCOMP_RET_KILL_THREAD, 0) == 0);
        CHECK(pthread_create(&thread, NULL, call_unserved, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

static volatile int go, seen;

static void *call_when_told(void *arg)
{
    while (!go)
        sched_yield();
    seen = syscall(UNSERVED, 5) == -1 ? errno : 0;
    return arg;
}

TEST(tsync_reaches_all_threads)
{
    IN_CHILD {
        pthread_t thread;
        allow_filters();
        CHECK(pthread_create(&thread, NULL, call_when_told, NULL) == 0);
        CHECK(filter(UNSERVED, 5, SECCOMP_RET_ERRNO | 55, SECCOMP_FILTER_FLAG_TSYNC) == 0);
        go = 1;
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_EQ(seen, 55);
    }
}

TEST(strict)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        syscall(SYS_exit, 7);
    }
    CHECK_EXIT(pid, 7);
    pid = check_fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        syscall(SYS_getppid);
        syscall(SYS_exit, 7);
    }
    CHECK_KILLED(pid, SIGKILL);
}
