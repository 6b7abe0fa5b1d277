/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2), umount2(2), chroot(2), pivot_root(2); each test in a child, with a mount namespace of its own when allowed. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/mount.h>
#include <sys/statfs.h>

static int may_mount(void)
{
    if (geteuid() != 0 || mkdir("probe", 0755) == -1)
        return 0;
    if (mount("none", "probe", "tmpfs", 0, NULL) == -1)
        return 0;
    CHECK(umount2("probe", MNT_DETACH) == 0);
    return 1;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

TEST(tmpfs)
{
    if (!may_mount())
        SKIP("may not mount");
    CHECK(mkdir("point", 0755) == 0);
    write_file("point/under", "x");
    CHECK(mount("none", "point", "tmpfs", 0, "mode=0700,size=1m") == 0);
    CHECK(!exists("point/under"));
    struct stat st, parent;
    struct statfs fs;
    CHECK(stat("point", &st) == 0 && stat(".", &parent) == 0);
    CHECK(st.st_dev != parent.st_dev);
    CHECK_EQ(st.st_mode & 0777, 0700);
    CHECK(statfs("point", &fs) == 0);
    CHECK_EQ(fs.f_blocks * fs.f_bsize, 1 << 20);
    int fd = open("point/file", O_RDWR | O_CREAT, 0600);
    CHECK_ERR(umount("point"), EBUSY);
    char *big = calloc(1, 2 << 20);
    ssize_t n = write(fd, big, 2 << 20);
    CHECK(n > 0 && n <= 1 << 20);
    CHECK_ERR(write(fd, big, PAGE * 2), ENOSPC);
    free(big);
    CHECK_ERR(rename("point/file", "outside"), EXDEV);
    CHECK_ERR(link("point/file", "outside"), EXDEV);
    CHECK_ERR(rmdir("point"), EBUSY);
    close(fd);
    CHECK(umount("point") == 0);
    CHECK(exists("point/under"));
}

TEST(flags)
{
    if (!may_mount())
        SKIP("may not mount");
    CHECK(mkdir("point", 0755) == 0 && mount("none", "point", "tmpfs", 0, NULL) == 0);
    write_file("point/file", "x");
    CHECK(mount("none", "point", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK_ERR(open("point/file", O_WRONLY), EROFS);
    CHECK_ERR(open("point/new", O_CREAT | O_RDWR, 0600), EROFS);
    CHECK_ERR(mkdir("point/d", 0700), EROFS);
    CHECK_ERR(unlink("point/file"), EROFS);
    CHECK_ERR(chmod("point/file", 0600), EROFS);
    CHECK_ERR(access("point/file", W_OK), EROFS);
    CHECK(open("point/file", O_RDONLY) >= 0);
    CHECK(umount2("point", MNT_DETACH) == 0);
    CHECK(!exists("point/file"));
    CHECK(mount("none", "point", "tmpfs", MS_NOEXEC | MS_NODEV, NULL) == 0);
    write_file("point/script", "#!/bin/true\n");
    CHECK(chmod("point/script", 0755) == 0);
    CHECK_ERR(execl("point/script", "x", NULL), EACCES);
    CHECK(mknod("point/null", S_IFCHR | 0666, 0x103) == 0);
    CHECK_ERR(open("point/null", O_RDONLY), EACCES);
    CHECK(umount("point") == 0);
}

TEST(bind)
{
    if (!may_mount())
        SKIP("may not mount");
    CHECK(mkdir("from", 0755) == 0 && mkdir("to", 0755) == 0);
    write_file("from/file", "hello");
    CHECK(mount("from", "to", NULL, MS_BIND, NULL) == 0);
    CHECK(strcmp(read_file("to/file"), "hello") == 0);
    write_file("to/new", "n");
    CHECK(exists("from/new"));
    CHECK_ERR(rename("to/new", "from/other"), EXDEV);
    CHECK(mount("none", "to", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    CHECK_ERR(open("to/file", O_WRONLY), EROFS);
    int fd = open("from/file", O_WRONLY);
    CHECK(fd >= 0);
    close(fd);
    CHECK(umount("to") == 0);
    write_file("single", "old");
    CHECK(mount("from/file", "single", NULL, MS_BIND, NULL) == 0);
    CHECK(strcmp(read_file("single"), "hello") == 0);
    CHECK_ERR(unlink("single"), EBUSY);
    CHECK(umount("single") == 0);
    CHECK(strcmp(read_file("single"), "old") == 0);
    CHECK_ERR(mount("from", "single", NULL, MS_BIND, NULL), ENOTDIR);
}

TEST(mount_points_in_paths)
{
    if (!may_mount())
        SKIP("may not mount");
    char cwd[PATH_MAX], here[PATH_MAX];
    CHECK(getcwd(here, sizeof here) != NULL);
    CHECK(mkdir("point", 0755) == 0 && mount("none", "point", "tmpfs", 0, NULL) == 0);
    CHECK(mkdir("point/sub", 0755) == 0 && chdir("point/sub") == 0);
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK(strcmp(cwd + strlen(here), "/point/sub") == 0);
    CHECK(strstr(read_file("/proc/self/mountinfo"), "/point ") != NULL);
    CHECK(chdir("../..") == 0);
    CHECK(exists("point/sub"));
    CHECK(umount2("point", MNT_DETACH) == 0);
    CHECK(strstr(read_file("/proc/self/mountinfo"), "/point ") == NULL);
}

TEST(refusals)
{
    if (!may_mount())
        SKIP("may not mount");
    CHECK(mkdir("point", 0755) == 0);
    CHECK_ERR(mount("none", "point", "nosuchfs", 0, NULL), ENODEV);
    CHECK_ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERR(mount("none", "point", BAD_POINTER, 0, NULL), EFAULT);
    CHECK_ERR(mount("missing", "point", NULL, MS_BIND, NULL), ENOENT);
    CHECK_ERR(mount("none", "point", NULL, MS_REMOUNT, NULL), EINVAL);
    CHECK_ERR(umount("point"), EINVAL);
    CHECK_ERR(umount("missing"), ENOENT);
    CHECK_ERR(umount2("point", 0x100), EINVAL);
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_ERR(mount("none", "point", "tmpfs", 0, NULL), EPERM);
        CHECK_ERR(umount("/proc"), EPERM);
        CHECK_ERR(chroot("."), EPERM);
    }
}

TEST(chroot_)
{
    if (geteuid() != 0)
        SKIP("needs root");
    CHECK(mkdir("root", 0755) == 0 && mkdir("root/dir", 0755) == 0);
    write_file("root/inside", "in");
    CHECK(symlink("/inside", "root/link") == 0);
    IN_CHILD {
        if (chroot("root") == -1) {
            CHECK_EQ(errno, EPERM);
            _exit(0);
        }
        char cwd[PATH_MAX];
        CHECK(exists("/inside") && exists("/link") && exists("/../inside") && exists("/dir/../../inside"));
        CHECK(syscall(SYS_getcwd, cwd, sizeof cwd) > 0);
        CHECK(strncmp(cwd, "(unreachable)", 13) == 0);
        CHECK(chdir("/dir") == 0);
        CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/dir") == 0);
        CHECK(chdir("..") == 0 && chdir("..") == 0);
        CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/") == 0);
        CHECK_ERR(chroot("/inside"), ENOTDIR);
        CHECK_ERR(chroot("/missing"), ENOENT);
    }
    CHECK(!exists("/inside-of-check"));
}
