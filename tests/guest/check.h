/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of every guest program: TEST bodies run in the order of the file, each with "ok name", and "PASS" last.
 * One failed CHECK prints where and why and ends the program with status 1.
 *
 *   program              runs all tests
 *   program name...      runs only these
 *   program --list       prints the names
 *   program @name ...    runs the body of PROGRAM(name), also by CHECK_PROGRAM=@name; that is how a test executes itself
 *
 * With `#define CHECK_SCRATCH` before the include, each test starts in an empty directory of its own, in /tmp or in the directory
 * that the environment names in CHECK_DIR.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Opaque, so that the compiler does not argue with abuse. */
#define BAD_POINTER (check_opaque((void *)8))
#define PAGE 4096UL
#define MS 1000000LL
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void check_failed(const char *file, int line, const char *text, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

#define CHECK(cond) \
    do { \
        if (!(cond)) \
            check_failed(__FILE__, __LINE__, #cond, "errno %d (%s)", errno, strerror(errno)); \
    } while (0)

/* Two integers are equal; prints both when not. */
#define CHECK_EQ(got, want) \
    do { \
        long long got_ = (long long)(got), want_ = (long long)(want); \
        if (got_ != want_) \
            check_failed(__FILE__, __LINE__, #got " == " #want, "%lld (0x%llx) != %lld (0x%llx), errno %d (%s)", \
                         got_, (unsigned long long)got_, want_, (unsigned long long)want_, errno, strerror(errno)); \
    } while (0)

/* The call returns -1 and sets exactly this errno. */
#define CHECK_ERR(call, want) \
    do { \
        errno = 0; \
        long long got_ = (long long)(call); \
        int err_ = errno; \
        if (got_ != -1 || err_ != (want)) \
            check_failed(__FILE__, __LINE__, #call, "returned %lld with errno %d (%s), wanted -1 with %d (%s)", got_, err_, \
                         strerror(err_), (want), strerror(want)); \
    } while (0)

static inline void *check_opaque(void *pointer)
{
    __asm__("" : "+r"(pointer));
    return pointer;
}

struct check_entry {
    const char *name;
    int line;
    void (*test)(void);
    void (*program)(int argc, char **argv);
};

static struct check_entry check_entries[128];
static int check_count;
static const char *check_skipped;
static char check_self[PATH_MAX];

#define TEST(name) \
    static void test_##name(void); \
    __attribute__((constructor)) static void enter_##name(void) \
    { \
        check_enter((struct check_entry){#name, __LINE__, test_##name, NULL}); \
    } \
    static void test_##name(void)

#define PROGRAM(name) \
    static void program_##name(int argc, char **argv); \
    __attribute__((constructor)) static void enter_program_##name(void) \
    { \
        check_enter((struct check_entry){"@" #name, __LINE__, NULL, program_##name}); \
    } \
    static void program_##name(int argc, char **argv)

/* Leaves a TEST body because the surroundings do not allow it; never because an answer was wrong. */
#define SKIP(why) \
    do { \
        check_skipped = (why); \
        return; \
    } while (0)

/* IN_CHILD { ... } runs the block in a forked child, which must come to its end. */
#define IN_CHILD for (int in_child_ = check_child_begin(__FILE__, __LINE__); in_child_; check_child_end())

#define CHECK_EXIT(pid, want) \
    do { \
        int status_ = wait_status(pid); \
        if (!WIFEXITED(status_) || WEXITSTATUS(status_) != (want)) \
            check_failed(__FILE__, __LINE__, "exit of " #pid, "wait status 0x%x, wanted exit %d", status_, (want)); \
    } while (0)

#define CHECK_KILLED(pid, want) \
    do { \
        int status_ = wait_status(pid); \
        if (!WIFSIGNALED(status_) || WTERMSIG(status_) != (want)) \
            check_failed(__FILE__, __LINE__, "end of " #pid, "wait status 0x%x, wanted signal %d", status_, (want)); \
    } while (0)

static inline void check_enter(struct check_entry entry)
{
    int i = check_count++;
    for (; i > 0 && check_entries[i - 1].line > entry.line; i--)
        check_entries[i] = check_entries[i - 1];
    check_entries[i] = entry;
}

static void check_failed(const char *file, int line, const char *text, const char *format, ...)
{
    char buffer[1024];
    int n = snprintf(buffer, sizeof buffer, "FAILED %s:%d: %s: ", file, line, text);
    va_list args;
    va_start(args, format);
    if (n < (int)sizeof buffer - 2)
        n += vsnprintf(buffer + n, sizeof buffer - n - 1, format, args);
    va_end(args);
    if (n > (int)sizeof buffer - 2)
        n = sizeof buffer - 2;
    buffer[n++] = '\n';
    (void)!write(1, buffer, n);
    _exit(1);
}

static inline int wait_status(pid_t pid)
{
    int status = 0;
    pid_t got;
    while ((got = waitpid(pid, &status, 0)) == -1 && errno == EINTR)
        ;
    CHECK_EQ(got, pid);
    return status;
}

/* fork with an alarm in the child, since alarms are not inherited. */
static inline pid_t check_fork(void)
{
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        alarm(20);
    return pid;
}

static inline int check_child_begin(const char *file, int line)
{
    pid_t pid = check_fork();
    if (pid == 0)
        return 1;
    int status = wait_status(pid);
    if (status != 0)
        check_failed(file, line, "child", "ended with wait status 0x%x", status);
    return 0;
}

static inline void check_child_end(void)
{
    fflush(stdout);
    _exit(0);
}

static inline long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

/* The state letter of a task in /proc, 0 when it is gone. */
static inline char task_state(pid_t tid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0)
        return 0;
    line[n] = 0;
    char *end = strrchr(line, ')');
    return end ? end[2] : 0;
}

/* Waits until the task sleeps in a call; at most 200 ms, since a kernel may not know of a sleep in a futex. */
static inline void wait_asleep(pid_t tid)
{
    for (int i = 0; i < 40 && task_state(tid) != 'S'; i++)
        sleep_ms(5);
    sleep_ms(5);
}

static inline void set_handler(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    CHECK(close(fd) == 0);
}

/* The whole of a small file as a string, in one static buffer. */
static inline char *read_file(const char *path)
{
    static char text[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        check_failed(__FILE__, __LINE__, path, "open: %s", strerror(errno));
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += got;
    close(fd);
    text[n] = 0;
    return text;
}

static inline void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char child[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(child, sizeof child, "%s/%s", path, entry->d_name) >= (int)sizeof child)
            continue;
        if (unlink(child) == -1 && (errno == EISDIR || errno == EPERM))
            remove_tree(child);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static inline void run_test(const struct check_entry *entry)
{
#ifdef CHECK_SCRATCH
    char scratch[PATH_MAX];
    const char *parent = getenv("CHECK_DIR");
    snprintf(scratch, sizeof scratch, "%s/check.XXXXXX", parent ? parent : "/tmp");
    CHECK(mkdtemp(scratch) != NULL);
    CHECK(chmod(scratch, 0755) == 0);
    CHECK(chdir(scratch) == 0);
#endif
    check_skipped = NULL;
    entry->test();
#ifdef CHECK_SCRATCH
    CHECK(chdir("/") == 0);
    remove_tree(scratch);
#endif
    if (check_skipped)
        printf("skip %s: %s\n", entry->name, check_skipped);
    else
        printf("ok %s\n", entry->name);
}

#ifndef CHECK_OWN_MAIN
int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *program = getenv("CHECK_PROGRAM");
    if (argc > 1 && argv[1][0] == '@')
        program = argv[1];
    if (program) {
        for (int i = 0; i < check_count; i++)
            if (strcmp(check_entries[i].name, program) == 0) {
                check_entries[i].program(argc, argv);
                fflush(stdout);
                _exit(0);
            }
        _exit(126);
    }
    alarm(30);
    umask(022);
    if (!realpath(argv[0], check_self))
        snprintf(check_self, sizeof check_self, "/proc/self/exe");
    for (int i = 0; i < check_count; i++) {
        int wanted = argc < 2;
        for (int j = 1; j < argc; j++)
            wanted |= strcmp(argv[j], check_entries[i].name) == 0;
        if (!check_entries[i].test)
            continue;
        if (argc > 1 && strcmp(argv[1], "--list") == 0)
            puts(check_entries[i].name);
        else if (wanted)
            run_test(&check_entries[i]);
    }
    if (argc < 2 || argv[1][0] != '-')
        puts("PASS");
    return 0;
}
#endif
#endif
