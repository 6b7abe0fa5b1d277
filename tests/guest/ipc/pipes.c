/* SPDX-License-Identifier: Apache-2.0 */
/* pipe(2), fifo(7): capacity, atomic writes, end of file, SIGPIPE, packets, non-blocking ends. */
#define CHECK_SCRATCH
#include "../check.h"

static volatile int broken;

static void on_pipe(int signal)
{
    broken++;
}

TEST(flags_and_refusals)
{
    int ends[2] = {-7, -7};
    CHECK_ERR(pipe2(ends, 0x100000), EINVAL);
    CHECK_EQ(ends[0], -7);
    CHECK_ERR(syscall(SYS_pipe, BAD_POINTER), EFAULT);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
    char c;
    CHECK_ERR(read(ends[1], &c, 1), EBADF);
    CHECK_ERR(write(ends[0], &c, 1), EBADF);
    CHECK_ERR(read(ends[0], &c, 1), EAGAIN);
    CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    CHECK_EQ(write(ends[1], "", 0), 0);
    struct stat st;
    CHECK(fstat(ends[0], &st) == 0);
    CHECK(S_ISFIFO(st.st_mode));
    close(ends[0]), close(ends[1]);
}

TEST(end_of_file_and_sigpipe)
{
    int ends[2];
    char buffer[8];
    CHECK(pipe(ends) == 0);
    CHECK_EQ(write(ends[1], "left", 4), 4);
    close(ends[1]);
    CHECK_EQ(read(ends[0], buffer, 8), 4);
    CHECK_EQ(read(ends[0], buffer, 8), 0);
    close(ends[0]);
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    set_handler(SIGPIPE, on_pipe, 0);
    broken = 0;
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(broken, 1);
    set_handler(SIGPIPE, SIG_IGN, 0);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    set_handler(SIGPIPE, SIG_DFL, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGPIPE);
    close(ends[1]);
}

TEST(capacity)
{
    int ends[2], pending;
    static char block[PAGE];
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
    for (int i = 0; i < 16; i++)
        CHECK_EQ(write(ends[1], block, PAGE), PAGE);
    CHECK_ERR(write(ends[1], "x", 1), EAGAIN);
    CHECK(ioctl(ends[0], FIONREAD, &pending) == 0);
    CHECK_EQ(pending, 65536);
    CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, PAGE), EBUSY);
    CHECK_EQ(read(ends[0], block, PAGE), PAGE);
    CHECK_EQ(write(ends[1], block, 100), 100);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 100000), 131072);
    CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 131072);
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, -1), EINVAL);
    CHECK_EQ(write(ends[1], block, PAGE), PAGE);
    int file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_ERR(fcntl(file, F_GETPIPE_SZ), EBADF);
    close(ends[0]), close(ends[1]), close(file);
}

TEST(atomic_writes)
{
    int ends[2];
    static char block[65536];
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK_EQ(write(ends[1], block, 65536 - 100), 65536 - 100);
    ssize_t n = write(ends[1], block, 4000);
    CHECK(n == -1 || n == 4000);
    while (read(ends[0], block, sizeof block) > 0)
        ;
    CHECK_EQ(write(ends[1], block, 60000), 60000);
    n = write(ends[1], block, 30000);
    CHECK(n > 0 && n <= 5536);
    close(ends[0]), close(ends[1]);
    CHECK(pipe(ends) == 0);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = check_fork();
        if (pids[i] == 0) {
            char record[512];
            memset(record, 'a' + i, sizeof record);
            for (int j = 0; j < 200; j++)
                CHECK_EQ(write(ends[1], record, sizeof record), sizeof record);
            _exit(0);
        }
    }
    close(ends[1]);
    char record[512];
    int records = 0;
    for (size_t got;; records++) {
        for (got = 0; got < sizeof record; got += n)
            if ((n = read(ends[0], record + got, sizeof record - got)) <= 0)
                break;
        if (got == 0)
            break;
        for (size_t i = 1; i < sizeof record; i++)
            CHECK_EQ(record[i], record[0]);
    }
    CHECK_EQ(records, 800);
    for (int i = 0; i < 4; i++)
        CHECK_EXIT(pids[i], 0);
    close(ends[0]);
}

TEST(blocking_writer_continues)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        char *data = malloc(200000);
        memset(data, 'd', 200000);
        CHECK_EQ(write(ends[1], data, 200000), 200000);
        _exit(0);
    }
    close(ends[1]);
    char buffer[1000];
    size_t total = 0;
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0; total += n)
        CHECK_EQ(buffer[n - 1], 'd');
    CHECK_EQ(total, 200000);
    CHECK_EXIT(pid, 0);
    close(ends[0]);
}

TEST(packets)
{
    int ends[2];
    char buffer[16];
    CHECK(pipe2(ends, O_DIRECT | O_NONBLOCK) == 0);
    CHECK_EQ(write(ends[1], "first", 5), 5);
    CHECK_EQ(write(ends[1], "second", 6), 6);
    CHECK_EQ(read(ends[0], buffer, 16), 5);
    CHECK_EQ(read(ends[0], buffer, 2), 2);
    CHECK_ERR(read(ends[0], buffer, 16), EAGAIN);
    close(ends[0]), close(ends[1]);
}

TEST(fifos)
{
    char c;
    CHECK(mkfifo("fifo", 0600) == 0);
    CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    CHECK_EQ(read(reader, &c, 1), 0);
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK_ERR(read(reader, &c, 1), EAGAIN);
    CHECK_EQ(write(writer, "z", 1), 1);
    CHECK_EQ(read(reader, &c, 1), 1);
    close(reader), close(writer);
    int both = open("fifo", O_RDWR);
    CHECK(both >= 0);
    CHECK_EQ(write(both, "b", 1), 1);
    CHECK_EQ(read(both, &c, 1), 1);
    close(both);
    pid_t pid = check_fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);
        CHECK_EQ(write(fd, "from the child", 14), 14);
        _exit(0);
    }
    char buffer[32];
    reader = open("fifo", O_RDONLY);
    CHECK_EQ(read(reader, buffer, 32), 14);
    CHECK_EQ(read(reader, buffer, 32), 0);
    CHECK_EXIT(pid, 0);
    close(reader);
}

TEST(reopened_through_proc)
{
    int ends[2];
    char path[64], c;
    CHECK(pipe(ends) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    int writer = open(path, O_WRONLY);
    CHECK(writer >= 0);
    CHECK_EQ(write(writer, "w", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    char target[64] = "";
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK(strncmp(target, "pipe:[", 6) == 0);
    close(writer), close(ends[0]), close(ends[1]);
}
