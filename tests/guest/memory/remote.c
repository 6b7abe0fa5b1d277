/* SPDX-License-Identifier: Apache-2.0 */
/* process_vm_readv(2) and process_vm_writev(2), /proc/pid/mem, and copies that meet bad memory. */
#include "../check.h"

static char text[] = "the text to be read";

static struct iovec piece(void *base, size_t length)
{
    return (struct iovec){base, length};
}

TEST(own_memory)
{
    char buffer[32] = "";
    struct iovec local = piece(buffer, 8), remote = piece(text + 4, 8);
    CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 8);
    CHECK(memcmp(buffer, "text to ", 8) == 0);
    char target[16] = "";
    remote = piece(target, 5);
    CHECK_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), 5);
    CHECK(strcmp(target, "text ") == 0);
}

TEST(memory_of_a_child)
{
    static char area[3 * PAGE];
    int ready[2], go[2];
    char c;
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        strcpy(area + PAGE - 3, "overlaps");
        CHECK(write(ready[1], "r", 1) == 1);
        CHECK(read(go[0], &c, 1) == 1);
        _exit(strcmp(area, "from the parent") == 0 ? 0 : 1);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    char one[4] = "", two[16] = "";
    struct iovec local[2] = {piece(one, 4), piece(two, 5)}, remote[2] = {piece(area + PAGE - 3, 2), piece(area + PAGE - 1, 7)};
    CHECK_EQ(process_vm_readv(pid, local, 2, remote, 2, 0), 9);
    CHECK(memcmp(one, "over", 4) == 0 && strcmp(two, "laps") == 0);
    struct iovec source = piece("from the parent", 16), target = piece(area, 16);
    CHECK_EQ(process_vm_writev(pid, &source, 1, &target, 1, 0), 16);
    CHECK_EQ(area[0], 0);
    CHECK(write(go[1], "g", 1) == 1);
    CHECK_EXIT(pid, 0);
    CHECK_ERR(process_vm_writev(pid, &source, 1, &target, 1, 0), ESRCH);
}

TEST(refusals)
{
    char buffer[16];
    struct iovec local = piece(buffer, 8), remote = piece(text, 8), bad = piece(BAD_POINTER, 8);
    CHECK_ERR(process_vm_readv(getpid(), &local, 1, &remote, 1, 1), EINVAL);
    CHECK_ERR(process_vm_readv(getpid(), &local, 1025, &remote, 1, 0), EINVAL);
    CHECK_ERR(process_vm_readv(getpid(), &local, 1, &bad, 1, 0), EFAULT);
    CHECK_ERR(process_vm_readv(getpid(), &bad, 1, &remote, 1, 0), EFAULT);
    CHECK_ERR(process_vm_readv(getpid(), BAD_POINTER, 1, &remote, 1, 0), EFAULT);
    CHECK_ERR(process_vm_readv(0x3fffffff, &local, 1, &remote, 1, 0), ESRCH);
    CHECK_EQ(process_vm_readv(getpid(), &local, 0, &remote, 1, 0), 0);
    CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 0, 0), 0);
    struct iovec negative = piece(text, SIZE_MAX);
    CHECK_ERR(process_vm_readv(getpid(), &local, 1, &negative, 1, 0), EINVAL);
    struct iovec mixed[2] = {piece(text, 4), piece(BAD_POINTER, 4)};
    CHECK_EQ(process_vm_readv(getpid(), &local, 1, mixed, 2, 0), 4);
    if (geteuid() == 0) {
        pid_t target = getpid();
        IN_CHILD {
            CHECK(setresuid(1000, 1000, 1000) == 0);
            CHECK_ERR(process_vm_readv(target, &local, 1, &remote, 1, 0), EPERM);
        }
    }
}

TEST(proc_mem)
{
    static int value = 1234;
    int got = 0, fd = open("/proc/self/mem", O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &got, sizeof got, (uintptr_t)&value), sizeof got);
    CHECK_EQ(got, 1234);
    got = 4321;
    CHECK_EQ(pwrite(fd, &got, sizeof got, (uintptr_t)&value), sizeof got);
    CHECK_EQ(*(volatile int *)&value, 4321);
    CHECK_ERR(pread(fd, &got, sizeof got, 8), EIO);
    close(fd);
}

TEST(copies_across_the_end_of_a_mapping)
{
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    char buffer[64];
    CHECK(munmap(map + PAGE, PAGE) == 0);
    CHECK(pipe(ends) == 0);
    memset(map, 'm', PAGE);
    CHECK_ERR(write(ends[1], map + PAGE, 10), EFAULT);
    CHECK_ERR(write(ends[1], map + PAGE - 5, 10), EFAULT);
    CHECK_EQ(write(ends[1], map + PAGE - 10, 10), 10);
    CHECK_ERR(read(ends[0], map + PAGE, 10), EFAULT);
    CHECK_EQ(read(ends[0], buffer, sizeof buffer), 10);
    strcpy(map + PAGE - 5, "/tmp");
    CHECK_EQ(access(map + PAGE - 5, F_OK), 0);
    memcpy(map + PAGE - 4, "/tmp", 4);
    CHECK_ERR(access(map + PAGE - 4, F_OK), EFAULT);
    struct iovec vector[2] = {piece(buffer, 3), piece(map + PAGE, 3)};
    CHECK_EQ(write(ends[1], "123456", 6), 6);
    CHECK_ERR(writev(ends[1], (struct iovec *)(map + PAGE), 1), EFAULT);
    ssize_t n = readv(ends[0], vector, 2);
    int err = errno;
    CHECK(n == 3 || (n == -1 && err == EFAULT));
    CHECK(mprotect(map, PAGE, PROT_READ) == 0);
    CHECK_ERR(pipe((int *)map), EFAULT);
    CHECK_ERR(read(open("/dev/zero", O_RDONLY), map, 5), EFAULT);
    CHECK_ERR(syscall(SYS_write, ends[1], 0xffffffffff600000, SIZE_MAX), EFAULT);
    CHECK_ERR(read(ends[0], (void *)0xffff800000000000, 10), EFAULT);
}
