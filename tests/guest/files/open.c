/* SPDX-License-Identifier: Apache-2.0 */
/* open(2) and openat2(2): every flag with an observable effect, and refusals. */
#define CHECK_SCRATCH
#include "../check.h"
#include <linux/openat2.h>

static int openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

TEST(create_and_exclusive)
{
    struct stat st;
    int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0666);
    CHECK(fd >= 0);
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0644);
    CHECK_ERR(open("new", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
    CHECK(symlink("dangling", "link") == 0);
    CHECK_ERR(open("link", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
    CHECK_ERR(open("link", O_RDWR), ENOENT);
    int target = open("link", O_RDWR | O_CREAT, 0600);
    CHECK(target >= 0);
    CHECK(access("dangling", F_OK) == 0);
    CHECK(mkdir("dir", 0755) == 0);
    CHECK_ERR(open("dir", O_RDWR | O_CREAT, 0600), EISDIR);
    CHECK_ERR(open("dir", O_WRONLY), EISDIR);
    CHECK_ERR(open("absent/", O_RDWR | O_CREAT, 0600), EISDIR);
    CHECK_ERR(open("new/", O_RDONLY), ENOTDIR);
    CHECK_ERR(open("nodir/new", O_RDWR | O_CREAT, 0600), ENOENT);
    close(fd), close(target);
}

TEST(mode_of_a_new_file_does_not_bind_its_creator)
{
    int fd = open("secret", O_RDWR | O_CREAT, 0000);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0);
    close(fd);
    umask(0);
    fd = open("suid", O_RDWR | O_CREAT, 06777);
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 06777);
    CHECK_EQ(umask(022), 0);
    close(fd);
}

TEST(directory_and_nofollow)
{
    write_file("file", "x");
    CHECK(mkdir("dir", 0755) == 0 && symlink("file", "flink") == 0 && symlink("dir", "dlink") == 0);
    CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERR(open("flink", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("dlink", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("dlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
    int fd = open("dlink/.", O_RDONLY | O_NOFOLLOW);
    CHECK(fd >= 0);
    close(fd);
    fd = open("flink", O_PATH | O_NOFOLLOW);
    struct stat st;
    char target[16];
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(readlinkat(fd, "", target, sizeof target), 4);
    close(fd);
}

TEST(path_descriptors)
{
    char c;
    write_file("file", "hello");
    int fd = open("file", O_PATH);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    CHECK_ERR(read(fd, &c, 1), EBADF);
    CHECK_ERR(write(fd, &c, 1), EBADF);
    CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
    CHECK_ERR(fchmod(fd, 0600), EBADF);
    CHECK_ERR(ftruncate(fd, 0), EBADF);
    CHECK_ERR(ioctl(fd, FIONREAD, &c), EBADF);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 5);
    int copy = dup(fd);
    CHECK(copy >= 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int real = open(path, O_RDONLY);
    CHECK(real >= 0);
    CHECK_EQ(read(real, &c, 1), 1);
    CHECK(mkdir("dir", 0755) == 0);
    int dir = open("dir", O_PATH);
    CHECK((close(openat(dir, "inside", O_CREAT | O_WRONLY, 0644))) == 0);
    CHECK(access("dir/inside", F_OK) == 0);
    CHECK(fchdir(dir) == 0);
    CHECK(chdir("..") == 0);
    close(fd), close(copy), close(real), close(dir);
}

TEST(append_and_truncate)
{
    write_file("file", "12345");
    int fd = open("file", O_WRONLY | O_APPEND);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "67", 2), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
    CHECK_EQ(pwrite(fd, "8", 1, 0), 1);
    CHECK(strcmp(read_file("file"), "12345678") == 0);
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
    CHECK_EQ(pwrite(fd, "X", 1, 0), 1);
    close(fd);
    CHECK(strcmp(read_file("file"), "X2345678") == 0);
    close(open("file", O_WRONLY | O_TRUNC));
    CHECK(strcmp(read_file("file"), "") == 0);
}

TEST(temporary_file)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd == -1 && errno == EOPNOTSUPP)
        SKIP("O_TMPFILE not supported");
    CHECK(fd >= 0);
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_nlink, 0);
    CHECK_EQ(write(fd, "temp", 4), 4);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
    CHECK(strcmp(read_file("named"), "temp") == 0);
    close(fd);
    CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    CHECK(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW), ENOENT);
    close(fd);
}

TEST(access_modes)
{
    char c;
    write_file("file", "x");
    int ro = open("file", O_RDONLY), wo = open("file", O_WRONLY);
    CHECK_ERR(write(ro, "y", 1), EBADF);
    CHECK_ERR(read(wo, &c, 1), EBADF);
    CHECK_ERR(ftruncate(ro, 0), EINVAL);
    CHECK_EQ(fcntl(wo, F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK(open("file", O_RDONLY) == wo + 1);
    close(ro);
    CHECK_EQ(open("file", O_RDONLY), ro);
    close(ro), close(wo), close(wo + 1);
    CHECK_ERR(open(BAD_POINTER, O_RDONLY), EFAULT);
    CHECK_ERR(openat(-5, "file", O_RDONLY), EBADF);
    CHECK_ERR(open("", O_RDONLY), ENOENT);
    int dir = open(".", O_RDONLY);
    CHECK_ERR(read(dir, &c, 1), EISDIR);
    ro = openat(dir, "file", O_RDONLY);
    CHECK_ERR(openat(ro, "x", O_RDONLY), ENOTDIR);
    close(dir), close(ro);
}

TEST(openat2_resolve)
{
    int fd = openat2(AT_FDCWD, ".", O_DIRECTORY, 0);
    CHECK(fd >= 0);
    close(fd);
    CHECK(mkdir("root", 0755) == 0 && mkdir("root/sub", 0755) == 0);
    write_file("root/file", "in");
    write_file("outside", "out");
    CHECK(symlink("../outside", "root/up") == 0 && symlink("/file", "root/abs") == 0 && symlink("file", "root/in") == 0);
    int dir = open("root", O_PATH | O_DIRECTORY);
    CHECK_ERR(openat2(dir, "../outside", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(openat2(dir, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(openat2(dir, "abs", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(openat2(dir, "/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
    CHECK((fd = openat2(dir, "sub/../in", O_RDONLY, RESOLVE_BENEATH)) >= 0);
    close(fd);
    CHECK((fd = openat2(dir, "abs", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
    close(fd);
    CHECK_ERR(openat2(dir, "up", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
    CHECK((fd = openat2(dir, "/../../file", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
    close(fd);
    CHECK_ERR(openat2(dir, "in", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
    CHECK_ERR(openat2(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
    CHECK_ERR(openat2(AT_FDCWD, "/proc/version", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
    CHECK_ERR(openat2(dir, "file", O_RDONLY, 0x1000), EINVAL);
    CHECK_ERR(openat2(dir, "file", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
    CHECK_ERR(openat2(dir, "file", 1ULL << 40, 0), EINVAL);
    struct open_how how = {.flags = O_RDONLY, .mode = 0600};
    CHECK_ERR(syscall(SYS_openat2, dir, "file", &how, sizeof how), EINVAL);
    CHECK_ERR(syscall(SYS_openat2, dir, "file", &how, 8), EINVAL);
    struct {
        struct open_how how;
        long more;
    } big = {{.flags = O_RDONLY}, 1};
    CHECK_ERR(syscall(SYS_openat2, dir, "file", &big, sizeof big), E2BIG);
    big.more = 0;
    CHECK((fd = syscall(SYS_openat2, dir, "file", &big, sizeof big)) >= 0);
    close(fd), close(dir);
}
