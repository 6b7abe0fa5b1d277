/* SPDX-License-Identifier: Apache-2.0 */
/* One system call an operation: identity, files, signals, time. */
#include "common.h"

#define TMPFS_FILE "/dev/shm/runsc-bench"

static void do_umask(void)
{
    umask(022);
}

static void do_getpid(void)
{
    syscall(SYS_getpid);
}

static void do_getppid(void)
{
    syscall(SYS_getppid);
}

static void do_getuid(void)
{
    syscall(SYS_getuid);
}

static void compute_ns(long ns)
{
    long end = now_ns() + ns;

    while (now_ns() < end)
        ;
}

static void do_umask_30(void)
{
    compute_ns(30000);
    umask(022);
}

static void do_umask_200(void)
{
    compute_ns(200000);
    umask(022);
}

static void do_stat(void)
{
    struct stat st;

    must(stat("/etc/passwd", &st) == 0, "stat");
}

static void do_open(void)
{
    int fd = open("/etc/passwd", O_RDONLY);

    must(fd >= 0 && close(fd) == 0, "open");
}

static void do_read(void)
{
    static int fd = -1;
    static char buffer[4096];

    if (fd < 0)
        fd = open(program, O_RDONLY);
    must(pread(fd, buffer, sizeof(buffer), 4096) == sizeof(buffer), "pread");
}

/* A file in a tmpfs, 4 KiB long, removed at once unless its name is needed. */
static int tmpfs_file(int keeps_name)
{
    static char buffer[4096];
    int fd = open(TMPFS_FILE, O_RDWR | O_CREAT, 0600);

    must(fd >= 0 && write(fd, buffer, sizeof(buffer)) == sizeof(buffer), TMPFS_FILE);
    if (!keeps_name)
        unlink(TMPFS_FILE);
    return fd;
}

static void do_tmpfs_read(void)
{
    static int fd = -1;
    static char buffer[4096];

    if (fd < 0)
        fd = tmpfs_file(0);
    must(pread(fd, buffer, sizeof(buffer), 0) == sizeof(buffer), "pread");
}

static void do_tmpfs_write(void)
{
    static int fd = -1;
    static char buffer[4096];

    if (fd < 0)
        fd = tmpfs_file(0);
    must(pwrite(fd, buffer, sizeof(buffer), 0) == sizeof(buffer), "pwrite");
}

static void do_tmpfs_stat(void)
{
    static int fd = -1;
    struct stat st;

    if (fd < 0)
        fd = tmpfs_file(1);
    must(stat(TMPFS_FILE, &st) == 0, "stat");
}

static void do_tmpfs_open(void)
{
    static int fd = -1;
    int again;

    if (fd < 0)
        fd = tmpfs_file(1);
    again = open(TMPFS_FILE, O_RDONLY);
    must(again >= 0 && close(again) == 0, "open");
}

static void do_epoll(void)
{
    static int epoll = -1;
    struct epoll_event event = { .events = EPOLLIN };

    if (epoll < 0) {
        int fd = eventfd(1, 0);

        epoll = epoll_create1(0);
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
    must(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
}

static void take_note(int signo)
{
    (void)signo;
}

static void do_signal(void)
{
    static int is_set;

    if (!is_set++)
        signal(SIGUSR1, take_note);
    must(raise(SIGUSR1) == 0, "raise");
}

static void do_nanosleep(void)
{
    struct timespec t = { .tv_nsec = 50000 };

    nanosleep(&t, NULL);
}
