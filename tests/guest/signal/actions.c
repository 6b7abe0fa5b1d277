/* SPDX-License-Identifier: Apache-2.0 */
/* sigaction(2): flags, siginfo contents, refusals, what a handler sees and what it changes. */
#include "../check.h"
#include <setjmp.h>
#include <ucontext.h>

static volatile int count, depth, deepest;
static siginfo_t last;
static sigset_t mask_inside;

static void on_info(int signal, siginfo_t *info, void *context)
{
    count++;
    last = *info;
    sigprocmask(SIG_BLOCK, NULL, &mask_inside);
}

static void on_nested(int signal)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    count++;
    if (count < 3)
        raise(signal);
    depth--;
}

static void with_info(int signal, int flags)
{
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
    count = 0;
    memset(&last, 0, sizeof last);
}

TEST(refusals)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(0, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(65, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(-1, &action, NULL), EINVAL);
    CHECK(sigaction(SIGKILL, NULL, &action) == 0);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, BAD_POINTER, NULL, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, BAD_POINTER, 8), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
    CHECK_ERR(kill(getpid(), 65), EINVAL);
    CHECK_ERR(kill(getpid(), -1), EINVAL);
    CHECK_ERR(kill(0x3fffffff, 0), ESRCH);
    CHECK_ERR(kill(INT_MIN, 0), ESRCH);
}

TEST(old_action_is_reported)
{
    struct sigaction old;
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaddset(&action.sa_mask, 64);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
    CHECK(old.sa_sigaction == on_info);
    CHECK_EQ(old.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_RESETHAND), SA_SIGINFO | SA_RESTART | SA_NODEFER);
    CHECK(sigismember(&old.sa_mask, SIGHUP) && sigismember(&old.sa_mask, 64) && !sigismember(&old.sa_mask, SIGINT));
}

TEST(info_of_kill_tkill_and_sigqueue)
{
    with_info(SIGUSR1, 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_EQ(count, 1);
    CHECK_EQ(last.si_signo, SIGUSR1);
    CHECK_EQ(last.si_code, SI_USER);
    CHECK_EQ(last.si_pid, getpid());
    CHECK_EQ(last.si_uid, getuid());
    CHECK_EQ(last.si_errno, 0);
    CHECK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1) == 0);
    CHECK_EQ(last.si_code, SI_TKILL);
    CHECK_EQ(last.si_pid, getpid());
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_ptr = (void *)0x123456789aL}) == 0);
    CHECK_EQ(last.si_code, SI_QUEUE);
    CHECK_EQ(last.si_pid, getpid());
    CHECK(last.si_value.sival_ptr == (void *)0x123456789aL);
    CHECK_EQ(count, 3);
}

TEST(mask_while_handling)
{
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};
    sigset_t after;
    sigaddset(&action.sa_mask, SIGHUP);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(sigismember(&mask_inside, SIGUSR1));
    CHECK(sigismember(&mask_inside, SIGHUP));
    CHECK(!sigismember(&mask_inside, SIGUSR2));
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK(!sigismember(&after, SIGUSR1) && !sigismember(&after, SIGHUP));
}

TEST(nodefer_nests)
{
    count = depth = deepest = 0;
    set_handler(SIGUSR1, on_nested, 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 3);
    CHECK_EQ(deepest, 1);
    count = depth = deepest = 0;
    set_handler(SIGUSR1, on_nested, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(count, 3);
    CHECK_EQ(deepest, 3);
}

TEST(resethand)
{
    struct sigaction old;
    with_info(SIGUSR1, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
    CHECK(old.sa_handler == SIG_DFL);
    IN_CHILD {
        pid_t pid = check_fork();
        if (pid == 0) {
            raise(SIGUSR1);
            _exit(0);
        }
        CHECK_KILLED(pid, SIGUSR1);
    }
}

static void change_context(int signal, siginfo_t *info, void *data)
{
    ucontext_t *context = data;
    context->uc_mcontext.gregs[REG_RAX] = 4321;
    sigaddset(&context->uc_sigmask, SIGUSR2);
}

TEST(context_is_written_back)
{
    struct sigaction action = {.sa_sigaction = change_context, .sa_flags = SA_SIGINFO};
    sigset_t mask;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1), 4321);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGUSR2));
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static sigjmp_buf back;

static void jump(int signal)
{
    siglongjmp(back, signal);
}

TEST(siglongjmp_restores_the_mask)
{
    sigset_t mask;
    set_handler(SIGUSR1, jump, 0);
    for (volatile int i = 0; i < 3; i++) {
        int got = sigsetjmp(back, 1);
        if (got == 0) {
            raise(SIGUSR1);
            CHECK(!"came here");
        }
        CHECK_EQ(got, SIGUSR1);
        sigprocmask(SIG_BLOCK, NULL, &mask);
        CHECK(!sigismember(&mask, SIGUSR1));
    }
}

TEST(vector_registers_survive)
{
    with_info(SIGUSR1, 0);
    uint64_t in[4] = {0x1111, 0x2222, 0x3333, 0x4444}, out[4];
    long pid = getpid(), tid = gettid(), result;
    __asm__ volatile("movdqu %2, %%xmm5\n\tmovdqu 16+%2, %%xmm15\n\tsyscall\n\tmovdqu %%xmm5, %1\n\tmovdqu %%xmm15, 16+%1"
                     : "=a"(result), "=m"(out)
                     : "m"(in), "a"(SYS_tgkill), "D"(pid), "S"(tid), "d"(SIGUSR1)
                     : "rcx", "r11", "memory", "xmm5", "xmm15");
    CHECK_EQ(result, 0);
    CHECK_EQ(count, 1);
    CHECK(memcmp(in, out, sizeof in) == 0);
}

TEST(ignored_and_default_ignored_signals_vanish)
{
    sigset_t pending, set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    set_handler(SIGUSR1, SIG_IGN, 0);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    set_handler(SIGUSR1, SIG_DFL, 0);
    raise(SIGUSR1);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1));
    set_handler(SIGUSR1, SIG_IGN, 0);
    sigpending(&pending);
    CHECK(!sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    int harmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
    for (size_t i = 0; i < LENGTH(harmless); i++)
        CHECK(raise(harmless[i]) == 0);
}
