/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared by fork and files: copy on write, private and shared maps, coherence with read and write, msync(2). */
#define CHECK_SCRATCH
#include "../check.h"

static int make_file(size_t size)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    char page[PAGE];
    for (size_t at = 0; at < size; at += PAGE) {
        memset(page, 'a' + at / PAGE % 26, PAGE);
        CHECK_EQ(write(fd, page, size - at < PAGE ? size - at : PAGE), size - at < PAGE ? size - at : PAGE);
    }
    return fd;
}

TEST(private_memory_is_copied)
{
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map[0] = 1;
    IN_CHILD {
        CHECK_EQ(map[0], 1);
        map[0] = map[PAGE] = 2;
        IN_CHILD {
            CHECK_EQ(map[PAGE], 2);
            map[PAGE] = 3;
        }
        CHECK_EQ(map[PAGE], 2);
    }
    CHECK(map[0] == 1 && map[PAGE] == 0);
}

TEST(shared_memory_is_shared)
{
    volatile int *map = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    pid_t pid = check_fork();
    if (pid == 0) {
        while (map[0] != 1)
            sched_yield();
        map[63 * PAGE / sizeof *map] = 77;
        map[1] = 2;
        _exit(0);
    }
    map[0] = 1;
    while (map[1] != 2)
        sched_yield();
    CHECK_EQ(map[63 * PAGE / sizeof *map], 77);
    CHECK_EXIT(pid, 0);
}

TEST(private_file_map)
{
    int fd = make_file(3 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    char c;
    CHECK(map[0] == 'b' && map[PAGE] == 'c');
    map[0] = 'X';
    CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
    CHECK_EQ(c, 'b');
    IN_CHILD {
        CHECK_EQ(map[0], 'X');
        map[1] = 'Y';
    }
    CHECK_EQ(map[1], 'b');
    CHECK(madvise(map, PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(map[0], 'b');
    int ro = open("file", O_RDONLY);
    char *writable = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
    CHECK(writable != MAP_FAILED);
    writable[0] = 'Z';
    close(ro);
    close(fd);
}

TEST(shared_file_map_is_coherent)
{
    int fd = make_file(2 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buffer[8];
    CHECK(map != MAP_FAILED);
    memcpy(map + 10, "mapped", 6);
    CHECK_EQ(pread(fd, buffer, 6, 10), 6);
    CHECK(memcmp(buffer, "mapped", 6) == 0);
    CHECK_EQ(pwrite(fd, "writes", 6, PAGE), 6);
    CHECK(memcmp(map + PAGE, "writes", 6) == 0);
    int other = open("file", O_RDWR);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, other, 0);
    map[20] = '!';
    CHECK_EQ(second[20], '!');
    CHECK_EQ(pread(other, buffer, 1, 20), 1);
    CHECK_EQ(buffer[0], '!');
    IN_CHILD {
        map[30] = '?';
    }
    CHECK_EQ(second[30], '?');
    CHECK(msync(map, 2 * PAGE, MS_SYNC) == 0);
    close(fd), close(other);
    map[40] = '#';
    CHECK_EQ(second[40], '#');
    CHECK(munmap(map, 2 * PAGE) == 0);
    CHECK_EQ(read_file("file")[40], '#');
}

TEST(last_partial_page)
{
    int fd = make_file(100);
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(map[99], 'a');
    CHECK(map[100] == 0 && map[PAGE - 1] == 0);
    map[200] = 'x';
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 100);
    CHECK_EQ(pwrite(fd, "end", 3, 100), 3);
    CHECK(memcmp(map + 100, "end", 3) == 0);
    close(fd);
}

TEST(unlinked_and_truncated_files_stay_mapped)
{
    int fd = make_file(2 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(unlink("file") == 0);
    close(fd);
    CHECK_EQ(map[PAGE], 'b');
    map[PAGE] = 'c';
    CHECK_EQ(map[PAGE], 'c');
}

TEST(msync_refusals)
{
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(msync(map, 2 * PAGE, MS_ASYNC) == 0);
    CHECK_ERR(msync(map + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_ERR(msync(map, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERR(msync(map, PAGE, 0x100), EINVAL);
    CHECK(munmap(map, 2 * PAGE) == 0);
    CHECK_ERR(msync(map, PAGE, MS_SYNC), ENOMEM);
}

TEST(system_calls_use_mapped_file_pages)
{
    int fd = make_file(4 * PAGE);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(pread(fd, map, PAGE, 3 * PAGE), PAGE);
    CHECK_EQ(map[0], 'd');
    CHECK_EQ(pwrite(fd, map, PAGE, PAGE), PAGE);
    CHECK_EQ(map[PAGE], 'd');
    char *hole = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERR(read(fd, hole, 10), EFAULT);
    close(fd);
}

TEST(copy_on_write_under_system_calls)
{
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int zero = open("/dev/zero", O_RDONLY);
    memset(map, 'q', 2 * PAGE);
    IN_CHILD {
        CHECK_EQ(read(zero, map, PAGE), PAGE);
        CHECK(map[0] == 0 && map[PAGE] == 'q');
    }
    CHECK_EQ(map[0], 'q');
    close(zero);
}

TEST(big_private_heap_survives_forks)
{
    size_t size = 16 << 20;
    unsigned char *heap = malloc(size);
    for (size_t i = 0; i < size; i++)
        heap[i] = i >> 12;
    for (int round = 0; round < 3; round++)
        IN_CHILD {
            for (size_t i = 0; i < size; i += PAGE)
                heap[i]++;
            for (size_t i = 0; i < size; i += PAGE)
                CHECK_EQ(heap[i], (unsigned char)((i >> 12) + 1));
        }
    for (size_t i = 0; i < size; i += PAGE)
        CHECK_EQ(heap[i], (unsigned char)(i >> 12));
    free(heap);
}
