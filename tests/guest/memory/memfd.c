/* SPDX-License-Identifier: Apache-2.0 */
/* memfd_create(2), its seals, and POSIX shared memory objects in /dev/shm. */
#include "../check.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

static int sealable(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, size) == 0);
    return fd;
}

TEST(create)
{
    char path[64], target[128] = "", long_name[300];
    int fd = memfd_create("some name", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK(S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK(strcmp(target, "/memfd:some name (deleted)") == 0);
    close(fd);
    memset(long_name, 'n', sizeof long_name);
    long_name[250] = 0;
    CHECK_ERR(memfd_create(long_name, 0), EINVAL);
    long_name[249] = 0;
    CHECK((fd = memfd_create(long_name, 0)) >= 0);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    close(fd);
    CHECK_ERR(memfd_create("x", 0x80), EINVAL);
    CHECK_ERR(memfd_create(BAD_POINTER, 0), EFAULT);
}

TEST(read_write_map)
{
    char buffer[16];
    int fd = sealable(2 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(pwrite(fd, "hello", 5, PAGE - 2), 5);
    CHECK(memcmp(map + PAGE - 2, "hello", 5) == 0);
    map[0] = 'M';
    CHECK_EQ(read(fd, buffer, 1), 1);
    CHECK_EQ(buffer[0], 'M');
    IN_CHILD {
        map[1] = 'C';
    }
    CHECK_EQ(map[1], 'C');
    close(fd);
}

TEST(seal_sizes)
{
    int fd = sealable(100);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    CHECK_ERR(ftruncate(fd, 99), EPERM);
    CHECK(ftruncate(fd, 200) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
    CHECK_ERR(ftruncate(fd, 201), EPERM);
    CHECK_EQ(pwrite(fd, "x", 1, 199), 1);
    CHECK_ERR(pwrite(fd, "xy", 2, 200), EPERM);
    CHECK_ERR(fallocate(fd, 0, 0, 300), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
}

TEST(seal_writing)
{
    int fd = sealable(PAGE);
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK(munmap(map, PAGE) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    CHECK_ERR(write(fd, "x", 1), EPERM);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_ERR(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
    close(fd);
    fd = sealable(PAGE);
    map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
    map[0] = 1;
    CHECK_ERR(write(fd, "x", 1), EPERM);
    CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    close(fd);
}

TEST(seals_of_other_files)
{
    int fd = open("/dev/null", O_RDWR);
    CHECK_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
    close(fd);
    fd = sealable(1);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0x100), EINVAL);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int ro = open(path, O_RDONLY);
    CHECK(ro >= 0);
    CHECK_ERR(fcntl(ro, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_ERR(write(ro, "x", 1), EBADF);
    close(ro);
    close(fd);
}

TEST(shared_memory_objects)
{
    char name[64];
    snprintf(name, sizeof name, "/check-%d", getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, PAGE) == 0);
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    IN_CHILD {
        int other = shm_open(name, O_RDWR, 0);
        CHECK(other >= 0);
        char *mine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
        mine[5] = 'S';
    }
    CHECK_EQ(map[5], 'S');
    CHECK(shm_unlink(name) == 0);
    CHECK_ERR(shm_unlink(name), ENOENT);
    CHECK_EQ(map[5], 'S');
    close(fd);
}

PROGRAM(hello)
{
    _exit(23);
}

TEST(execution_from_memory)
{
    int in = open(check_self, O_RDONLY), fd = memfd_create("program", MFD_CLOEXEC);
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        CHECK_EQ(write(fd, buffer, n), n);
    pid_t pid = check_fork();
    if (pid == 0) {
        fexecve(fd, (char *[]){"x", "@hello", NULL}, (char *[]){NULL});
        _exit(99);
    }
    CHECK_EXIT(pid, 23);
    close(in);
    close(fd);
}
