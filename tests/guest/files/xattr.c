/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: set, get, list, remove, sizes, namespaces, who may. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/xattr.h>

TEST(user_namespace)
{
    char value[64], list[256];
    write_file("file", "x");
    if (setxattr("file", "user.one", "1234", 4, 0) == -1 && errno == EOPNOTSUPP)
        SKIP("file system without user attributes");
    CHECK_EQ(getxattr("file", "user.one", NULL, 0), 4);
    CHECK_EQ(getxattr("file", "user.one", value, 64), 4);
    CHECK(memcmp(value, "1234", 4) == 0);
    CHECK_ERR(getxattr("file", "user.one", value, 3), ERANGE);
    CHECK_ERR(getxattr("file", "user.two", value, 64), ENODATA);
    CHECK_ERR(setxattr("file", "user.one", "x", 1, XATTR_CREATE), EEXIST);
    CHECK_ERR(setxattr("file", "user.two", "x", 1, XATTR_REPLACE), ENODATA);
    CHECK(setxattr("file", "user.one", "56", 2, XATTR_REPLACE) == 0);
    CHECK(setxattr("file", "user.two", "", 0, XATTR_CREATE) == 0);
    CHECK_EQ(getxattr("file", "user.two", value, 64), 0);
    CHECK_EQ(listxattr("file", NULL, 0), 18);
    CHECK_EQ(listxattr("file", list, sizeof list), 18);
    CHECK(memmem(list, 18, "user.one", 9) && memmem(list, 18, "user.two", 9));
    CHECK_ERR(listxattr("file", list, 17), ERANGE);
    int fd = open("file", O_RDONLY);
    CHECK_EQ(fgetxattr(fd, "user.one", value, 64), 2);
    CHECK(fremovexattr(fd, "user.one") == 0);
    CHECK_ERR(removexattr("file", "user.one"), ENODATA);
    CHECK_EQ(flistxattr(fd, list, sizeof list), 9);
    close(fd);
}

TEST(refusals)
{
    char value[8], name[300];
    write_file("file", "x");
    if (setxattr("file", "user.one", "1234", 4, 0) == -1 && errno == EOPNOTSUPP)
        SKIP("file system without user attributes");
    CHECK_ERR(setxattr("file", "user.x", "x", 1, 4), EINVAL);
    CHECK_ERR(setxattr("file", "nonsense.x", "x", 1, 0), EOPNOTSUPP);
    CHECK_ERR(setxattr("file", "user.", "x", 1, 0), EINVAL);
    CHECK_ERR(setxattr("file", "", "x", 1, 0), ERANGE);
    CHECK_ERR(setxattr("file", "user.big", check_opaque(value), 65537, 0), E2BIG);
    CHECK_ERR(setxattr("missing", "user.x", "x", 1, 0), ENOENT);
    CHECK_ERR(setxattr("file", "user.x", BAD_POINTER, 1, 0), EFAULT);
    CHECK_ERR(setxattr("file", BAD_POINTER, "x", 1, 0), EFAULT);
    CHECK_ERR(getxattr("file", "user.one", BAD_POINTER, 8), EFAULT);
    CHECK_ERR(fsetxattr(99, "user.x", "x", 1, 0), EBADF);
    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5);
    name[256] = 0;
    CHECK_ERR(setxattr("file", name, "x", 1, 0), ERANGE);
    name[255] = 0;
    CHECK(setxattr("file", name, "x", 1, 0) == 0);
    CHECK(symlink("file", "link") == 0);
    CHECK_ERR(lsetxattr("link", "user.x", "x", 1, 0), EPERM);
    CHECK_ERR(lgetxattr("link", "user.one", value, 8), ENODATA);
    CHECK_EQ(getxattr("link", "user.one", value, 8), 4);
    CHECK(mkfifo("fifo", 0600) == 0);
    CHECK_ERR(setxattr("fifo", "user.x", "x", 1, 0), EPERM);
}

TEST(trusted_namespace)
{
    char value[8], list[256];
    write_file("file", "x");
    CHECK(chmod("file", 0666) == 0);
    if (setxattr("file", "trusted.t", "v", 1, 0) == -1)
        SKIP("needs CAP_SYS_ADMIN and a file system that has them");
    CHECK_EQ(getxattr("file", "trusted.t", value, 8), 1);
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_ERR(getxattr("file", "trusted.t", value, 8), ENODATA);
        CHECK_ERR(setxattr("file", "trusted.t", "v", 1, 0), EPERM);
        ssize_t n = listxattr("file", list, sizeof list);
        CHECK(n >= 0 && !memmem(list, n, "trusted.", 8));
    }
}

TEST(permissions)
{
    char value[8];
    write_file("file", "x");
    if (geteuid() != 0)
        SKIP("needs root");
    if (setxattr("file", "user.one", "1234", 4, 0) == -1 && errno == EOPNOTSUPP)
        SKIP("file system without user attributes");
    CHECK(chmod("file", 0644) == 0);
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_EQ(getxattr("file", "user.one", value, 8), 4);
        CHECK_ERR(setxattr("file", "user.one", "x", 1, 0), EACCES);
        CHECK_ERR(removexattr("file", "user.one"), EACCES);
    }
    CHECK(chmod("file", 0600) == 0);
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_ERR(getxattr("file", "user.one", value, 8), EACCES);
    }
    int ro = open("file", O_PATH);
    CHECK_ERR(fgetxattr(ro, "user.one", value, 8), EBADF);
    close(ro);
}

TEST(attributes_follow_the_inode)
{
    char value[8];
    write_file("file", "x");
    if (setxattr("file", "user.one", "1234", 4, 0) == -1 && errno == EOPNOTSUPP)
        SKIP("file system without user attributes");
    CHECK(link("file", "other") == 0 && unlink("file") == 0 && rename("other", "last") == 0);
    CHECK_EQ(getxattr("last", "user.one", value, 8), 4);
    CHECK(mkdir("dir", 0755) == 0 && setxattr("dir", "user.d", "d", 1, 0) == 0);
    CHECK_EQ(getxattr("dir", "user.d", value, 8), 1);
}
