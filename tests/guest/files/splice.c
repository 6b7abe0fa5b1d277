/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2). */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/sendfile.h>

static int file_with(const char *name, const char *text)
{
    write_file(name, text);
    int fd = open(name, O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

TEST(sendfile_)
{
    int in = file_with("in", "0123456789"), out = file_with("out", ""), ends[2];
    char buffer[32] = "";
    off_t offset = 2;
    CHECK_EQ(sendfile(out, in, &offset, 3), 3);
    CHECK_EQ(offset, 5);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(sendfile(out, in, NULL, 100), 10);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
    CHECK_EQ(sendfile(out, in, NULL, 100), 0);
    CHECK(strcmp(read_file("out"), "2340123456789") == 0);
    CHECK(pipe(ends) == 0);
    offset = 0;
    CHECK_EQ(sendfile(ends[1], in, &offset, 4), 4);
    CHECK_EQ(read(ends[0], buffer, sizeof buffer), 4);
    CHECK(memcmp(buffer, "0123", 4) == 0);
    offset = -1;
    CHECK_ERR(sendfile(out, in, &offset, 1), EINVAL);
    CHECK_ERR(sendfile(out, in, BAD_POINTER, 1), EFAULT);
    CHECK_ERR(sendfile(99, in, NULL, 1), EBADF);
    CHECK_ERR(sendfile(out, 99, NULL, 1), EBADF);
    CHECK(fcntl(out, F_SETFL, O_APPEND) == 0);
    offset = 0;
    CHECK_ERR(sendfile(out, in, &offset, 1), EINVAL);
    close(in), close(out), close(ends[0]), close(ends[1]);
}

TEST(splice_)
{
    int in = file_with("in", "abcdefghij"), out = file_with("out", ""), ends[2];
    CHECK(pipe(ends) == 0);
    loff_t from = 3, to = 1;
    CHECK_EQ(splice(in, &from, ends[1], NULL, 5, 0), 5);
    CHECK_EQ(from, 8);
    CHECK_EQ(splice(ends[0], NULL, out, &to, 100, 0), 5);
    CHECK_EQ(to, 6);
    CHECK(memcmp(read_file("out"), "\0defgh", 6) == 0);
    CHECK_ERR(splice(in, NULL, out, NULL, 5, 0), EINVAL);
    CHECK_ERR(splice(in, NULL, ends[1], &from, 5, 0), ESPIPE);
    CHECK_ERR(splice(ends[0], NULL, out, NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(in, NULL, ends[1], NULL, 5, 0x100), EINVAL);
    CHECK_ERR(splice(99, NULL, ends[1], NULL, 5, 0), EBADF);
    CHECK_ERR(splice(in, NULL, ends[0], NULL, 5, 0), EBADF);
    CHECK_EQ(splice(in, NULL, ends[1], NULL, 0, 0), 0);
    close(ends[1]);
    CHECK_EQ(splice(ends[0], NULL, out, NULL, 5, 0), 0);
    close(in), close(out), close(ends[0]);
}

TEST(pipe_to_pipe_and_tee)
{
    int a[2], b[2];
    char buffer[32] = "";
    CHECK(pipe(a) == 0 && pipe(b) == 0);
    CHECK_EQ(write(a[1], "hello world", 11), 11);
    CHECK_EQ(tee(a[0], b[1], 5, 0), 5);
    CHECK_EQ(read(b[0], buffer, sizeof buffer), 5);
    CHECK(memcmp(buffer, "hello", 5) == 0);
    CHECK_EQ(splice(a[0], NULL, b[1], NULL, 6, 0), 6);
    CHECK_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 5);
    CHECK_EQ(read(b[0], buffer, sizeof buffer), 11);
    CHECK(memcmp(buffer, "hello world", 11) == 0);
    CHECK_ERR(tee(a[0], b[1], 5, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(tee(a[0], a[1], 5, 0), EINVAL);
    CHECK_ERR(splice(a[0], NULL, a[1], NULL, 5, 0), EINVAL);
    int file = file_with("file", "x");
    CHECK_ERR(tee(file, b[1], 5, 0), EINVAL);
    close(file), close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

TEST(vmsplice_)
{
    int ends[2];
    char one[4] = "abc", two[4] = "def", buffer[16] = "";
    struct iovec out[2] = {{one, 3}, {two, 3}}, in = {buffer, 16};
    CHECK(pipe(ends) == 0);
    CHECK_EQ(vmsplice(ends[1], out, 2, 0), 6);
    CHECK_EQ(vmsplice(ends[0], &in, 1, 0), 6);
    CHECK(memcmp(buffer, "abcdef", 6) == 0);
    CHECK_ERR(vmsplice(ends[1], out, 2, 0x100), EINVAL);
    CHECK_ERR(vmsplice(99, out, 2, 0), EBADF);
    close(ends[0]), close(ends[1]);
}

TEST(copy_file_range_)
{
    int in = file_with("in", "0123456789"), out = file_with("out", "----------");
    loff_t from = 4, to = 2;
    CHECK_EQ(copy_file_range(in, &from, out, &to, 3, 0), 3);
    CHECK(from == 7 && to == 5);
    CHECK(strcmp(read_file("out"), "--456-----") == 0);
    CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
    CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
    from = 0, to = 5;
    CHECK_EQ(copy_file_range(in, &from, in, &to, 5, 0), 5);
    CHECK(strcmp(read_file("in"), "0123401234") == 0);
    from = 0, to = 2;
    CHECK_ERR(copy_file_range(in, &from, in, &to, 5, 0), EINVAL);
    CHECK_ERR(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
    int ro = open("out", O_RDONLY), dir = open(".", O_RDONLY), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_ERR(copy_file_range(in, NULL, ro, NULL, 1, 0), EBADF);
    CHECK_ERR(copy_file_range(dir, NULL, out, NULL, 1, 0), EISDIR);
    CHECK_ERR(copy_file_range(in, NULL, ends[1], NULL, 1, 0), EINVAL);
    CHECK_ERR(copy_file_range(99, NULL, out, NULL, 1, 0), EBADF);
    close(in), close(out), close(ro), close(dir), close(ends[0]), close(ends[1]);
}

TEST(large_through_a_pipe)
{
    int in = file_with("in", ""), out = file_with("out", ""), ends[2];
    size_t size = 1 << 20;
    unsigned char *data = malloc(size), *got = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = i ^ i >> 9;
    CHECK_EQ(write(in, data, size), size);
    CHECK(pipe(ends) == 0 && lseek(in, 0, SEEK_SET) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        close(ends[0]);
        for (ssize_t n; (n = splice(in, NULL, ends[1], NULL, size, SPLICE_F_MOVE)) > 0;)
            ;
        _exit(0);
    }
    close(ends[1]);
    size_t total = 0;
    for (ssize_t n; (n = splice(ends[0], NULL, out, NULL, size, 0)) > 0;)
        total += n;
    CHECK_EQ(total, size);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(pread(out, got, size, 0), size);
    CHECK(memcmp(data, got, size) == 0);
    free(data), free(got);
    close(in), close(out), close(ends[0]);
}
