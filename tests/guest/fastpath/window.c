/* SPDX-License-Identifier: Apache-2.0 */
/* What calls read and write in guest memory, however large, and wherever it ends: exact counts, exact errors, nothing lost. */
/* cflags: -Wno-restrict */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/epoll.h>
#include <sys/un.h>

enum { LARGE = 80 * 1024 };

static char pattern[LARGE];

static void fill_pattern(void)
{
    for (int i = 0; i < LARGE; i++)
        pattern[i] = i * 7 + i / 251;
}

/* Two pages, of which the second has another protection; the address of the border. */
static char *border(int protection)
{
    char *pages = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    memset(pages, 'x', 16 * PAGE);
    CHECK(mprotect(pages + 8 * PAGE, 8 * PAGE, protection) == 0);
    return pages + 8 * PAGE;
}

static int pattern_file(void)
{
    fill_pattern();
    int fd = open("pattern", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, pattern, LARGE), LARGE);
    return fd;
}

TEST(every_size)
{
    static char buffer[LARGE + 16];
    static const int sizes[] = {1, 2, 7, 8, 9, 255, 1023, 1024, 4095, 4096, 4097, 8192, 16000, 16167, 16168, 16200, 16383, 16384, 16385, 20000, 65536, LARGE};
    int fd = pattern_file();
    for (int repeat = 0; repeat < 12; repeat++)
        for (int i = 0; i < LENGTH(sizes); i++) {
            int size = sizes[i], at = LARGE - size;
            memset(buffer, 0xee, sizeof buffer);
            CHECK_EQ(pread(fd, buffer + i % 8, size, at), size);
            CHECK(memcmp(buffer + i % 8, pattern + at, size) == 0);
            CHECK_EQ((unsigned char)buffer[i % 8 + size], 0xee);
            CHECK_EQ(pwrite(fd, buffer + i % 8, size, at), size);
            CHECK_EQ(pread(fd, buffer, size, at), size);
            CHECK(memcmp(buffer, pattern + at, size) == 0);
        }
    close(fd);
}

TEST(short_answers_leave_the_rest_alone)
{
    int ends[2];
    char buffer[8192];
    CHECK(pipe(ends) == 0);
    for (int n = 1; n < 40; n++) {
        memset(buffer, 0xee, sizeof buffer);
        CHECK_EQ(write(ends[1], pattern, n), n);
        CHECK_EQ(read(ends[0], buffer, sizeof buffer), n);
        CHECK(memcmp(buffer, pattern, n) == 0);
        for (int i = n; i < sizeof buffer; i++)
            CHECK_EQ((unsigned char)buffer[i], 0xee);
    }
}

static void bad_borders(int protection, int can_read)
{
    char *end = border(protection);
    int fd = pattern_file(), ends[2];
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_EQ(pread(fd, end - 100, 100, 0), 100);
        CHECK_EQ(pread(fd, end - 100, 101, 0), 100);
        CHECK_EQ(pread(fd, end - 100, 5000, 0), 100);
        CHECK(memcmp(end - 100, pattern, 100) == 0);
        CHECK_ERR(pread(fd, end, 1, 0), EFAULT);
        CHECK_ERR(pread(fd, end, 8192, 0), EFAULT);
        CHECK(pipe(ends) == 0);
        CHECK_EQ(write(ends[1], "abcdef", 6), 6);
        CHECK_ERR(read(ends[0], end, 3), EFAULT);
        CHECK_EQ(read(ends[0], end - 6, 6), 6);
        CHECK(memcmp(end - 6, "abcdef", 6) == 0);
        if (can_read) {
            CHECK_EQ(write(ends[1], end - 2, 4), 4);
        } else {
            CHECK_ERR(write(ends[1], end, 1), EFAULT);
            CHECK_ERR(write(ends[1], end + 5000, 100), EFAULT);
        }
        close(ends[0]);
        close(ends[1]);
    }
    close(fd);
    munmap(end - 8 * PAGE, 16 * PAGE);
}

TEST(buffers_that_end_at_a_bad_page)
{
    bad_borders(PROT_NONE, 0);
}

TEST(buffers_that_end_at_a_page_that_can_only_be_read)
{
    bad_borders(PROT_READ, 1);
}

TEST(writes_from_memory_that_ends)
{
    char *end = border(PROT_NONE);
    int fd = open("partial", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_EQ(pwrite(fd, end - 100, 100, 0), 100);
        CHECK_ERR(pwrite(fd, end, 10, 0), EFAULT);
        CHECK_ERR(write(fd, BAD_POINTER, 10), EFAULT);
        CHECK_ERR(write(fd, (void *)-1L, 10), EFAULT);
        CHECK_EQ(write(fd, BAD_POINTER, 0), 0);
    }
    close(fd);
}

TEST(strings_that_end_with_their_mapping)
{
    char *end = border(PROT_NONE), name[256];
    struct stat st;
    write_file("there", "text");
    for (int repeat = 0; repeat < 12; repeat++) {
        strcpy(end - 6, "there");
        CHECK_EQ(stat(end - 6, &st), 0);
        CHECK_EQ(st.st_size, 4);
        memcpy(end - 5, "there", 5);                /* no end */
        CHECK_ERR(stat(end - 5, &st), EFAULT);
        CHECK_ERR(open(end, O_RDONLY), EFAULT);
        memset(name, 'n', 255);
        name[255] = 0;
        strcpy(end - 256, name);
        CHECK_ERR(stat(end - 256, &st), ENOENT);
        memset(end - 5000, 'n', 4999);
        end[-1] = 0;
        CHECK_ERR(stat(end - 5000, &st), ENAMETOOLONG);
        CHECK_ERR(stat(end - 4097, &st), ENAMETOOLONG);
        CHECK_ERR(stat(end - 257, &st), ENAMETOOLONG);
        CHECK_ERR(stat(end - 1, &st), ENOENT);      /* empty */
        for (int i = 2; i < 4000; i++)              /* a long one that is right: ./././there */
            end[-i] = i % 2 ? '.' : '/';
        strcpy(end - 6, "there");
        end[-7] = '/';
        end[-8] = '.';
        for (int i = 8; i < 3000; i += 2) {
            end[-i] = '.';
            end[-i + 1] = '/';
        }
        CHECK_EQ(stat(end - 2998, &st), 0);
        CHECK_EQ(stat(end - 1032, &st), 0);
        CHECK_EQ(stat(end - 1030, &st), 0);
    }
}

TEST(results_at_bad_addresses)
{
    char *end = border(PROT_READ);
    struct timespec *clock = (struct timespec *)(end - 8);
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "/", end - 20, 0), EFAULT);
        CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "/", end, 0), EFAULT);
        CHECK_EQ(syscall(SYS_newfstatat, AT_FDCWD, "/", end - 144, 0), 0);
        CHECK_ERR(syscall(SYS_clock_getres, CLOCK_MONOTONIC, clock), EFAULT);
        CHECK_ERR(pipe((int *)(end - 4)), EFAULT);
        CHECK_ERR(syscall(SYS_getcwd, end, 100), EFAULT);
        CHECK_ERR(syscall(SYS_getrandom, end, 16, 0), EFAULT);
        CHECK_EQ(syscall(SYS_getrandom, end - 16, 16, 0), 16);
        CHECK_ERR(syscall(SYS_uname, end - 100), EFAULT);
    }
}

TEST(the_same_memory_in_and_out)
{
    for (int repeat = 0; repeat < 20; repeat++) {
        sigset_t set, before;
        sigemptyset(&set);
        CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
        sigaddset(&set, SIGUSR2);
        CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, &set, 8) == 0);
        CHECK(!sigismember(&set, SIGUSR2));
        CHECK(sigprocmask(SIG_SETMASK, &set, &before) == 0);
        CHECK(sigismember(&before, SIGUSR2));

        struct rlimit limits = {40 + repeat, 1000}, was;
        CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
        limits.rlim_max = was.rlim_max;
        CHECK(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limits, &limits) == 0);
        CHECK_EQ(limits.rlim_cur, was.rlim_cur);
        CHECK(getrlimit(RLIMIT_NOFILE, &limits) == 0);
        CHECK_EQ(limits.rlim_cur, 40 + repeat);
        CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);

        char path[256] = "there";
        write_file("there", "");
        CHECK(symlink("there", "link") == 0);
        strcpy(path, "link");
        CHECK_EQ(readlink(path, path, sizeof path), 5);
        CHECK(memcmp(path, "there", 5) == 0);
        union { char path[256]; struct stat st; } both = {"there"};
        CHECK_EQ(stat(both.path, &both.st), 0);
        CHECK(S_ISREG(both.st.st_mode));
        CHECK(unlink("link") == 0);
    }
}

TEST(arguments_that_overlap)
{
    int sockets[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0);
    struct sockaddr_un name = {AF_UNIX, "socket"};
    int receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(receiver, (void *)&name, sizeof name) == 0);
    struct { struct pollfd fd; long tail; } poll_and_time = {{receiver, 0, 0}, 0};
    for (int repeat = 0; repeat < 20; repeat++) {
        /* what is sent begins like the address, and ends with a zero */
        for (int size = 1; size < 12; size++) {
            char got[32];
            CHECK_EQ(sendto(sockets[0], &name, size, 0, NULL, 0), size);
            CHECK_EQ(read(sockets[1], got, 32), size);
            int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
            CHECK_EQ(sendto(sender, &name, size, 0, (void *)&name, sizeof name), size);
            CHECK_EQ(read(receiver, got, sizeof got), size);
            CHECK(memcmp(got, &name, size) == 0);
            close(sender);
        }
        poll_and_time.fd.fd = 0;                    /* as time: 0 seconds */
        CHECK(syscall(SYS_ppoll, &poll_and_time, 1, &poll_and_time, NULL, 8) >= 0);
    }
}

TEST(buffers_that_overlap_in_vectors)
{
    int ends[2];
    char buffer[64] = "0123456789abcdef";
    CHECK(pipe(ends) == 0);
    for (int repeat = 0; repeat < 20; repeat++) {
        struct iovec twice[3] = {{buffer, 8}, {buffer + 4, 8}, {buffer, 4}};
        char got[64];
        CHECK_EQ(writev(ends[1], twice, 3), 20);
        CHECK_EQ(read(ends[0], got, 64), 20);
        CHECK(memcmp(got, "01234567456789ab0123", 20) == 0);
        CHECK_EQ(write(ends[1], "ABCDEFGHIJKLMNOP", 16), 16);
        struct iovec again[2] = {{got, 10}, {got + 5, 6}};
        CHECK_EQ(readv(ends[0], again, 2), 16);
        CHECK(memcmp(got, "ABCDEKLMNOP", 11) == 0);
        /* the vector is where the bytes go */
        struct iovec self[2] = {{&self[1], sizeof self[1]}, {got, 4}};
        CHECK_EQ(write(ends[1], "ABCDEFGHIJKLMNOPQRST", 20), 20);
        CHECK_EQ(readv(ends[0], self, 2), 20);
        CHECK(memcmp(got, "QRST", 4) == 0);
        CHECK(memcmp(&self[1], "ABCDEFGHIJKLMNOP", 16) == 0);
    }
}

TEST(shared_memory_and_files)
{
    int fd = pattern_file(), other = open("other", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(ftruncate(other, 2 * PAGE) == 0);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
    CHECK(map != MAP_FAILED);
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_EQ(pread(fd, map, 2 * PAGE, repeat), 2 * PAGE);
        CHECK(memcmp(map, pattern + repeat, 2 * PAGE) == 0);
        CHECK_EQ(pread(fd, map + 2 * PAGE - 50, 100, 0), 50);       /* behind the end of the file */
        CHECK_ERR(pread(fd, map + 2 * PAGE, 100, 0), EFAULT);
        CHECK_ERR(pwrite(fd, map + 3 * PAGE, 100, 0), EFAULT);
        CHECK_EQ(pwrite(fd, map, 100, repeat), 100);
    }
}

/* The file's own pages are the buffer. */
TEST(a_file_read_into_itself)
{
    int fd = pattern_file();
    char *map = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_EQ(pread(fd, map + 8192, 4096, 0), 4096);
        CHECK(memcmp(map + 8192, pattern, 4096) == 0);
        CHECK_EQ(pwrite(fd, map, 4096, 16384), 4096);
        CHECK(memcmp(map + 16384, pattern, 4096) == 0);
    }
}

static volatile int stop;

struct flipper {
    char *page;
    int fd;
};

static void *flip_protection(void *argument)
{
    char *page = argument;
    while (!stop) {
        CHECK(mprotect(page, PAGE, PROT_NONE) == 0);
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
    }
    return NULL;
}

/* Between the look at a buffer and the copy it goes away: the count or EFAULT, and never bytes out of nowhere. */
TEST(a_buffer_that_comes_and_goes)
{
    char *end = border(PROT_READ | PROT_WRITE);
    int fd = pattern_file();
    pthread_t thread;
    stop = 0;
    CHECK(pthread_create(&thread, NULL, flip_protection, end) == 0);
    for (int i = 0; i < 2000; i++) {
        memset(end - 64, 0xee, 64);
        errno = 0;
        long got = pread(fd, end - 64, 128, 0);
        if (got == -1)
            CHECK_EQ(errno, EFAULT);
        else
            CHECK(got == 64 || got == 128);
        if (got > 0)
            CHECK(memcmp(end - 64, pattern, 64) == 0);
    }
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *flip_content(void *argument)
{
    char *text = argument;
    while (!stop)
        memcpy(text, text[0] == 't' ? "gone!" : "there", 5);
    return NULL;
}

TEST(a_name_that_changes)
{
    char name[16] = "there";
    pthread_t thread;
    struct stat st;
    write_file("there", "text");
    stop = 0;
    CHECK(pthread_create(&thread, NULL, flip_content, name) == 0);
    for (int i = 0; i < 3000; i++) {
        if (stat(name, &st) == 0)
            CHECK_EQ(st.st_size, 4);
        else
            CHECK_EQ(errno, ENOENT);
    }
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *read_later(void *argument)
{
    struct flipper *f = argument;
    return (void *)read(f->fd, f->page, PAGE);
}

/* The call sleeps; its buffer goes, or is another one, when it wakes up. */
TEST(the_buffer_of_a_sleeper)
{
    for (int gone = 0; gone < 2; gone++) {
        int ends[2];
        void *result;
        pthread_t thread;
        CHECK(pipe(ends) == 0);
        struct flipper f = {mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ends[0]};
        CHECK(pthread_create(&thread, NULL, read_later, &f) == 0);
        sleep_ms(20);
        CHECK(munmap(f.page, PAGE) == 0);
        if (!gone)
            CHECK_EQ(mmap(f.page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)f.page);
        CHECK_EQ(write(ends[1], "late", 4), 4);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK_EQ((long)result, gone ? -1 : 4);
        if (!gone)
            CHECK(memcmp(f.page, "late", 4) == 0);
        close(ends[0]);
        close(ends[1]);
    }
}

TEST(counts_that_are_wild)
{
    char buffer[16];
    struct epoll_event events[4];
    int fd = pattern_file(), epoll = epoll_create1(0);
    for (int repeat = 0; repeat < 12; repeat++) {
        CHECK_ERR(syscall(SYS_poll, buffer, 0x100000001UL << 20, 0), EINVAL);
        CHECK_ERR(syscall(SYS_epoll_wait, epoll, events, -1, 0), EINVAL);
        CHECK_ERR(syscall(SYS_epoll_wait, epoll, events, 0, 0), EINVAL);
        CHECK_EQ(syscall(SYS_epoll_wait, epoll, events, 0x100000004UL, 0), 0);
        CHECK_ERR(syscall(SYS_writev, fd, buffer, -1L), EINVAL);
        CHECK_ERR(syscall(SYS_writev, fd, buffer, 1025L), EINVAL);
        CHECK_EQ(syscall(SYS_writev, fd, buffer, 0L), 0);
        CHECK_ERR(syscall(SYS_pread64, fd, buffer, -1L, 0), EFAULT);
        CHECK_EQ(syscall(SYS_poll, NULL, 0x100000000UL, 0), 0);
    }
}
