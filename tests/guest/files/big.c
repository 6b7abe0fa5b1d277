/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers of many chunks, and calls that wait for the disk: they are complete, alone with their file, and signals do not cut them. */
#define CHECK_SCRATCH
#include "../check.h"

#define BIG (8UL << 20)
#define HALF (2UL << 20)

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
    alarms += signo != 0;
}

static char *memory(size_t size)
{
    char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    return start;
}

static char *patterned(size_t size)
{
    char *start = memory(size);
    for (size_t i = 0; i < size; i += 8)
        *(uint64_t *)(start + i) = i * 0x9e3779b97f4a7c15UL + 1;
    return start;
}

TEST(one_call_moves_everything)
{
    char *out = patterned(BIG), *in = memory(BIG);
    int fd = open("big", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(write(fd, out, BIG), (long)BIG);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), (long)BIG);
    CHECK_EQ(pread(fd, in, BIG, 0), (long)BIG);
    CHECK(memcmp(in, out, BIG) == 0);
    memset(in, 0, BIG);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    struct iovec pieces[3] = {{in, 100}, {in + 100, BIG / 2}, {in + 100 + BIG / 2, BIG}};
    CHECK_EQ(readv(fd, pieces, 3), (long)BIG);
    CHECK(memcmp(in, out, BIG) == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), (long)BIG);
    CHECK_EQ(read(fd, in, BIG), 0);
    CHECK_EQ(pread(fd, in, BIG, BIG - 300000), 300000);
    CHECK(memcmp(in, out + BIG - 300000, 300000) == 0);
    close(fd);
}

TEST(a_bad_page_far_behind_ends_it)
{
    char *out = patterned(BIG);
    int fd = open("big", O_RDWR | O_CREAT, 0600);
    CHECK(mprotect(out + 1000 * PAGE, PAGE, PROT_NONE) == 0);
    CHECK_EQ(write(fd, out, BIG), 1000 * (long)PAGE);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, out, BIG), 1000 * (long)PAGE);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERR(read(fd, out + 1000 * PAGE, BIG), EFAULT);
    close(fd);
}

TEST(signals_do_not_cut_it)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    char *out = patterned(BIG), *in = memory(BIG);
    int fd = open("big", O_RDWR | O_CREAT, 0600);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(pwrite(fd, out, BIG, 0), (long)BIG);
        CHECK_EQ(pread(fd, in, BIG, 0), (long)BIG);
        CHECK_EQ(fsync(fd), 0);
        CHECK_EQ(fdatasync(fd), 0);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(memcmp(in, out, BIG) == 0);
    CHECK(alarms > 0);
    close(fd);
}

/* Writes of two processes on one open file, and appends on two, never mix. */
static void check_blocks(const char *name, int count)
{
    int fd = open(name, O_RDONLY);
    char *in = memory(HALF);
    for (int i = 0; i < count; i++) {
        CHECK_EQ(read(fd, in, HALF), (long)HALF);
        CHECK(in[0] == 'a' || in[0] == 'b');
        CHECK(memcmp(in, in + 1, HALF - 1) == 0);
    }
    CHECK_EQ(read(fd, in, HALF), 0);
    close(fd);
}

static void write_blocks(const char *name, int fd, int flags)
{
    for (int child = 0; child < 2; child++) {
        if (fork() == 0) {
            int own = flags ? open(name, flags) : fd;
            char *out = memory(HALF);
            memset(out, 'a' + child, HALF);
            for (int i = 0; i < 3; i++)
                if (write(own, out, HALF) != (long)HALF)
                    _exit(1);
            _exit(0);
        }
    }
    for (int child = 0; child < 2; child++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
}

TEST(writes_do_not_mix)
{
    int fd = open("shared", O_WRONLY | O_CREAT, 0600);
    write_blocks("shared", fd, 0);
    check_blocks("shared", 6);
    close(fd);
    close(open("log", O_WRONLY | O_CREAT, 0600));
    write_blocks("log", -1, O_WRONLY | O_APPEND);
    check_blocks("log", 6);
}

TEST(a_writer_that_is_killed_leaves_the_file_to_others)
{
    char *out = patterned(BIG);
    int fd = open("killed", O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pwrite(fd, out, BIG, 0);
        usleep(3000 * i);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
    }
    close(fd);
}

TEST(safe_writes)
{
    char *out = patterned(BIG), *in = memory(BIG);
    int fd = open("safe", O_RDWR | O_CREAT | O_SYNC, 0600);
    CHECK_EQ(write(fd, out, BIG), (long)BIG);
    CHECK_EQ(write(fd, "tail", 4), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), (long)BIG + 4);
    CHECK_EQ(pread(fd, in, BIG, 0), (long)BIG);
    CHECK(memcmp(in, out, BIG) == 0);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, (long)BIG + 4);
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0);
    CHECK_EQ(write(fd, "more", 4), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), (long)BIG + 8);
    CHECK_ERR(write(fd, BAD_POINTER, 4), EFAULT);
    close(fd);
}

TEST(sync_calls)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), directory = open(".", O_RDONLY | O_DIRECTORY);
    struct stat st;
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(fdatasync(fd), 0);
    CHECK_EQ(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
    CHECK_EQ(syncfs(fd), 0);
    CHECK_EQ(fsync(directory), 0);
    CHECK_EQ(fdatasync(directory), 0);
    CHECK_EQ(syncfs(directory), 0);
    sync();
    CHECK_EQ(fallocate(fd, 0, 0, 100000), 0);
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1000000), 0);
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_ERR(fallocate(directory, 0, 0, 10), EBADF);
    close(fd), close(directory);
}

TEST(fsync_of_a_killed_process)
{
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            int fd = open("victim", O_RDWR | O_CREAT, 0600);
            for (;;) {
                pwrite(fd, "y", 1, 0);
                fsync(fd);
            }
        }
        usleep(2000 * i);
        CHECK(kill(child, SIGKILL) == 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
    }
}
