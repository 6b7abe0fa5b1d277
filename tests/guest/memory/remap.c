/* SPDX-License-Identifier: Apache-2.0 */
/* mremap(2): growing, shrinking, moving, what is left behind, and refusals. */
#include "../check.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char *filled(int pages)
{
    char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    for (int i = 0; i < pages; i++)
        map[i * PAGE] = i + 1;
    return map;
}

static int is_mapped(void *address)
{
    unsigned char vector;
    return mincore(address, PAGE, &vector) == 0;
}

TEST(shrink)
{
    char *map = filled(4);
    CHECK(mremap(map, 4 * PAGE, 2 * PAGE, 0) == map);
    CHECK(is_mapped(map + PAGE) && !is_mapped(map + 2 * PAGE));
    CHECK(mremap(map, 2 * PAGE, PAGE + 1, 0) == map);
    CHECK(is_mapped(map + PAGE));
    CHECK(munmap(map, 2 * PAGE) == 0);
}

TEST(grow_in_place)
{
    char *map = filled(8);
    CHECK(munmap(map + 2 * PAGE, 6 * PAGE) == 0);
    CHECK(mremap(map, 2 * PAGE, 5 * PAGE, 0) == map);
    CHECK(map[0] == 1 && map[PAGE] == 2 && map[2 * PAGE] == 0 && map[4 * PAGE] == 0);
    CHECK(munmap(map, 8 * PAGE) == 0);
}

TEST(grow_blocked)
{
    char *map = filled(3);
    CHECK(mmap(map + 2 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map + 2 * PAGE);
    CHECK_ERR(mremap(map, 2 * PAGE, 3 * PAGE, 0), ENOMEM);
    char *moved = mremap(map, 2 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != map);
    CHECK(moved[0] == 1 && moved[PAGE] == 2 && moved[39 * PAGE] == 0);
    CHECK(!is_mapped(map) && is_mapped(map + 2 * PAGE));
    CHECK(munmap(moved, 40 * PAGE) == 0);
}

TEST(fixed)
{
    char *map = filled(2), *target = filled(4);
    CHECK(mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) == target + PAGE);
    CHECK(target[0] == 1 && target[PAGE] == 1 && target[2 * PAGE] == 2 && target[3 * PAGE] == 4);
    CHECK(!is_mapped(map));
    CHECK_ERR(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, map), EINVAL);
    CHECK_ERR(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
    CHECK_ERR(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map + 1), EINVAL);
    CHECK(munmap(target, 4 * PAGE) == 0);
}

/* Since Linux 6.17; two mappings with a hole between them. */
TEST(fixed_move_spans_mappings)
{
    char *map = filled(4), *target = filled(6);
    CHECK(mprotect(map, PAGE, PROT_READ) == 0);
    CHECK(munmap(map + 2 * PAGE, PAGE) == 0);
    if (mremap(map, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) == MAP_FAILED) {
        CHECK_EQ(errno, EFAULT);
        SKIP("a kernel before 6.17");
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(target[(i + 1) * PAGE], i + 1 + (i == 2));   /* what lay under the hole is still there */
    CHECK(mprotect(target, 6 * PAGE, PROT_READ) == 0);
    CHECK_ERR(mprotect(map, PAGE, PROT_READ), ENOMEM);
    CHECK_ERR(mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target), EFAULT);
}

/* libc passes garbage for the new address when MREMAP_FIXED is missing. */
static long remap(void *old, size_t old_length, size_t new_length, int flags)
{
    return syscall(SYS_mremap, old, old_length, new_length, (long)flags, 0L);
}

TEST(dont_unmap)
{
    char *map = filled(2);
    char *moved = (char *)remap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    CHECK(moved != MAP_FAILED && moved != map);
    CHECK(moved[0] == 1 && moved[PAGE] == 2);
    CHECK(is_mapped(map));
    CHECK(map[0] == 0 && map[PAGE] == 0);
    CHECK_ERR(remap(map, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
    CHECK_ERR(remap(map, 2 * PAGE, 2 * PAGE, MREMAP_DONTUNMAP), EINVAL);
    CHECK(munmap(map, 2 * PAGE) == 0 && munmap(moved, 2 * PAGE) == 0);
}

TEST(middle_of_a_mapping)
{
    char *map = filled(6);
    char *moved = mremap(map + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED);
    CHECK(moved[0] == 3 && moved[PAGE] == 4 && moved[2 * PAGE] == 0);
    CHECK(is_mapped(map + PAGE) && !is_mapped(map + 2 * PAGE) && is_mapped(map + 4 * PAGE));
    CHECK(munmap(map, 6 * PAGE) == 0 && munmap(moved, 3 * PAGE) == 0);
}

TEST(shared_memory_moves_with_its_pages)
{
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    map[PAGE] = 7;
    char *copy = mremap(map, 0, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK(copy != MAP_FAILED && copy != map);
    CHECK_EQ(copy[PAGE], 7);
    copy[0] = 8;
    CHECK_EQ(map[0], 8);
    char *moved = mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, filled(2));
    moved[1] = 9;
    CHECK_EQ(copy[1], 9);
}

TEST(file_mappings)
{
    char name[] = "/tmp/remap.XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 4 * PAGE) == 0);
    CHECK_EQ(pwrite(fd, "third", 5, 2 * PAGE), 5);
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    char *bigger = mremap(map, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    CHECK(bigger != MAP_FAILED);
    CHECK(memcmp(bigger + PAGE, "third", 5) == 0);
    CHECK(munmap(bigger, 3 * PAGE) == 0);
    close(fd);
}

TEST(refusals)
{
    char *map = filled(2);
    CHECK_ERR(mremap(map + 1, PAGE, PAGE, 0), EINVAL);
    CHECK_ERR(mremap(map, PAGE, 0, 0), EINVAL);
    CHECK_ERR(mremap(map, PAGE, PAGE, 0x100), EINVAL);
    CHECK_ERR(mremap(map, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
    CHECK_ERR(mremap(map, PAGE, 1UL << 46, MREMAP_MAYMOVE), ENOMEM);
    CHECK(munmap(map, 2 * PAGE) == 0);
    CHECK_ERR(mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}
