/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and processes that nobody ordered, and the theft of somebody else's child. */
#include "attack.h"

/* clone words that the filter must not let pass, with what they would give */
static const struct call refused[] = {
    {"fork that shares descriptors", SYS_clone, {FORK_FLAGS | 0x400}},
    {"fork without CLONE_PARENT", SYS_clone, {17}},
    {"thread with a parent tid", SYS_clone, {THREAD_FLAGS, 0, 0x1000}},
    {"thread with CLONE_SETTLS", SYS_clone, {THREAD_FLAGS | 0x80000}},
    {"clone with flags in the high half", SYS_clone, {0x100000000 | FORK_FLAGS}},
    {"fork into a new namespace", SYS_clone, {FORK_FLAGS | 0x20000000}},
    {"clone3", SYS_clone3, {0, 88}},
    {"vfork", SYS_vfork, {0}},
    {"fork", SYS_fork, {0}},
    {"fork word without an order", SYS_clone, {FORK_FLAGS}},
    {"execve", SYS_execve, {0, 0, 0}},
    {"execveat", SYS_execveat, {FD_CONTEXTS, 0, 0, 0, 0x1000}},
    {"unshare", SYS_unshare, {0x20000000}},
    {"setns", SYS_setns, {3, 0}},
    {"ptrace", SYS_ptrace, {0}},
    {"tgkill of the sentry", SYS_tgkill, {1, 1, 9}},
    {"kill of everybody", SYS_kill, {-1, 9}},
    {"pidfd_getfd", SYS_pidfd_getfd, {3, 3, 0}},
    {"seccomp", SYS_seccomp, {1, 0, 0}},
    {"prctl", SYS_prctl, {38, 1}},
    {"rt_sigaction", SYS_rt_sigaction, {11, 0, 0, 8}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, {0, 0, 0, 8}},
    {"rt_sigreturn", SYS_rt_sigreturn, {0}},
    {"ioctl on descriptor 3", SYS_ioctl, {3, 0xc0182101}},
    {"futex REQUEUE without an order", SYS_futex, {0x10000000, 3, 1, 1, 0x10000000}},
    {"futex LOCK_PI", SYS_futex, {0x10000000, 6}},
    {"membarrier of another kind", SYS_membarrier, {1 << 3}},
    {"read of descriptor 3", SYS_read, {3, 0x10000000, 10}},
    {"pread64 without an order", SYS_pread64, {8, 0x10000000, 10, 0}},
};

/* The thread word is open to all: such a thread is unbound, and its first trapped call ends its process. */
static void unordered_thread(const void *unused)
{
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    register long r10 asm("r10") = 0;
    register long r8 asm("r8") = 0;
    long result;

    (void)unused;
    *(void **)(stack + 65464) = &&child;
    asm volatile goto("lea 1f(%%rip), %%rbx\n\tpush %%rbx\n\tmovabs %[gadget], %%rbx\n\tjmp *%%rbx\n1:"
                      : : "a"((long)SYS_clone), "D"((long)THREAD_FLAGS), "S"(stack + 65464), "d"(0L), "r"(r10), "r"(r8),
                          [gadget] "i"(SHIM_site_host_call)
                      : "rcx", "r11", "rbx", "memory", "cc" : child);
    for (volatile long i = 0; i < 2000000000; i++)
        ;
    _exit(1);
child:
    for (;;)
        result = jump(NR_BELL, 1, K_SYSCALL, 0, 0, 0, 0);
    (void)result;
}

/* A process that fights for the children of another one: it makes its own and lets them say hello at random. */
static void thief(const void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++)
        if (jump(SYS_clone, FORK_FLAGS, 0, 0, 0, 0, 0) == 0)
            jump(NR_HELLO, rand(), 0, 0, 0, 0, 0);
}

static void steal_children(void)
{
    int stolen = 0, status;

    for (int i = 0; i < 50; i++) {
        fflush(stdout);
        pid_t rogue = fork();
        if (rogue == 0) {
            thief(NULL);
            _exit(0);
        }
        pid_t mine = fork();
        if (mine == 0)
            _exit(1);
        waitpid(mine, &status, 0);
        stolen += !WIFEXITED(status) || WEXITSTATUS(status) != 1;
        waitpid(rogue, &status, 0);
    }
    verdict(stolen == 0, "children of another process", "%ld of 50 lost", stolen);
}

int main(void)
{
    for (unsigned i = 0; i < LENGTH(refused); i++) {
        int status = in_child(make_call, &refused[i]);
        verdict(!survived(status) && WIFSIGNALED(status), refused[i].name, "wait status %#lx", status);
    }
    must_kill("unordered thread that rings", unordered_thread);
    steal_children();
    return finish();
}
