/* SPDX-License-Identifier: Apache-2.0 */
/* What other users may do: mode bits, search permission, sticky and setgid directories, umask, set-id bits on writes and exec. */
#define CHECK_SCRATCH
#include "../check.h"
#include <grp.h>

static int root(void)
{
    return geteuid() == 0;
}

static void become(uid_t uid, gid_t gid)
{
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setresgid(gid, gid, gid) == 0);
    CHECK(setresuid(uid, uid, uid) == 0);
}

static void make(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
    write_file(path, "text");
    CHECK(chown(path, uid, gid) == 0 && chmod(path, mode) == 0);
}

TEST(mode_bits)
{
    if (!root())
        SKIP("needs root");
    make("owner", 1000, 1000, 0400);
    make("group", 2000, 1000, 0040);
    make("other", 2000, 2000, 0004);
    make("not_owner", 1000, 1000, 0077);
    make("write", 2000, 2000, 0002);
    CHECK(chmod("owner", 0400) == 0);
    IN_CHILD {
        CHECK((open("owner", O_RDONLY)) >= 0);
    }
    IN_CHILD {
        become(1000, 1000);
        CHECK(open("owner", O_RDONLY) >= 0);
        CHECK_ERR(open("owner", O_WRONLY), EACCES);
        CHECK(open("group", O_RDONLY) >= 0);
        CHECK(open("other", O_RDONLY) >= 0);
        CHECK_ERR(open("not_owner", O_RDONLY), EACCES);
        CHECK(open("write", O_WRONLY) >= 0);
        CHECK_ERR(open("write", O_RDONLY), EACCES);
        CHECK_ERR(open("other", O_RDONLY | O_TRUNC), EACCES);
        CHECK_ERR(truncate("other", 0), EACCES);
        CHECK_ERR(open("new", O_CREAT | O_RDWR, 0600), EACCES);
        CHECK_ERR(mkdir("new", 0700), EACCES);
        CHECK_ERR(unlink("owner"), EACCES);
        CHECK_ERR(rename("owner", "x"), EACCES);
        CHECK_ERR(symlink("a", "b"), EACCES);
        CHECK_ERR(utimensat(AT_FDCWD, "other", NULL, 0), EACCES);
        CHECK(utimensat(AT_FDCWD, "write", NULL, 0) == 0);
        struct timespec set[2] = {{1, 0}, {1, 0}};
        CHECK_ERR(utimensat(AT_FDCWD, "write", set, 0), EPERM);
    }
}

TEST(supplementary_groups)
{
    if (!root())
        SKIP("needs root");
    make("group", 2000, 777, 0040);
    IN_CHILD {
        gid_t list[] = {5, 777};
        CHECK(setgroups(2, list) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
        CHECK(open("group", O_RDONLY) >= 0);
    }
}

TEST(search_permission)
{
    if (!root())
        SKIP("needs root");
    CHECK(mkdir("locked", 0755) == 0);
    make("locked/file", 1000, 1000, 0666);
    CHECK(chmod("locked", 0744) == 0);
    IN_CHILD {
        become(1000, 1000);
        int fd = open("locked", O_RDONLY);
        char buffer[512];
        CHECK(fd >= 0 && syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
        CHECK_ERR(open("locked/file", O_RDONLY), EACCES);
        CHECK_ERR(openat(fd, "file", O_RDONLY), EACCES);
        CHECK_ERR(chdir("locked"), EACCES);
        struct stat st;
        CHECK_ERR(stat("locked/file", &st), EACCES);
    }
    CHECK(chmod("locked", 0711) == 0);
    IN_CHILD {
        become(1000, 1000);
        CHECK_ERR(open("locked", O_RDONLY), EACCES);
        CHECK(open("locked/file", O_RDONLY) >= 0);
        CHECK(open("locked", O_PATH) >= 0);
    }
}

TEST(sticky_directory)
{
    if (!root())
        SKIP("needs root");
    CHECK(mkdir("tmp", 0700) == 0 && chmod("tmp", 01777) == 0);
    make("tmp/mine", 1000, 1000, 0666);
    make("tmp/theirs", 2000, 2000, 0666);
    IN_CHILD {
        become(1000, 1000);
        CHECK_ERR(unlink("tmp/theirs"), EPERM);
        CHECK_ERR(rename("tmp/theirs", "tmp/x"), EPERM);
        CHECK_ERR(rename("tmp/mine", "tmp/theirs"), EPERM);
        CHECK(rename("tmp/mine", "tmp/still") == 0);
        CHECK(unlink("tmp/still") == 0);
    }
}

TEST(setgid_directory)
{
    struct stat st;
    if (!root())
        SKIP("needs root");
    CHECK(mkdir("shared", 0755) == 0 && chown("shared", 0, 55) == 0 && chmod("shared", 02777) == 0);
    write_file("shared/file", "");
    CHECK(mkdir("shared/dir", 0755) == 0);
    CHECK(stat("shared/file", &st) == 0);
    CHECK_EQ(st.st_gid, 55);
    CHECK(stat("shared/dir", &st) == 0);
    CHECK_EQ(st.st_gid, 55);
    CHECK_EQ(st.st_mode & 07777, 02755);
    IN_CHILD {
        become(1000, 1000);
        write_file("shared/user", "");
        CHECK(stat("shared/user", &st) == 0 && st.st_gid == 55);
        CHECK(chmod("shared/user", 02755) == 0 && stat("shared/user", &st) == 0);
        CHECK_EQ(st.st_mode & 07777, 0755);
    }
}

TEST(writes_drop_set_id_bits)
{
    struct stat st;
    if (!root())
        SKIP("needs root");
    make("file", 1000, 1000, 06777);
    IN_CHILD {
        become(2000, 2000);
        int fd = open("file", O_WRONLY);
        CHECK(fd >= 0);
        CHECK_EQ(write(fd, "x", 1), 1);
        CHECK(fstat(fd, &st) == 0);
        CHECK_EQ(st.st_mode & 07777, 0777);
    }
    CHECK(chmod("file", 04777) == 0);
    IN_CHILD {
        become(2000, 2000);
        CHECK(truncate("file", 1) == 0 && stat("file", &st) == 0);
        CHECK_EQ(st.st_mode & 07777, 0777);
    }
}

PROGRAM(identity)
{
    CHECK_EQ(getuid(), 1000);
    CHECK_EQ(geteuid(), atoi(argv[2]));
    CHECK_EQ(getegid(), atoi(argv[3]));
}

TEST(set_id_programs)
{
    if (!root())
        SKIP("needs root");
    int in = open(check_self, O_RDONLY), out = open("program", O_WRONLY | O_CREAT, 0755);
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        CHECK_EQ(write(out, buffer, n), n);
    close(in), close(out);
    CHECK(chown("program", 3000, 3001) == 0 && chmod("program", 06755) == 0);
    IN_CHILD {
        become(1000, 1000);
        execl("./program", "x", "@identity", "3000", "3001", NULL);
        CHECK(!"exec came back");
    }
    IN_CHILD {
        become(1000, 1000);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        execl("./program", "x", "@identity", "1000", "1000", NULL);
        CHECK(!"exec came back");
    }
    CHECK(chmod("program", 0644) == 0);
    CHECK_ERR(execl("./program", "x", "@identity", NULL), EACCES);
}

TEST(umask_)
{
    struct stat st;
    CHECK_EQ(umask(0777), 022);
    CHECK_EQ(umask(07027), 0777);
    CHECK_EQ(umask(027), 0027);
    CHECK(mkdir("d", 0777) == 0 && stat("d", &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0750);
    CHECK(mkfifo("f", 0777) == 0 && stat("f", &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0750);
    umask(022);
}
