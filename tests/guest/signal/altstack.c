/* SPDX-License-Identifier: Apache-2.0 */
/* sigaltstack(2): which stack handlers run on, nesting, stack overflow handled. */
#include "../check.h"
#include <setjmp.h>
#include <sys/auxv.h>

static char alternate[65536], second[65536];
static volatile int was_on, flags_inside, change_errno;
static sigjmp_buf back;

static int on_stack(const void *address, const char *stack)
{
    return (const char *)address >= stack && (const char *)address < stack + sizeof alternate;
}

static void look(int signal)
{
    int local;
    stack_t now;
    was_on = on_stack(&local, alternate);
    sigaltstack(NULL, &now);
    flags_inside = now.ss_flags;
    stack_t other = {.ss_sp = second, .ss_size = sizeof second};
    change_errno = sigaltstack(&other, NULL) == -1 ? errno : 0;
}

static void set_alternate(int flags)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = flags};
    CHECK(sigaltstack(&stack, NULL) == 0);
}

TEST(set_and_get)
{
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK_EQ(stack.ss_flags, SS_DISABLE);
    set_alternate(0);
    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK(stack.ss_sp == alternate && stack.ss_size == sizeof alternate && stack.ss_flags == 0);
    stack.ss_flags = 4;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    stack = (stack_t){.ss_sp = alternate, .ss_size = 100};
    CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
    CHECK_ERR(syscall(SYS_sigaltstack, BAD_POINTER, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_sigaltstack, NULL, BAD_POINTER), EFAULT);
    CHECK(getauxval(AT_MINSIGSTKSZ) > 500);
}

TEST(handlers_run_on_it_when_asked)
{
    set_alternate(0);
    set_handler(SIGUSR1, look, 0);
    raise(SIGUSR1);
    CHECK_EQ(was_on, 0);
    set_handler(SIGUSR1, look, SA_ONSTACK);
    set_alternate(0);
    raise(SIGUSR1);
    CHECK_EQ(was_on, 1);
    CHECK_EQ(flags_inside, SS_ONSTACK);
    CHECK_EQ(change_errno, EPERM);
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK_EQ(stack.ss_flags, 0);
}

TEST(disabled)
{
    stack_t stack = {.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&stack, NULL) == 0);
    set_handler(SIGUSR1, look, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(was_on, 0);
}

static volatile int nested_on;

static void inner(int signal)
{
    int local;
    nested_on = on_stack(&local, alternate);
}

static void outer(int signal)
{
    volatile char filler[1000];
    memset((void *)filler, 0x5a, sizeof filler);
    raise(SIGUSR2);
    for (size_t i = 0; i < sizeof filler; i++)
        CHECK_EQ(filler[i], 0x5a);
}

TEST(nested_handlers_continue_on_it)
{
    set_alternate(0);
    set_handler(SIGUSR1, outer, SA_ONSTACK);
    set_handler(SIGUSR2, inner, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(nested_on, 1);
    set_handler(SIGUSR2, inner, 0);
    raise(SIGUSR1);
    CHECK_EQ(nested_on, 1);
}

TEST(autodisarm)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = 1U << 31};
    CHECK(sigaltstack(&stack, NULL) == 0);
    set_handler(SIGUSR1, look, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(was_on, 1);
    CHECK_EQ(flags_inside, SS_DISABLE);
    CHECK_EQ(change_errno, 0);
    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK(stack.ss_sp == alternate);
}

static void overflowed(int signal, siginfo_t *info, void *context)
{
    int local;
    siglongjmp(back, on_stack(&local, alternate) ? 1 : 2);
}

static __attribute__((noinline)) int overflow(int n)
{
    volatile char space[4096];
    space[n & 4095] = n;
    return n < 0 ? 0 : overflow(n + 1) + space[n & 4095];
}

TEST(stack_overflow_is_survived)
{
    IN_CHILD {
        struct rlimit limit = {1 << 20, RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
        set_alternate(0);
        struct sigaction action = {.sa_sigaction = overflowed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
        for (volatile int i = 0; i < 3; i++) {
            int got = sigsetjmp(back, 1);
            if (got == 0)
                overflow(0);
            CHECK_EQ(got, 1);
        }
    }
    pid_t pid = check_fork();
    if (pid == 0) {
        stack_t stack = {.ss_flags = SS_DISABLE};
        struct sigaction action = {.sa_sigaction = overflowed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigaltstack(&stack, NULL);
        sigaction(SIGSEGV, &action, NULL);
        overflow(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
}

static void *thread_stack(void *arg)
{
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK_EQ(stack.ss_flags, SS_DISABLE);
    return NULL;
}

TEST(threads_start_without_one)
{
    pthread_t thread;
    set_alternate(0);
    CHECK(pthread_create(&thread, NULL, thread_stack, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    IN_CHILD {
        stack_t stack;
        CHECK(sigaltstack(NULL, &stack) == 0);
        CHECK(stack.ss_sp == alternate);
    }
}
