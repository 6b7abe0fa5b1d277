/* SPDX-License-Identifier: Apache-2.0 */
/* Users, groups and capabilities; all checks that change something run in children. */
#include "../check.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>

struct caps {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
};

static struct caps get_caps(void)
{
    struct caps caps = {.header = {_LINUX_CAPABILITY_VERSION_3, 0}};
    CHECK(syscall(SYS_capget, &caps.header, caps.data) == 0);
    return caps;
}

static int is_root(void)
{
    return geteuid() == 0 && get_caps().data[0].effective & 1 << CAP_SETUID && get_caps().data[0].effective & 1 << CAP_SETGID;
}

static void check_uids(uid_t real, uid_t effective, uid_t saved)
{
    uid_t r, e, s;
    CHECK(getresuid(&r, &e, &s) == 0);
    CHECK_EQ(r, real);
    CHECK_EQ(e, effective);
    CHECK_EQ(s, saved);
    CHECK_EQ(getuid(), real);
    CHECK_EQ(geteuid(), effective);
}

TEST(setuid_as_root_sets_all)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        check_uids(1000, 1000, 1000);
        CHECK_ERR(setuid(0), EPERM);
        CHECK_ERR(seteuid(0), EPERM);
        CHECK_ERR(setresuid(-1, -1, 0), EPERM);
        CHECK(setresuid(-1, -1, -1) == 0);
        CHECK(setuid(1000) == 0);
    }
}

TEST(setresuid_and_back)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        CHECK(setresuid(1, 2, 0) == 0);
        check_uids(1, 2, 0);
        CHECK(seteuid(0) == 0);
        check_uids(1, 0, 0);
        CHECK(setresuid(1, 2, 3) == 0);
        CHECK_ERR(setresuid(4, -1, -1), EPERM);
        CHECK(setresuid(2, 3, 1) == 0);
        check_uids(2, 3, 1);
        CHECK(setuid(1) == 0);
        check_uids(2, 1, 1);
    }
    CHECK_ERR(syscall(SYS_getresuid, BAD_POINTER, BAD_POINTER, BAD_POINTER), EFAULT);
}

TEST(setreuid_saved_rule)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        CHECK(setreuid(1000, 1001) == 0);
        check_uids(1000, 1001, 1001);
        CHECK(setreuid(1001, 1000) == 0);
        check_uids(1001, 1000, 1000);
        CHECK(setreuid(-1, 1001) == 0);
        check_uids(1001, 1001, 1000);
        CHECK_ERR(setreuid(1000, 0), EPERM);
    }
    IN_CHILD {
        CHECK(setreuid(-1, 1001) == 0);
        check_uids(0, 1001, 1001);
    }
}

TEST(groups)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        gid_t list[4] = {5, 3, 9}, got[4];
        CHECK(setgroups(3, list) == 0);
        CHECK_EQ(getgroups(0, NULL), 3);
        CHECK_ERR(getgroups(2, got), EINVAL);
        CHECK_ERR(syscall(SYS_getgroups, -1, got), EINVAL);
        CHECK_EQ(getgroups(4, got), 3);
        CHECK(got[0] + got[1] + got[2] == 17);
        CHECK_ERR(setgroups(65537, list), EINVAL);
        CHECK_ERR(setgroups(3, BAD_POINTER), EFAULT);
        gid_t r, e, s;
        CHECK(setresgid(10, 11, 12) == 0);
        CHECK(getresgid(&r, &e, &s) == 0);
        CHECK(r == 10 && e == 11 && s == 12);
        CHECK(setgid(13) == 0);
        CHECK_EQ(getgid(), 13);
        CHECK(setregid(14, 15) == 0);
        CHECK_EQ(getegid(), 15);
        CHECK(setuid(1000) == 0);
        CHECK_ERR(setgroups(0, NULL), EPERM);
        CHECK_ERR(setgid(0), EPERM);
        CHECK(setgid(14) == 0);
        CHECK_EQ(getgroups(4, got), 3);
    }
}

TEST(capabilities_fall_with_the_uid)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        CHECK(setresuid(0, 1000, 0) == 0);
        CHECK_EQ(get_caps().data[0].effective, 0);
        CHECK(get_caps().data[0].permitted != 0);
        CHECK(seteuid(0) == 0);
        CHECK(get_caps().data[0].effective != 0);
        CHECK(setuid(1000) == 0);
        CHECK_EQ(get_caps().data[0].permitted, 0);
        CHECK_EQ(get_caps().data[0].effective, 0);
    }
    IN_CHILD {
        CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
        CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
        CHECK(setuid(1000) == 0);
        CHECK(get_caps().data[0].permitted != 0);
        CHECK_EQ(get_caps().data[0].effective, 0);
    }
    CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
}

TEST(capset)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        struct caps caps = get_caps(), less = caps;
        less.data[0].effective &= ~(1u << CAP_CHOWN);
        CHECK(syscall(SYS_capset, &less.header, less.data) == 0);
        CHECK_EQ(get_caps().data[0].effective, less.data[0].effective);
        CHECK(syscall(SYS_capset, &caps.header, caps.data) == 0);
        less.data[0].permitted &= ~(1u << CAP_CHOWN);
        CHECK(syscall(SYS_capset, &less.header, less.data) == 0);
        CHECK_ERR(syscall(SYS_capset, &caps.header, caps.data), EPERM);
        less.data[0].effective |= 1u << CAP_CHOWN;
        CHECK_ERR(syscall(SYS_capset, &less.header, less.data), EPERM);
        CHECK_ERR(syscall(SYS_capset, &less.header, BAD_POINTER), EFAULT);
    }
    struct caps caps = get_caps();
    caps.header.version = 1;
    CHECK_ERR(syscall(SYS_capget, &caps.header, caps.data), EINVAL);
    CHECK_EQ(caps.header.version, _LINUX_CAPABILITY_VERSION_3);
    caps.header.pid = -1;
    CHECK_ERR(syscall(SYS_capget, &caps.header, caps.data), EINVAL);
    caps.header.pid = 0x3fffffff;
    CHECK_ERR(syscall(SYS_capget, &caps.header, caps.data), ESRCH);
    caps.header.pid = 0;
    CHECK_ERR(syscall(SYS_capget, BAD_POINTER, caps.data), EFAULT);
}

TEST(bounding_set)
{
    CHECK_ERR(prctl(PR_CAPBSET_READ, 64), EINVAL);
    if (!is_root() || !(get_caps().data[0].effective & 1 << CAP_SETPCAP))
        SKIP("needs CAP_SETPCAP");
    IN_CHILD {
        CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
        CHECK(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == 0);
        CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
        CHECK(setuid(1000) == 0);
        CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
    }
}

TEST(file_system_ids)
{
    if (!is_root())
        SKIP("needs root");
    IN_CHILD {
        CHECK_EQ(setfsuid(1000), 0);
        CHECK_EQ(setfsuid(-1), 1000);
        CHECK_EQ(setfsgid(1000), getegid());
        CHECK_EQ(setfsgid(-1), 1000);
        CHECK(seteuid(2) == 0);
        CHECK_EQ(setfsuid(-1), 2);
    }
}

TEST(signals_between_users)
{
    if (!is_root())
        SKIP("needs root");
    pid_t target = check_fork();
    while (target == 0)
        pause();
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_ERR(kill(target, SIGTERM), EPERM);
        CHECK_ERR(kill(target, 0), EPERM);
        CHECK(kill(getpid(), 0) == 0);
    }
    CHECK(kill(target, SIGKILL) == 0);
    CHECK_KILLED(target, SIGKILL);
}
