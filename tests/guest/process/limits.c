/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits and what enforces them; usage and times. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/times.h>

TEST(get_and_set)
{
    struct rlimit limit;
    for (int resource = 0; resource < 16; resource++)
        CHECK(getrlimit(resource, &limit) == 0);
    CHECK_ERR(getrlimit(16, &limit), EINVAL);
    CHECK_ERR(getrlimit(-1, &limit), EINVAL);
    CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_NOFILE, BAD_POINTER), EFAULT);
    CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_NOFILE, BAD_POINTER), EFAULT);
    limit = (struct rlimit){10, 5};
    CHECK_ERR(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    IN_CHILD {
        CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
        limit.rlim_cur = 0;
        CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
        CHECK(prlimit(0, RLIMIT_CORE, NULL, &limit) == 0);
        CHECK_EQ(limit.rlim_cur, 0);
        IN_CHILD {
            CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
            CHECK_EQ(limit.rlim_cur, 0);
        }
        struct rlimit lower = {5, 5}, higher = {5, 6};
        if (geteuid() == 0)
            CHECK(setuid(1000) == 0);
        CHECK(setrlimit(RLIMIT_MSGQUEUE, &lower) == 0);
        CHECK_ERR(setrlimit(RLIMIT_MSGQUEUE, &higher), EPERM);
    }
}

TEST(prlimit_of_others)
{
    struct rlimit old, limit = {64, 64};
    pid_t pid = check_fork();
    if (pid == 0) {
        do
            getrlimit(RLIMIT_NOFILE, &old);
        while (old.rlim_cur != 64);
        _exit(0);
    }
    CHECK(prlimit(pid, RLIMIT_NOFILE, &limit, &old) == 0);
    CHECK(old.rlim_cur != 64);
    CHECK_EXIT(pid, 0);
    CHECK_ERR(prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
    CHECK_ERR(prlimit(0, 99, NULL, &old), EINVAL);
}

TEST(open_files)
{
    IN_CHILD {
        struct rlimit limit = {16, 16};
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int fd, last = -1;
        while ((fd = dup(0)) >= 0 || (fd = open("/dev/null", O_RDONLY)) >= 0)
            last = fd;
        CHECK_EQ(last, 15);
        CHECK_ERR(dup(0), EMFILE);
        CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
        CHECK_ERR(dup2(0, 16), EBADF);
        CHECK_ERR(fcntl(0, F_DUPFD, 16), EINVAL);
        int ends[2] = {-7, -7};
        CHECK_ERR(pipe(ends), EMFILE);
        close(15);
        CHECK_ERR(pipe(ends), EMFILE);
        CHECK_EQ(ends[0], -7);
        CHECK_EQ(dup2(0, 15), 15);
        CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
    }
}

static volatile int got;

static void on_signal(int signal)
{
    got = signal;
}

TEST(file_size)
{
    IN_CHILD {
        struct rlimit limit = {1000, 1000};
        char buffer[600] = {0};
        set_handler(SIGXFSZ, on_signal, 0);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        int fd = open("file", O_RDWR | O_CREAT, 0644);
        CHECK_EQ(write(fd, buffer, 600), 600);
        CHECK_EQ(write(fd, buffer, 600), 400);
        CHECK_EQ(got, 0);
        CHECK_ERR(write(fd, buffer, 1), EFBIG);
        CHECK_EQ(got, SIGXFSZ);
        got = 0;
        CHECK_ERR(ftruncate(fd, 1001), EFBIG);
        CHECK_EQ(got, SIGXFSZ);
        CHECK(ftruncate(fd, 1000) == 0);
        CHECK_EQ(pwrite(fd, buffer, 10, 995), 5);
        int ends[2];
        CHECK(pipe(ends) == 0);
        CHECK_EQ(write(ends[1], buffer, 600), 600);
        CHECK_EQ(write(ends[1], buffer, 600), 600);
    }
    pid_t pid = check_fork();
    if (pid == 0) {
        struct rlimit limit = {0, 0};
        setrlimit(RLIMIT_FSIZE, &limit);
        int fd = open("file", O_WRONLY);
        (void)!pwrite(fd, "x", 1, 5000);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGXFSZ);
}

TEST(processes)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        struct rlimit limit = {1, 1};
        CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        CHECK(setresuid(54321, 54321, 54321) == 0);
        CHECK_ERR(fork(), EAGAIN);
    }
}

TEST(address_space)
{
    IN_CHILD {
        struct rlimit limit = {256 << 20, RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        CHECK(mmap(NULL, 512 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
        CHECK(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    }
}

TEST(processor_time)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        struct rlimit limit = {1, 2};
        set_handler(SIGXCPU, SIG_DFL, 0);
        setrlimit(RLIMIT_CPU, &limit);
        for (;;)
            ;
    }
    CHECK_KILLED(pid, SIGXCPU);
}

TEST(usage_and_times)
{
    struct rusage usage;
    struct tms times_buffer;
    long long until = now_ns() + 5000 * MS;
    do
        CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    while (usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec <= 30000 && now_ns() < until);
    CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 20000);
    CHECK(usage.ru_maxrss > 100);
    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    CHECK_ERR(getrusage(99, &usage), EINVAL);
    CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, BAD_POINTER), EFAULT);
    CHECK(times(&times_buffer) > 0);
    CHECK(times_buffer.tms_utime + times_buffer.tms_stime >= 2);
    CHECK(syscall(SYS_times, NULL) > 0);
    CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
}
