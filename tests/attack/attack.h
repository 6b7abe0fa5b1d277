/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every attack uses: the shim's own gadgets, called with registers of our choice, in a child that may die of it.
 *
 * Each attack prints one line, "ok NAME: what happened"; one that succeeds prints "FAIL" and the program ends with status 1.
 * These programs run as guests only: natively there is no shim to jump into.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi.h"
#include "shim_symbols.h"

#define SURVIVED 77                     /* status of a child that is still there after its attack */
#define PAGE 4096UL
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CONTEXT ((struct context *)CTX_BASE)

static int failures;

/* The `syscall; ret` of the shim's host_call, as a guest finds it. */
static long jump(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;

    asm volatile("sub $256, %%rsp\n\t"
                 "lea 1f(%%rip), %%rbx\n\t"
                 "push %%rbx\n\t"
                 "movabs %[gadget], %%rbx\n\t"
                 "jmp *%%rbx\n"
                 "1:\tadd $256, %%rsp"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9), [gadget] "i"(SHIM_site_host_call)
                 : "rcx", "r11", "rbx", "memory", "cc");
    return result;
}

static void verdict(int held, const char *name, const char *format, long value)
{
    printf("%s %s: ", held ? "ok" : "FAIL", name);
    printf(format, value);
    printf("\n");
    fflush(stdout);
    failures += !held;
}

/* Runs body(argument) in a child; its wait status. */
static int in_child(void (*body)(const void *), const void *argument)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        body(argument);
        _exit(SURVIVED);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("child");
        exit(2);
    }
    return status;
}

static inline int survived(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED;
}

/* The attack must cost its process its life. */
static inline void must_kill(const char *name, void (*body)(const void *))
{
    int status = in_child(body, NULL);

    verdict(WIFSIGNALED(status), name, "wait status %#lx", status);
}

/* The attack may go on, and must end with this exit status: what it can do harms nobody else. */
static inline void must_be_harmless(const char *name, void (*body)(const void *), int exit_status)
{
    int status = in_child(body, NULL);

    verdict(WIFEXITED(status) && WEXITSTATUS(status) == exit_status, name, "wait status %#lx", status);
}

/* Whatever it does to itself, it may not outlive a SIGKILL, and the parent must hear of its end. */
static inline void must_end(const char *name, void (*body)(const void *))
{
    int status = 0, gone = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        body(NULL);
        _exit(SURVIVED);
    }
    for (int i = 0; i < 100 && !gone; i++) {
        usleep(10000);
        gone = waitpid(child, &status, WNOHANG);
    }
    if (!gone) {
        kill(child, SIGKILL);
        gone = waitpid(child, &status, 0);
    }
    verdict(gone == child, name, gone == child ? "wait status %#lx" : "no wait status: error %ld", gone == child ? status : errno);
}

struct call {
    const char *name;
    long number, args[6];
};

static inline void make_call(const void *argument)
{
    const struct call *call = argument;
    const long *a = call->args;

    printf("   %s: host answered %ld\n", call->name, jump(call->number, a[0], a[1], a[2], a[3], a[4], a[5]));
    fflush(stdout);
}

static inline int finish(void)
{
    puts(failures ? "FAILED" : "PASS");
    return failures != 0;
}

#endif
