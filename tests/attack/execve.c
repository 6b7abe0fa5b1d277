/* SPDX-License-Identifier: Apache-2.0 */
/* A program prepares the stub for the one that comes after it by execve: it must not deceive one that has more privileges, nor leave
   its own secrets to one that has less; and what it wrote there must not harm the kernel. */
#include <fcntl.h>
#include <sys/stat.h>

#include "attack.h"

#define FORGED 0xabcd
#define SECRET "a secret that was written by root"
#define USER 1000

static char self[] = "/proc/self/exe", copy[] = "/tmp/set-user-id";

static char *const clean[] = {NULL};

static void run(const char *path, char *what)
{
    char *argv[] = {(char *)path, what, NULL};
    execve(path, argv, clean);
    _exit(2);
}

/* All of the context but what the way into execve needs. */
static void forge(void)
{
    for (int i = 0; i < NR_IDS; i++)
        CONTEXT->ids[i] = FORGED;
    CONTEXT->mask = ~0UL;
    CONTEXT->mask_is_local = 1;
    CONTEXT->robust_list = 0x7ffffffff000;
    CONTEXT->interrupted = CONTEXT->site_hits = FORGED;
    CONTEXT->clear_tid = CONTEXT->nonce = CONTEXT->child = ~0UL;
}

/* What the next program sees; an exit status. */
static int look(void)
{
    uint64_t mask = 0;
    int raised = geteuid() != getuid();

    if (syscall(SYS_getuid) == FORGED || syscall(SYS_getpid) == FORGED || syscall(SYS_getegid) == FORGED)
        return 3;
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8) || (mask && raised))
        return 4;                       /* an equal could have blocked signals as well */
    return raised && geteuid() == 0 && getuid() == USER ? 100 : 101;
}

static void for_more_privileges(const void *unused)
{
    (void)unused;
    if (setuid(USER))
        _exit(2);
    forge();
    run(copy, "look");
}

static void for_the_same(const void *unused)
{
    (void)unused;
    forge();
    run(self, "look");
}

/* Is the text anywhere among the shim's data? */
static int leaked(void)
{
    const char *slot = (const char *)CTX_BASE;

    for (unsigned long at = 0; at + sizeof SECRET < SLOT; at++)
        if (slot[at] == SECRET[0] && memcmp(slot + at, SECRET, sizeof SECRET - 1) == 0)
            return 5;
    return 100;
}

static void leave_a_secret(const void *drops)
{
    int fd = open("/tmp/secret", O_RDWR | O_CREAT, 0600);

    for (int i = 0; i < 100; i++)
        if (pwrite(fd, SECRET, sizeof SECRET, 0) < 0)
            _exit(2);
    close(fd);
    if (drops && setuid(USER))
        _exit(2);
    run(self, "leaked");
}

/* The mask is what the guest says; a number of them, while signals come. */
static void noise_in_the_mask(const void *unused)
{
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        CONTEXT->mask = 1UL << (i % 64);
        CONTEXT->mask_changed = i;
        CONTEXT->mask_is_local = i / 3;
        if (i % 16 == 0)
            kill(getpid(), SIGWINCH);
        getpgrp();
    }
}

static void expect(const char *name, void (*body)(const void *), const void *argument, int status)
{
    int got = in_child(body, argument);

    verdict(WIFEXITED(got) && WEXITSTATUS(got) == status, name, "status %#lx", got);
}

static int copy_with_set_user_id(void)
{
    static char bytes[1 << 22];
    int from = open(self, O_RDONLY), to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t size = read(from, bytes, sizeof bytes);

    if (size <= 0 || size == sizeof bytes || write(to, bytes, size) != size || fchmod(to, 04755))
        return 0;
    close(from);
    close(to);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "look") == 0 ? look() : leaked();
    if (getuid() != 0 || !copy_with_set_user_id()) {
        perror("set-user-ID program");
        return 2;
    }
    expect("a context prepared for more privileges", for_more_privileges, NULL, 100);
    expect("a context prepared for the same", for_the_same, NULL, 101);
    expect("a secret before the privileges went", leave_a_secret, "", 100);
    expect("a secret left to an equal", leave_a_secret, NULL, 100);
    expect("noise in the mask", noise_in_the_mask, NULL, SURVIVED);
    return finish();
}
