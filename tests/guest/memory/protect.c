/* SPDX-License-Identifier: Apache-2.0 */
/* mprotect(2), splitting and merging as /proc/self/maps shows it, brk(2), madvise(2), mlock(2). */
#include "../check.h"
#include <setjmp.h>

static sigjmp_buf back;

static void on_fault(int signal)
{
    siglongjmp(back, 1);
}

static int faults(volatile char *address, int writing)
{
    set_handler(SIGSEGV, on_fault, 0);
    if (sigsetjmp(back, 1))
        return 1;
    if (writing)
        *address = 9;
    else
        (void)*address;
    return 0;
}

/* The permissions of the mapping at address and its bounds, from /proc/self/maps; 0 when unmapped. */
static int look_up(void *address, unsigned long *start, unsigned long *end, char *permissions)
{
    for (char *line = read_file("/proc/self/maps"); line && *line; line = strchr(line, '\n') + 1) {
        CHECK_EQ(sscanf(line, "%lx-%lx %4s", start, end, permissions), 3);
        if (*start <= (unsigned long)address && (unsigned long)address < *end)
            return 1;
    }
    return 0;
}

static void check_vma(char *address, long pages_before, long pages_after, const char *permissions)
{
    unsigned long start, end;
    char got[5];
    CHECK(look_up(address, &start, &end, got));
    CHECK_EQ((unsigned long)address - start, pages_before * PAGE);
    CHECK_EQ(end - (unsigned long)address, pages_after * PAGE);
    CHECK(strcmp(got, permissions) == 0);
}

/* Six pages between two inaccessible ones, so that neighbours do not merge. */
static char *guarded(void)
{
    char *map = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mprotect(map + PAGE, 6 * PAGE, PROT_READ | PROT_WRITE) == 0);
    return map + PAGE;
}

TEST(split_and_merge)
{
    char *map = guarded();
    check_vma(map, 0, 6, "rw-p");
    CHECK(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
    check_vma(map, 0, 2, "rw-p");
    check_vma(map + 2 * PAGE, 0, 2, "r--p");
    check_vma(map + 4 * PAGE, 0, 2, "rw-p");
    CHECK(mprotect(map + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
    check_vma(map + 3 * PAGE, 3, 3, "rw-p");
    CHECK(mprotect(map, 6 * PAGE, PROT_READ | PROT_EXEC) == 0);
    check_vma(map, 0, 6, "r-xp");
    CHECK(munmap(map + PAGE, PAGE) == 0);
    check_vma(map, 0, 1, "r-xp");
    CHECK(munmap(map - PAGE, 8 * PAGE) == 0);
}

TEST(access)
{
    char *map = guarded();
    map[0] = 1;
    CHECK(mprotect(map, PAGE, PROT_READ) == 0);
    CHECK(!faults(map, 0) && faults(map, 1));
    CHECK(mprotect(map, PAGE, PROT_NONE) == 0);
    CHECK(faults(map, 0) && faults(map, 1));
    CHECK(mprotect(map, PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK_EQ(map[0], 1);
    CHECK(!faults(map, 1));
    CHECK(mprotect(map, PAGE, PROT_WRITE) == 0);
    CHECK(!faults(map, 1));
    CHECK(faults(map - PAGE, 0));
}

TEST(written_code_runs)
{
    unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};
    char *map = guarded();
    memcpy(map, code, sizeof code);
    CHECK(mprotect(map, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK_EQ(((int (*)(void))map)(), 42);
    CHECK(mprotect(map, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    map[1] = 43;
    CHECK_EQ(((int (*)(void))map)(), 43);
}

TEST(refusals)
{
    char *map = guarded();
    CHECK_ERR(mprotect(map + 1, PAGE, PROT_READ), EINVAL);
    CHECK_ERR(mprotect(map, PAGE, 0x100), EINVAL);
    CHECK(mprotect(map, 0, PROT_READ) == 0);
    CHECK(munmap(map + 2 * PAGE, PAGE) == 0);
    CHECK_ERR(mprotect(map, 6 * PAGE, PROT_READ), ENOMEM);
    CHECK(faults(map + PAGE, 1));
    CHECK(!faults(map + 3 * PAGE, 1));
    CHECK_ERR(mprotect(map, SIZE_MAX - PAGE, PROT_READ), ENOMEM);
    int fd = open("/proc/self/exe", O_RDONLY);
    char *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(file != MAP_FAILED);
    CHECK_ERR(mprotect(file, PAGE, PROT_READ | PROT_WRITE), EACCES);
    close(fd);
}

TEST(brk_grows_and_shrinks)
{
    char *start = (char *)syscall(SYS_brk, 0);
    CHECK_EQ(syscall(SYS_brk, start + 100000), start + 100000);
    memset(start, 5, 100000);
    CHECK_EQ(syscall(SYS_brk, start + 10), start + 10);
    CHECK_EQ(syscall(SYS_brk, 1), start + 10);
    CHECK_EQ(syscall(SYS_brk, start + 100000), start + 100000);
    char *page = (char *)(((uintptr_t)start + 10 + PAGE - 1) & ~(PAGE - 1));
    CHECK_EQ(page[0], 0);
    CHECK_EQ(syscall(SYS_brk, 1UL << 46), start + 100000);
    CHECK_EQ(syscall(SYS_brk, start), start);
}

TEST(madvise_)
{
    char *map = guarded();
    memset(map, 4, 6 * PAGE);
    CHECK(madvise(map + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(map[0] == 4 && map[PAGE] == 0 && map[3 * PAGE - 1] == 0 && map[3 * PAGE] == 4);
    CHECK_ERR(madvise(map + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERR(madvise(map, PAGE, 9999), EINVAL);
    CHECK(madvise(map, 0, MADV_DONTNEED) == 0);
    CHECK(madvise(map, PAGE, MADV_WILLNEED) == 0);
    CHECK(madvise(map, PAGE, MADV_SEQUENTIAL) == 0);
    CHECK(madvise(map, PAGE, MADV_FREE) == 0);
    CHECK(map[0] == 4 || map[0] == 0);
    CHECK(madvise(map, PAGE, MADV_DONTFORK) == 0);
    CHECK(madvise(map + 3 * PAGE, PAGE, MADV_WIPEONFORK) == 0);
    map[0] = 6;
    IN_CHILD {
        CHECK(faults(map, 0));
        CHECK_EQ(map[3 * PAGE], 0);
        CHECK_EQ(map[4 * PAGE], 4);
    }
    CHECK_EQ(map[3 * PAGE], 4);
    CHECK(munmap(map + 5 * PAGE, PAGE) == 0);
    CHECK_ERR(madvise(map + 4 * PAGE, 2 * PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(map[4 * PAGE], 0);
}

TEST(locks)
{
    IN_CHILD {
        char *map = guarded();
        CHECK(mlock(map, PAGE) == 0);
        CHECK_ERR(madvise(map, PAGE, MADV_DONTNEED), EINVAL);
        CHECK(munlock(map, PAGE) == 0);
        CHECK(mlock2(map, PAGE, MLOCK_ONFAULT) == 0);
        CHECK_ERR(mlock2(map, PAGE, 0x100), EINVAL);
        CHECK(munmap(map + PAGE, PAGE) == 0);
        CHECK_ERR(mlock(map, 2 * PAGE), ENOMEM);
        CHECK_ERR(munlock(map, 2 * PAGE), ENOMEM);
        CHECK_ERR(mlockall(0), EINVAL);
        CHECK_ERR(mlockall(0x100), EINVAL);
        CHECK(munlockall() == 0);
        struct rlimit limit = {PAGE, PAGE};
        CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
        if (geteuid() == 0) {
            CHECK(setuid(1000) == 0);
            CHECK(mlock(map, PAGE) == 0);
            CHECK_ERR(mlock(map + 2 * PAGE, 2 * PAGE), ENOMEM);
        }
    }
}

static __attribute__((noinline)) int use_stack(int kilobytes)
{
    volatile char block[1024];
    block[0] = block[1023] = kilobytes;
    return kilobytes == 0 ? 0 : use_stack(kilobytes - 1) + (block[0] != block[1023]);
}

TEST(stack_grows_on_demand)
{
    CHECK_EQ(use_stack(4000), 0);
    unsigned long start, end;
    char permissions[5];
    int local;
    CHECK(look_up(&local, &start, &end, permissions));
    CHECK(end - start >= 4000 * 1024);
    CHECK(strcmp(permissions, "rw-p") == 0);
}
