/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that have much to do. In how many turns the kernel serves them is what test_held.py looks at. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/epoll.h>
#include <sys/sendfile.h>

#define MB (1L << 20)
#define BIG (64 * MB)
enum { MANY = 1000, MAPPINGS = 2000, ENTRIES = 5000 };

static char *big_buffer(void)
{
    char *buffer = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(buffer != MAP_FAILED);
    memset(buffer, 1, BIG);
    return buffer;
}

/* That many mappings that can't merge. */
static char *many_mappings(int count)
{
    char *map = mmap(NULL, count * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    for (int i = 0; i < count; i += 2)
        CHECK(mprotect(map + i * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    return map;
}

static void fill_descriptors(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd < MANY)
        ;
}

/* All of it, in as few calls as the kernel makes of it. */
static void move_all(ssize_t (*call)(int, void *, size_t), int fd, char *buffer)
{
    for (long done = 0; done < BIG;) {
        ssize_t count = call(fd, buffer + done, BIG - done);
        CHECK(count > 0);
        done += count;
    }
}

/* The host frees pages in the caller's turn, about 8 MB in a millisecond. */
static void empty(int fd)
{
    for (long size = BIG - 8 * MB; size >= 0; size -= 8 * MB)
        CHECK(ftruncate(fd, size) == 0);
}

static ssize_t do_write(int fd, void *buffer, size_t count)
{
    return write(fd, buffer, count);
}

TEST(big_writes_and_reads)
{
    char *buffer = big_buffer();
    int fd = open("big", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    move_all(do_write, fd, buffer);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    move_all(read, fd, buffer);
    int memfd = memfd_create("copy", 0);
    CHECK(memfd >= 0);
    for (off_t at = 0; at < BIG;)
        CHECK(sendfile(memfd, fd, &at, BIG - at) > 0);
    empty(memfd);
    CHECK(posix_fallocate(memfd, 0, BIG) == 0);
    empty(memfd);
    empty(fd);
    CHECK(close(memfd) == 0 && close(fd) == 0 && unlink("big") == 0);
    fd = open("/dev/zero", O_RDWR);
    move_all(read, fd, buffer);
    move_all(do_write, fd, buffer);
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    move_all(read, fd, buffer);
    close(fd);
    munmap(buffer, BIG);
}

TEST(large_vectors)
{
    char *buffer = big_buffer();
    struct iovec vector[1024];
    for (int i = 0; i < 1024; i++)
        vector[i] = (struct iovec){buffer + i * 65536L, 65536};
    int fd = open("vector", O_RDWR | O_CREAT, 0600);
    CHECK(writev(fd, vector, 1024) > 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK(readv(fd, vector, 1024) > 0);
    CHECK(process_vm_readv(getpid(), vector, 512, vector + 512, 512, 0) > 0);
    for (int i = 0; i < 1024; i++)
        vector[i].iov_len = 1;
    CHECK_EQ(pwritev(fd, vector, 1024, 0), 1024);
    CHECK_EQ(preadv(fd, vector, 1024, 0), 1024);
    empty(fd);
    close(fd);
    munmap(buffer, BIG);
}

TEST(a_directory_of_thousands)
{
    static char entries[MB];
    for (int i = 0; i < ENTRIES; i++) {
        char name[32];
        snprintf(name, sizeof name, "entry-%d", i);
        CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
    }
    int fd = open(".", O_RDONLY | O_DIRECTORY), seen = 0;
    for (long got; (got = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
        for (long at = 0; at < got; at += *(unsigned short *)(entries + at + 16))
            seen++;
    CHECK_EQ(seen, ENTRIES + 2);
    close(fd);
}

TEST(thousands_of_mappings)
{
    char *map = many_mappings(MAPPINGS);
    IN_CHILD {
    }
    FILE *maps = fopen("/proc/self/maps", "r");
    setvbuf(maps, NULL, _IOFBF, MB);
    int lines = 0;
    for (char line[512]; fgets(line, sizeof line, maps);)
        lines++;
    CHECK(lines > MAPPINGS / 2);
    fclose(maps);
    CHECK(mprotect(map, MAPPINGS * PAGE, PROT_NONE) == 0);
    CHECK(munmap(map, MAPPINGS * PAGE) == 0);
    map = many_mappings(MANY);
    CHECK(madvise(map, MANY * PAGE, MADV_DONTFORK) == 0);
    CHECK(munmap(map, MANY * PAGE) == 0);
    for (int i = 0; i < 3; i++)
        IN_CHILD {
            many_mappings(MAPPINGS);
        }
}

TEST(thousands_of_descriptors)
{
    IN_CHILD {
        fill_descriptors();
        struct pollfd polled[MANY];
        for (int i = 0; i < MANY; i++)
            polled[i] = (struct pollfd){i, POLLIN, 0};
        CHECK(poll(polled, MANY, 0) > MANY - 10);
        fd_set set;
        memset(&set, -1, MANY / 8);
        CHECK(select(MANY, &set, NULL, NULL, NULL) > 0);
        pid_t pid = check_fork();
        if (pid == 0)
            _exit(0);
        CHECK_EXIT(pid, 0);
        CHECK(close_range(3, ~0U, 0) == 0);
        fill_descriptors();
    }
}

TEST(many_events)
{
    int epoll = epoll_create1(0), ends[2];
    for (int i = 0; i < 400; i++) {
        struct epoll_event event = {EPOLLIN | EPOLLOUT, {0}};
        CHECK(pipe(ends) == 0);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event) == 0);
    }
    struct epoll_event events[MANY];
    CHECK_EQ(epoll_wait(epoll, events, MANY, 0), 400);
    CHECK(close_range(3, ~0U, 0) == 0);
}

TEST(a_long_path)
{
    char path[4096] = "";
    for (int i = 0; i < 20; i++) {
        memset(path + strlen(path), 'd', 190);
        CHECK(mkdir(path, 0700) == 0);
        strcat(path, "/");
    }
    struct stat status;
    CHECK(stat(path, &status) == 0);
    memset(path, 0, sizeof path);
    for (int i = 0; i < 4090; i += 2)
        memcpy(path + i, "./", 2);
    CHECK(stat(path, &status) == 0);
    for (int i = 0; i < 4092; i += 3)
        memcpy(path + i, "../", 3);
    CHECK(stat(path, &status) == 0);
}

PROGRAM(nothing)
{
}

TEST(an_execve_with_much)
{
    static char word[1024], *argv[1600];
    memset(word, 'a', sizeof word - 1);
    argv[0] = check_self, argv[1] = "@nothing";
    for (int i = 2; i < 1500; i++)
        argv[i] = word;
    pid_t pid = check_fork();
    if (pid == 0) {
        execve(check_self, argv, argv + 1100);
        _exit(3);
    }
    CHECK_EXIT(pid, 0);
}
