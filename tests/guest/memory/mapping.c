/* SPDX-License-Identifier: Apache-2.0 */
/* mmap(2), munmap(2) and their refusals; placement; huge and odd sizes. */
#include "../check.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static char *anonymous(size_t length)
{
    char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    return map;
}

static long map_errno(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    void *map = mmap(address, length, prot, flags, fd, offset);
    return map == MAP_FAILED ? errno : 0;
}

static int is_mapped(void *address)
{
    unsigned char vector;
    return mincore(address, PAGE, &vector) == 0;
}

TEST(anonymous_memory_is_zero_and_separate)
{
    char *a = anonymous(10 * PAGE), *b = anonymous(10 * PAGE);
    CHECK(((uintptr_t)a & (PAGE - 1)) == 0);
    for (size_t i = 0; i < 10 * PAGE; i += 512)
        CHECK(a[i] == 0 && b[i] == 0);
    memset(a, 1, 10 * PAGE);
    CHECK_EQ(b[0], 0);
    CHECK(munmap(a, 10 * PAGE) == 0);
    CHECK(munmap(b, 10 * PAGE) == 0);
    CHECK(!is_mapped(a));
}

TEST(refusals)
{
    int ro = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), ends[2];
    CHECK(pipe(ends) == 0);
    int anon = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK_EQ(map_errno(NULL, 0, PROT_READ, anon, -1, 0), EINVAL);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_EQ(map_errno((void *)1, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0), EINVAL);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, 0x3fffffff, 0), EBADF);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
    CHECK_EQ(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 7L) == -1 ? errno : 0, EINVAL);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), EACCES);
    CHECK_EQ(map_errno(NULL, SIZE_MAX, PROT_READ, anon, -1, 0), ENOMEM);
    CHECK_EQ(map_errno(NULL, 1UL << 47, PROT_READ, anon | MAP_NORESERVE, -1, 0), ENOMEM);
    CHECK_EQ(map_errno((void *)(1UL << 47), PAGE, PROT_READ, anon | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_EQ(map_errno((void *)(SIZE_MAX & ~(PAGE - 1)), PAGE, PROT_READ, anon | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, ro, 0), EOPNOTSUPP);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, (off_t)0x7ffffffffffff000), EOVERFLOW);
    CHECK(munmap(BAD_POINTER, PAGE) == -1 && errno == EINVAL);
    CHECK_ERR(munmap((void *)PAGE, 0), EINVAL);
    CHECK_ERR(munmap((void *)PAGE, SIZE_MAX), EINVAL);
    CHECK(munmap((void *)0x100000000000, PAGE) == 0);
    int wo = open("/dev/zero", O_WRONLY);
    CHECK_EQ(map_errno(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
    close(wo), close(ro), close(dir), close(ends[0]), close(ends[1]);
}

TEST(fixed_replaces)
{
    char *map = anonymous(4 * PAGE);
    memset(map, 7, 4 * PAGE);
    CHECK(mmap(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map + PAGE);
    CHECK(map[0] == 7 && map[PAGE] == 0 && map[2 * PAGE] == 7);
    CHECK_EQ(map_errno(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_EQ(map_errno(map + 3 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK(munmap(map + PAGE, PAGE) == 0);
    CHECK(mmap(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == map + PAGE);
    CHECK(munmap(map, 4 * PAGE) == 0);
}

TEST(hints)
{
    char *map = anonymous(8 * PAGE);
    CHECK(munmap(map, 8 * PAGE) == 0);
    CHECK(mmap(map, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == map);
    char *other = mmap(map, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(other != MAP_FAILED && other != map);
    CHECK(munmap(map, PAGE) == 0 && munmap(other, PAGE) == 0);
    map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(map != MAP_FAILED && (uintptr_t)map < 1UL << 31);
    CHECK(munmap(map, PAGE) == 0);
}

TEST(unmap_splits)
{
    char *map = anonymous(6 * PAGE);
    map[0] = map[5 * PAGE] = 3;
    CHECK(munmap(map + 2 * PAGE, 2 * PAGE) == 0);
    CHECK(is_mapped(map + PAGE) && !is_mapped(map + 2 * PAGE) && !is_mapped(map + 3 * PAGE) && is_mapped(map + 4 * PAGE));
    CHECK(map[0] == 3 && map[5 * PAGE] == 3);
    CHECK(munmap(map, 6 * PAGE) == 0);
    map = anonymous(2 * PAGE);
    CHECK(munmap(map, 1) == 0);
    CHECK(!is_mapped(map) && is_mapped(map + PAGE));
    CHECK(munmap(map, 2 * PAGE) == 0);
}

TEST(large_sparse_mapping)
{
    size_t size = 64UL << 30;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(map != MAP_FAILED);
    for (size_t at = 0; at < size; at += 4UL << 30)
        map[at] = 1;
    CHECK_EQ(map[4UL << 30], 1);
    CHECK_EQ(map[(4UL << 30) + 1], 0);
    CHECK(munmap(map, size) == 0);
}

TEST(populate_lock_and_stack_flags)
{
    unsigned char vector[4];
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_STACK, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mincore(map, 4 * PAGE, vector) == 0);
    CHECK(vector[0] & vector[3] & 1);
    CHECK(munmap(map, 4 * PAGE) == 0);
    map = anonymous(4 * PAGE);
    CHECK(mincore(map, 4 * PAGE, vector) == 0);
    CHECK_EQ(vector[2] & 1, 0);
    CHECK_ERR(mincore(map + 1, PAGE, vector), EINVAL);
    CHECK_ERR(mincore(map, 4 * PAGE, BAD_POINTER), EFAULT);
    CHECK(munmap(map + PAGE, PAGE) == 0);
    CHECK_ERR(mincore(map, 4 * PAGE, vector), ENOMEM);
    CHECK(munmap(map, 4 * PAGE) == 0);
}

TEST(zero_device)
{
    int fd = open("/dev/zero", O_RDWR);
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(private != MAP_FAILED && shared != MAP_FAILED);
    close(fd);
    CHECK(private[100] == 0 && shared[100] == 0);
    IN_CHILD {
        private[0] = shared[0] = 5;
    }
    CHECK(private[0] == 0 && shared[0] == 5);
}

TEST(thousand_mappings)
{
    static char *maps[2000];
    for (int i = 0; i < 2000; i++) {
        maps[i] = mmap(NULL, PAGE, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(maps[i] != MAP_FAILED);
        if (!(i & 1))
            *(int *)maps[i] = i;
    }
    for (int i = 0; i < 2000; i += 2)
        CHECK_EQ(*(int *)maps[i], i);
    for (int i = 0; i < 2000; i++)
        CHECK(munmap(maps[(i * 7) % 2000], PAGE) == 0);
}
