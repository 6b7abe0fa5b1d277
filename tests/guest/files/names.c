/* SPDX-License-Identifier: Apache-2.0 */
/* Names: link, symlink, rename, unlink, mkdir, rmdir, mknod, and the errors of paths. */
#define CHECK_SCRATCH
#include "../check.h"
#include <linux/fs.h>

static int exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int renameat2_(const char *from, const char *to, int flags)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST(hard_links)
{
    write_file("a", "content");
    CHECK(link("a", "b") == 0);
    CHECK_ERR(link("a", "b"), EEXIST);
    CHECK_ERR(link("missing", "c"), ENOENT);
    CHECK_ERR(link("a", "missing/c"), ENOENT);
    CHECK(mkdir("dir", 0755) == 0);
    CHECK_ERR(link("dir", "hard"), EPERM);
    CHECK_ERR(link("a", "/dev/shm/x"), EXDEV);
    CHECK(symlink("a", "s") == 0);
    CHECK(link("s", "s2") == 0);
    struct stat st;
    CHECK(lstat("s2", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "a3", AT_SYMLINK_FOLLOW) == 0);
    CHECK(lstat("a3", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 3);
    CHECK_ERR(linkat(AT_FDCWD, "a", AT_FDCWD, "x", 0x100000), EINVAL);
    CHECK(unlink("a") == 0);
    CHECK(strcmp(read_file("b"), "content") == 0);
}

TEST(symbolic_links)
{
    char target[8];
    CHECK(symlink("somewhere", "s") == 0);
    CHECK_ERR(symlink("x", "s"), EEXIST);
    CHECK_EQ(readlink("s", target, 4), 4);
    CHECK(memcmp(target, "some", 4) == 0);
    CHECK_ERR(symlink("", "empty"), ENOENT);
    CHECK_ERR(readlink(".", target, 8), EINVAL);
    CHECK_ERR(readlink("s", target, 0), EINVAL);
    CHECK_ERR(readlink("s", BAD_POINTER, 8), EFAULT);
    CHECK_ERR(readlink("missing", target, 8), ENOENT);
    CHECK(symlink("l1", "l2") == 0 && symlink("l2", "l1") == 0);
    CHECK_ERR(open("l1", O_RDONLY), ELOOP);
    CHECK_ERR(open("l1/x", O_RDONLY), ELOOP);
    write_file("end", "x");
    char from[16], to[16] = "end";
    for (int i = 0; i < 41; i++) {
        snprintf(from, sizeof from, "chain%d", i);
        CHECK(symlink(to, from) == 0);
        strcpy(to, from);
    }
    CHECK(access("chain39", F_OK) == 0);
    CHECK_ERR(access("chain40", F_OK), ELOOP);
}

TEST(rename_)
{
    write_file("a", "A");
    write_file("b", "B");
    CHECK(rename("a", "b") == 0);
    CHECK(!exists("a"));
    CHECK(strcmp(read_file("b"), "A") == 0);
    CHECK(rename("b", "b") == 0);
    CHECK(link("b", "b2") == 0 && rename("b", "b2") == 0);
    CHECK(exists("b") && exists("b2"));
    CHECK_ERR(rename("missing", "x"), ENOENT);
    CHECK_ERR(rename("b", "nodir/x"), ENOENT);
    CHECK(mkdir("d1", 0755) == 0 && mkdir("d2", 0755) == 0 && mkdir("d2/sub", 0755) == 0);
    CHECK_ERR(rename("b", "d1"), EISDIR);
    CHECK_ERR(rename("d1", "b"), ENOTDIR);
    CHECK_ERR(rename("d1", "d2"), ENOTEMPTY);
    CHECK_ERR(rename("d2", "d2/sub/x"), EINVAL);
    CHECK_ERR(rename("d2/sub", "d2"), ENOTEMPTY);
    CHECK(rename("d2/sub", "d1") == 0);
    CHECK(rename("d1", "d2") == 0);
    CHECK(exists("d2") && !exists("d1"));
    CHECK_ERR(rename("b/", "c"), ENOTDIR);
    CHECK_ERR(rename("b", "c/"), ENOTDIR);
    CHECK(rename("d2/", "d3/") == 0);
    CHECK_ERR(rename(".", "x"), EBUSY);
    CHECK_ERR(rename("d3/..", "x"), EBUSY);
    CHECK_ERR(rename("b", "/dev/shm/x"), EXDEV);
    CHECK(symlink("d3", "s") == 0 && rename("s", "t") == 0);
    CHECK(exists("t") && exists("d3"));
}

TEST(rename_flags)
{
    write_file("a", "A");
    write_file("b", "B");
    CHECK_ERR(renameat2_("a", "b", RENAME_NOREPLACE), EEXIST);
    CHECK(renameat2_("a", "c", RENAME_NOREPLACE) == 0);
    CHECK(renameat2_("b", "c", RENAME_EXCHANGE) == 0);
    CHECK(strcmp(read_file("b"), "A") == 0 && strcmp(read_file("c"), "B") == 0);
    CHECK(mkdir("dir", 0755) == 0);
    write_file("dir/inside", "I");
    CHECK(renameat2_("dir", "b", RENAME_EXCHANGE) == 0);
    CHECK(strcmp(read_file("b/inside"), "I") == 0 && strcmp(read_file("dir"), "A") == 0);
    CHECK_ERR(renameat2_("c", "missing", RENAME_EXCHANGE), ENOENT);
    CHECK_ERR(renameat2_("b", "b/inside", RENAME_EXCHANGE), EINVAL);
    CHECK_ERR(renameat2_("c", "d", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
    CHECK_ERR(renameat2_("c", "d", 0x100), EINVAL);
}

TEST(unlink_open_files)
{
    char c;
    struct stat st;
    write_file("file", "x");
    int fd = open("file", O_RDWR);
    CHECK(unlink("file") == 0);
    CHECK_ERR(open("file", O_RDONLY), ENOENT);
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK(fstat(fd, &st) == 0);
    CHECK(st.st_nlink == 0 && st.st_size == 2);
    write_file("file", "new");
    CHECK(fstat(fd, &st) == 0 && st.st_size == 2);
    close(fd);
    CHECK_ERR(unlink("."), EISDIR);
    CHECK_ERR(unlink("missing"), ENOENT);
    CHECK_ERR(unlink("file/"), ENOTDIR);
    CHECK_ERR(unlink("file/x"), ENOTDIR);
    CHECK_ERR(unlink(BAD_POINTER), EFAULT);
    CHECK_ERR(unlinkat(AT_FDCWD, "file", 0x100000), EINVAL);
}

TEST(directories)
{
    CHECK(mkdir("d", 0777) == 0);
    struct stat st;
    CHECK(stat("d", &st) == 0 && st.st_mode == (S_IFDIR | 0755));
    CHECK_ERR(mkdir("d", 0755), EEXIST);
    CHECK(mkdir("e/", 0755) == 0);
    CHECK_ERR(mkdir("x/y", 0755), ENOENT);
    CHECK_ERR(mkdir("/", 0755), EEXIST);
    CHECK_ERR(mkdir(".", 0755), EEXIST);
    CHECK_ERR(mkdir("", 0755), ENOENT);
    write_file("d/file", "");
    CHECK_ERR(mkdir("d/file", 0755), EEXIST);
    CHECK_ERR(mkdir("d/file/x", 0755), ENOTDIR);
    CHECK_ERR(rmdir("d"), ENOTEMPTY);
    CHECK_ERR(rmdir("d/file"), ENOTDIR);
    CHECK_ERR(rmdir("."), EINVAL);
    CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
    CHECK_ERR(rmdir("missing"), ENOENT);
    CHECK_ERR(rmdir("/"), EBUSY);
    CHECK(symlink("e", "s") == 0);
    CHECK_ERR(rmdir("s"), ENOTDIR);
    CHECK(unlinkat(AT_FDCWD, "e", AT_REMOVEDIR) == 0);
    CHECK_ERR(unlinkat(AT_FDCWD, "d", 0), EISDIR);
}

TEST(removed_working_directory)
{
    char cwd[PATH_MAX];
    CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof cwd), ENOENT);
    CHECK_ERR(open("new", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK_ERR(mkdir("new", 0700), ENOENT);
    CHECK(access(".", F_OK) == 0);
    CHECK(chdir("..") == 0);
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK_ERR(syscall(SYS_getcwd, cwd, 2), ERANGE);
    CHECK_ERR(syscall(SYS_getcwd, BAD_POINTER, 4096), EFAULT);
    CHECK_ERR(chdir("missing"), ENOENT);
    write_file("file", "");
    CHECK_ERR(chdir("file"), ENOTDIR);
}

TEST(path_errors)
{
    char name[300], path[5000];
    struct stat st;
    memset(name, 'n', 256);
    name[256] = 0;
    CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
    CHECK_ERR(stat(name, &st), ENAMETOOLONG);
    name[255] = 0;
    CHECK(mkdir(name, 0700) == 0 && rmdir(name) == 0);
    memset(path, '/', 4096);
    path[4096] = 0;
    CHECK_ERR(stat(path, &st), ENAMETOOLONG);
    path[4095] = 0;
    CHECK(stat(path, &st) == 0);
    for (int i = 0; i < 4094; i += 2)
        memcpy(path + i, "./", 2);
    path[4094] = 0;
    CHECK(stat(path, &st) == 0);
    CHECK(stat("///proc///self//.././/version", &st) == 0);
    CHECK(stat("/../../..", &st) == 0);
}

TEST(special_files)
{
    struct stat st;
    CHECK(mkfifo("fifo", 0666) == 0 && stat("fifo", &st) == 0);
    CHECK_EQ(st.st_mode, S_IFIFO | 0644);
    CHECK(mknod("regular", S_IFREG | 0600, 0) == 0 && mknod("plain", 0600, 0) == 0);
    CHECK(stat("plain", &st) == 0 && S_ISREG(st.st_mode));
    CHECK(mknod("sock", S_IFSOCK | 0600, 0) == 0 && stat("sock", &st) == 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERR(open("sock", O_RDONLY), ENXIO);
    CHECK_ERR(mknod("dir", S_IFDIR | 0700, 0), EPERM);
    CHECK_ERR(mknod("bad", 0150000, 0), EINVAL);
    CHECK_ERR(mkfifo("fifo", 0600), EEXIST);
    if (geteuid() == 0)
        IN_CHILD {
            CHECK(chmod(".", 0777) == 0 && setuid(1000) == 0);
            CHECK_ERR(mknod("device", S_IFCHR | 0600, 0x103), EPERM);
            CHECK(mkfifo("mine", 0600) == 0);
        }
}
