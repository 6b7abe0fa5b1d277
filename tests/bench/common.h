/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations of micro.c share. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *program;

static void must(int true_, const char *what)
{
    if (!true_) {
        perror(what);
        exit(1);
    }
}

static long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void reap(pid_t pid)
{
    int status;

    must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
}

#endif
