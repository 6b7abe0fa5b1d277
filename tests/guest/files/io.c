/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing, seeking and sizing of regular files, with scattered buffers and bad arguments. */
#define CHECK_SCRATCH
#include "../check.h"
#include <linux/falloc.h>
#include <linux/fs.h>

static int scratch_file(const char *text)
{
    write_file("file", text);
    int fd = open("file", O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

TEST(read_write_seek)
{
    char buffer[16];
    int fd = scratch_file("0123456789");
    CHECK_EQ(read(fd, buffer, 4), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(pread(fd, buffer, 3, 8), 2);
    CHECK(memcmp(buffer, "89", 2) == 0);
    CHECK_EQ(lseek(fd, -2, SEEK_END), 8);
    CHECK_EQ(read(fd, buffer, 16), 2);
    CHECK_EQ(read(fd, buffer, 16), 0);
    CHECK_EQ(pread(fd, buffer, 1, 1 << 20), 0);
    CHECK_EQ(lseek(fd, 20, SEEK_SET), 20);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(pread(fd, buffer, 16, 10), 11);
    CHECK(buffer[0] == 0 && buffer[9] == 0 && buffer[10] == 'x');
    CHECK_EQ(read(fd, NULL, 0), 0);
    CHECK_EQ(write(fd, NULL, 0), 0);
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, 0, 99), EINVAL);
    CHECK_ERR(lseek(fd, -100, SEEK_CUR), EINVAL);
    CHECK_ERR(pread(fd, buffer, 1, -1), EINVAL);
    CHECK_ERR(pwrite(fd, buffer, 1, -1), EINVAL);
    CHECK_ERR(pread(fd, BAD_POINTER, 5, 0), EFAULT);
    CHECK_ERR(syscall(SYS_pread64, fd, 16L, SIZE_MAX, 0L), EFAULT);
    CHECK_ERR(write(fd, BAD_POINTER, 1), EFAULT);
    CHECK_ERR(pwrite(fd, "x", 1, LLONG_MAX), EINVAL);
    close(fd);
    CHECK_ERR(read(fd, buffer, 1), EBADF);
    CHECK_ERR(write(fd, buffer, 1), EBADF);
    CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
    CHECK_ERR(close(fd), EBADF);
}

TEST(shared_and_separate_offsets)
{
    char c;
    int fd = scratch_file("abcdef"), copy = dup(fd), other = open("file", O_RDONLY);
    CHECK(read(fd, &c, 1) == 1 && read(copy, &c, 1) == 1);
    CHECK_EQ(c, 'b');
    CHECK_EQ(read(other, &c, 1), 1);
    CHECK_EQ(c, 'a');
    IN_CHILD {
        CHECK_EQ(read(fd, &c, 1), 1);
        CHECK_EQ(c, 'c');
    }
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    close(fd), close(copy), close(other);
}

TEST(vectors)
{
    char a[3], b[4], c[10];
    int fd = scratch_file("");
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"two!", 4}}, in[3] = {{a, 3}, {b, 4}, {c, 10}};
    CHECK_EQ(writev(fd, out, 3), 7);
    CHECK_EQ(preadv(fd, in, 3, 0), 7);
    CHECK(memcmp(a, "one", 3) == 0 && memcmp(b, "two!", 4) == 0);
    CHECK_EQ(pwritev(fd, out, 1, 4), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
    CHECK_EQ(preadv2(fd, in, 1, 1, 0), 3);
    CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
    CHECK_EQ(preadv2(fd, in, 1, -1, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(pwritev2(fd, out, 1, 0, RWF_APPEND), 3);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 10);
    CHECK_ERR(pwritev2(fd, out, 1, 0, 0x40000000), EOPNOTSUPP);
    CHECK_ERR(syscall(SYS_writev, fd, out, -1L), EINVAL);
    CHECK_ERR(syscall(SYS_writev, fd, out, 1025L), EINVAL);
    CHECK_EQ(writev(fd, out, 0), 0);
    CHECK_ERR(writev(fd, BAD_POINTER, 1), EFAULT);
    struct iovec negative = {a, SIZE_MAX};
    CHECK_ERR(readv(fd, &negative, 1), EINVAL);
    struct iovec overflow[2] = {{a, SSIZE_MAX}, {b, 10}};
    ssize_t n = writev(fd, overflow, 2);
    CHECK(n == -1 || n > 0);
    CHECK_ERR(preadv(fd, in, 1, -1), EINVAL);
    close(fd);
}

TEST(truncate_)
{
    char buffer[8] = "zzzzzzz";
    struct stat st;
    int fd = scratch_file("0123456789");
    CHECK(ftruncate(fd, 3) == 0 && ftruncate(fd, 6) == 0);
    CHECK_EQ(pread(fd, buffer, 8, 0), 6);
    CHECK(memcmp(buffer, "012\0\0\0", 6) == 0);
    CHECK(truncate("file", 1 << 20) == 0 && stat("file", &st) == 0);
    CHECK_EQ(st.st_size, 1 << 20);
    CHECK(st.st_blocks < 2048);
    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(truncate(".", 0), EISDIR);
    CHECK_ERR(truncate("missing", 0), ENOENT);
    CHECK_ERR(truncate("file/x", 0), ENOTDIR);
    CHECK_ERR(truncate(BAD_POINTER, 0), EFAULT);
    CHECK_ERR(ftruncate(99, 0), EBADF);
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_ERR(ftruncate(ends[1], 0), EINVAL);
    CHECK_ERR(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERR(pread(ends[0], buffer, 1, 0), ESPIPE);
    close(fd), close(ends[0]), close(ends[1]);
}

TEST(holes)
{
    int fd = scratch_file("");
    CHECK_EQ(pwrite(fd, "data", 4, 0), 4);
    CHECK_EQ(pwrite(fd, "data", 4, 1 << 20), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    CHECK(hole == PAGE || hole == (1 << 20) + 4);
    off_t data = lseek(fd, 64 * PAGE, SEEK_DATA);
    CHECK(data == 1 << 20 || data == 64 * (off_t)PAGE);
    CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 4);
    CHECK_ERR(lseek(fd, 1 << 21, SEEK_DATA), ENXIO);
    CHECK_ERR(lseek(fd, 1 << 21, SEEK_HOLE), ENXIO);
    CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
    close(fd);
}

TEST(fallocate_)
{
    struct stat st;
    char buffer[4];
    int fd = scratch_file("abcd");
    if (fallocate(fd, 0, 0, 100000) == -1 && errno == EOPNOTSUPP)
        SKIP("fallocate not supported");
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK(st.st_blocks * 512 >= 100000);
    CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000) == 0 && fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2) == 0);
    CHECK_EQ(pread(fd, buffer, 4, 0), 4);
    CHECK(memcmp(buffer, "a\0\0d", 4) == 0);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    CHECK_ERR(fallocate(fd, 0, LLONG_MAX, LLONG_MAX), EFBIG);
    int ro = open("file", O_RDONLY), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_ERR(fallocate(ro, 0, 0, 10), EBADF);
    CHECK_ERR(fallocate(ends[1], 0, 0, 10), ESPIPE);
    close(fd), close(ro), close(ends[0]), close(ends[1]);
}

TEST(large_transfers)
{
    size_t size = 3 << 20;
    unsigned char *data = malloc(size), *got = malloc(size);
    int fd = scratch_file("");
    for (size_t i = 0; i < size; i++)
        data[i] = i * 7 + (i >> 11);
    CHECK_EQ(write(fd, data, size), size);
    CHECK_EQ(pread(fd, got, size, 0), size);
    CHECK(memcmp(data, got, size) == 0);
    CHECK_EQ(pread(fd, got, size, 12345), size - 12345);
    CHECK(memcmp(data + 12345, got, size - 12345) == 0);
    free(data), free(got);
    close(fd);
}

TEST(sync_calls)
{
    int fd = scratch_file("x"), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && syncfs(fd) == 0);
    sync();
    CHECK_ERR(fsync(ends[0]), EINVAL);
    CHECK_ERR(fsync(99), EBADF);
    CHECK_ERR(syncfs(99), EBADF);
    CHECK(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE) == 0);
    CHECK_ERR(sync_file_range(fd, 0, 1, 0x100), EINVAL);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
    CHECK_EQ(posix_fadvise(ends[0], 0, 0, 0), ESPIPE);
    CHECK(readahead(fd, 0, 100) == 0);
    close(fd), close(ends[0]), close(ends[1]);
}

TEST(devices)
{
    char buffer[64];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    int random = open("/dev/urandom", O_RDONLY);
    CHECK(null >= 0 && zero >= 0 && full >= 0 && random >= 0);
    CHECK_EQ(read(null, buffer, 8), 0);
    CHECK_EQ(write(null, buffer, 64), 64);
    memset(buffer, 1, 64);
    CHECK_EQ(read(zero, buffer, 64), 64);
    CHECK(buffer[0] == 0 && buffer[63] == 0);
    CHECK_ERR(write(full, "x", 1), ENOSPC);
    CHECK_EQ(read(full, buffer, 4), 4);
    CHECK_EQ(read(random, buffer, 64), 64);
    CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
    struct stat st;
    CHECK(stat("/dev/null", &st) == 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, 0x103);
    CHECK_ERR(read(zero, BAD_POINTER, 10), EFAULT);
    close(null), close(zero), close(full), close(random);
}
