/* SPDX-License-Identifier: Apache-2.0 */
/* stat(2), statx(2), chmod(2), chown(2), utimensat(2), access(2), statfs(2). */
#define CHECK_SCRATCH
#include "../check.h"
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

TEST(fields)
{
    struct stat st, other;
    write_file("file", "12345");
    CHECK(stat("file", &st) == 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0644);
    CHECK_EQ(st.st_size, 5);
    CHECK_EQ(st.st_nlink, 1);
    CHECK_EQ(st.st_uid, geteuid());
    CHECK(st.st_blksize >= 512 && st.st_ino != 0);
    CHECK(link("file", "second") == 0 && stat("second", &other) == 0);
    CHECK_EQ(other.st_nlink, 2);
    CHECK(other.st_ino == st.st_ino && other.st_dev == st.st_dev);
    CHECK(symlink("file", "link") == 0 && lstat("link", &other) == 0);
    CHECK_EQ(other.st_mode, S_IFLNK | 0777);
    CHECK_EQ(other.st_size, 4);
    CHECK(fstatat(AT_FDCWD, "link", &other, 0) == 0 && other.st_ino == st.st_ino);
    CHECK(fstatat(AT_FDCWD, "link", &other, AT_SYMLINK_NOFOLLOW) == 0 && other.st_ino != st.st_ino);
    int fd = open("file", O_RDONLY);
    CHECK(fstatat(fd, "", &other, AT_EMPTY_PATH) == 0 && other.st_ino == st.st_ino);
    CHECK_ERR(fstatat(fd, "", &other, 0), ENOENT);
    CHECK_ERR(fstatat(fd, "x", &other, 0), ENOTDIR);
    CHECK_ERR(fstatat(AT_FDCWD, "file", &other, 0x40000), EINVAL);
    CHECK_ERR(stat("file", BAD_POINTER), EFAULT);
    CHECK_ERR(stat(BAD_POINTER, &st), EFAULT);
    CHECK_ERR(fstat(99, &st), EBADF);
    CHECK(mkdir("dir", 0755) == 0 && stat("dir", &st) == 0);
    CHECK(S_ISDIR(st.st_mode));
    nlink_t before = st.st_nlink;
    CHECK(mkdir("dir/sub", 0755) == 0 && stat("dir", &st) == 0);
    CHECK(st.st_nlink == before + 1 || st.st_nlink == 1);
    close(fd);
}

TEST(statx_)
{
    struct statx stx;
    struct stat st;
    write_file("file", "abc");
    CHECK(stat("file", &st) == 0);
    CHECK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &stx) == 0);
    CHECK_EQ(stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK(stx.stx_mode == st.st_mode && stx.stx_size == 3 && stx.stx_ino == st.st_ino);
    CHECK_EQ(makedev(stx.stx_dev_major, stx.stx_dev_minor), st.st_dev);
    CHECK(statx(AT_FDCWD, ".", AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) == 0);
    CHECK(S_ISDIR(stx.stx_mode));
    CHECK_ERR(statx(AT_FDCWD, "file", AT_STATX_SYNC_TYPE, STATX_TYPE, &stx), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "file", 0, 0x80000000u, &stx), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "missing", 0, 0, &stx), ENOENT);
    CHECK_ERR(statx(AT_FDCWD, "file", 0, 0, BAD_POINTER), EFAULT);
}

TEST(change_mode)
{
    struct stat st;
    write_file("file", "");
    CHECK(chmod("file", 04755) == 0 && stat("file", &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 04755);
    CHECK(symlink("file", "link") == 0 && chmod("link", 0600) == 0 && stat("file", &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    int fd = open("file", O_RDONLY);
    CHECK(fchmod(fd, 0640) == 0 && fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    CHECK_ERR(chmod("missing", 0600), ENOENT);
    CHECK_ERR(fchmod(99, 0600), EBADF);
    CHECK(chmod("file", 0177777) == 0 && stat("file", &st) == 0);
    CHECK_EQ(st.st_mode, S_IFREG | 07777);
    close(fd);
}

TEST(change_owner)
{
    struct stat st;
    if (geteuid() != 0)
        SKIP("needs root");
    write_file("file", "x");
    CHECK(chmod("file", 06755) == 0 && chown("file", 1000, 1001) == 0 && stat("file", &st) == 0);
    CHECK(st.st_uid == 1000 && st.st_gid == 1001);
    CHECK_EQ(st.st_mode & 07777, 0755);
    CHECK(chown("file", -1, 5) == 0 && stat("file", &st) == 0);
    CHECK(st.st_uid == 1000 && st.st_gid == 5);
    CHECK(symlink("file", "link") == 0 && lchown("link", 7, 7) == 0 && stat("file", &st) == 0);
    CHECK_EQ(st.st_uid, 1000);
    CHECK(lstat("link", &st) == 0 && st.st_uid == 7);
    CHECK_ERR(fchownat(AT_FDCWD, "file", 1, 1, 0x100000), EINVAL);
    IN_CHILD {
        CHECK(setgid(1001) == 0 && setuid(1000) == 0);
        CHECK(chown("file", -1, 1001) == 0);
        CHECK_ERR(chown("file", -1, 0), EPERM);
        CHECK_ERR(chown("file", 0, -1), EPERM);
        CHECK(chown("file", 1000, -1) == 0);
        CHECK(chmod("file", 0644) == 0);
    }
    IN_CHILD {
        CHECK(setuid(2000) == 0);
        CHECK_ERR(chmod("file", 0777), EPERM);
        CHECK_ERR(chown("file", 2000, -1), EPERM);
    }
}

TEST(times)
{
    struct stat before, st;
    write_file("file", "x");
    struct timespec set[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
    CHECK(utimensat(AT_FDCWD, "file", set, 0) == 0 && stat("file", &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
    CHECK(st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 987654321);
    CHECK(labs(st.st_ctim.tv_sec - time(NULL)) < 5);
    set[0].tv_nsec = UTIME_OMIT;
    set[1].tv_nsec = UTIME_NOW;
    CHECK(utimensat(AT_FDCWD, "file", set, 0) == 0 && stat("file", &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000000 && labs(st.st_mtim.tv_sec - time(NULL)) < 5);
    before = st;
    set[1].tv_nsec = UTIME_OMIT;
    CHECK(utimensat(AT_FDCWD, "file", set, 0) == 0 && stat("file", &st) == 0);
    CHECK(memcmp(&before.st_ctim, &st.st_ctim, sizeof st.st_ctim) == 0);
    set[0].tv_nsec = 1000000000;
    CHECK_ERR(utimensat(AT_FDCWD, "file", set, 0), EINVAL);
    CHECK_ERR(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
    CHECK_ERR(utimensat(AT_FDCWD, "file", BAD_POINTER, 0), EFAULT);
    int fd = open("file", O_RDWR);
    CHECK(futimens(fd, NULL) == 0);
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    CHECK(futimens(fd, old) == 0);
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK(fstat(fd, &st) == 0);
    CHECK(st.st_mtim.tv_sec > 1000);
    CHECK(symlink("file", "link") == 0 && utimensat(AT_FDCWD, "link", old, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(lstat("link", &st) == 0 && st.st_mtim.tv_sec == 1000);
    struct timeval tv[2] = {{1, 2}, {3, 4}};
    CHECK(utimes("file", tv) == 0 && stat("file", &st) == 0);
    CHECK(st.st_mtim.tv_sec == 3 && st.st_mtim.tv_nsec == 4000);
    close(fd);
}

TEST(directory_times_follow_its_entries)
{
    struct stat st;
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    CHECK(mkdir("dir", 0755) == 0);
    write_file("dir/a", "");
    CHECK(utimensat(AT_FDCWD, "dir", old, 0) == 0);
    write_file("dir/a", "more");
    CHECK(stat("dir", &st) == 0 && st.st_mtim.tv_sec == 1000);
    CHECK(rename("dir/a", "dir/b") == 0 && stat("dir", &st) == 0);
    CHECK(st.st_mtim.tv_sec > 1000);
}

TEST(access_)
{
    write_file("file", "x");
    CHECK(chmod("file", 0600) == 0);
    CHECK(access("file", F_OK) == 0 && access("file", R_OK | W_OK) == 0);
    CHECK_ERR(access("file", X_OK), EACCES);
    CHECK_ERR(access("file", 8), EINVAL);
    CHECK_ERR(access("missing", F_OK), ENOENT);
    CHECK_ERR(syscall(439, AT_FDCWD, "file", F_OK, 0x40000), EINVAL);
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        CHECK(setresuid(0, 1000, 0) == 0);
        CHECK(access("file", R_OK) == 0);
        CHECK_ERR(syscall(439, AT_FDCWD, "file", R_OK, AT_EACCESS), EACCES);
    }
    IN_CHILD {
        CHECK(setresuid(1000, 0, 0) == 0);
        CHECK_ERR(access("file", R_OK), EACCES);
        CHECK(syscall(439, AT_FDCWD, "file", R_OK, AT_EACCESS) == 0);
    }
}

TEST(statfs_)
{
    struct statfs fs;
    CHECK(statfs("/proc", &fs) == 0);
    CHECK_EQ(fs.f_type, PROC_SUPER_MAGIC);
    CHECK(statfs("/dev/shm", &fs) == 0);
    CHECK_EQ(fs.f_type, TMPFS_MAGIC);
    CHECK(statfs(".", &fs) == 0);
    CHECK(fs.f_bsize > 0 && fs.f_namelen == 255);
    int fd = open(".", O_RDONLY);
    CHECK(fstatfs(fd, &fs) == 0);
    CHECK_ERR(statfs("missing", &fs), ENOENT);
    CHECK_ERR(fstatfs(99, &fs), EBADF);
    CHECK_ERR(statfs(".", BAD_POINTER), EFAULT);
    close(fd);
}
