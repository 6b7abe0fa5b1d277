/* SPDX-License-Identifier: Apache-2.0 */
/* Priorities, scheduling policies, affinity, prctl and personality. */
#include "../check.h"
#include <sys/personality.h>

TEST(priorities)
{
    IN_CHILD {
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
        CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
        CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 15);
        CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0);
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
        CHECK_ERR(getpriority(9, 0), EINVAL);
        CHECK_ERR(setpriority(9, 0, 0), EINVAL);
        CHECK_ERR(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
        CHECK_ERR(setpriority(PRIO_PGRP, 0x3fffffff, 1), ESRCH);
        IN_CHILD {
            CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
        }
        if (geteuid() == 0) {
            struct rlimit none = {0, 0};
            CHECK(setrlimit(RLIMIT_NICE, &none) == 0);
            CHECK(setuid(1000) == 0);
            CHECK_ERR(setpriority(PRIO_PROCESS, 0, 0), EACCES);
        }
    }
}

TEST(policies)
{
    struct sched_param param = {77};
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK(sched_getparam(0, &param) == 0);
    CHECK_EQ(param.sched_priority, 0);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_ERR(sched_get_priority_max(77), EINVAL);
    CHECK_ERR(sched_getscheduler(-1), EINVAL);
    CHECK_ERR(sched_getscheduler(0x3fffffff), ESRCH);
    CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
    param.sched_priority = 1;
    CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
    CHECK_ERR(sched_setscheduler(0, 77, &param), EINVAL);
    param.sched_priority = 100;
    CHECK_ERR(sched_setscheduler(0, SCHED_FIFO, &param), EINVAL);
    IN_CHILD {
        param.sched_priority = 0;
        CHECK(sched_setscheduler(0, SCHED_BATCH, &param) == 0);
        CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    }
    struct timespec quantum;
    CHECK(sched_rr_get_interval(0, &quantum) == 0);
}

TEST(affinity)
{
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    int n = CPU_COUNT(&set);
    CHECK(n >= 1);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof set, &set), ESRCH);
    IN_CHILD {
        int cpu = 0;
        while (!CPU_ISSET(cpu, &set))
            cpu++;
        CPU_ZERO(&set);
        CHECK_ERR(sched_setaffinity(0, sizeof set, &set), EINVAL);
        CPU_SET(cpu, &set);
        CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
        CPU_ZERO(&set);
        CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
        CHECK_EQ(CPU_COUNT(&set), 1);
        CHECK(CPU_ISSET(cpu, &set));
        IN_CHILD {
            CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
            CHECK_EQ(CPU_COUNT(&set), 1);
        }
    }
    CHECK(sched_yield() == 0);
}

TEST(names)
{
    char name[17];
    CHECK(prctl(PR_SET_NAME, "a-name-longer-than-fifteen") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0);
    CHECK(strcmp(name, "a-name-longer-t") == 0);
    CHECK(strcmp(read_file("/proc/self/comm"), "a-name-longer-t\n") == 0);
    CHECK_ERR(prctl(PR_SET_NAME, BAD_POINTER), EFAULT);
    CHECK_ERR(prctl(PR_GET_NAME, BAD_POINTER), EFAULT);
}

TEST(no_new_privs)
{
    IN_CHILD {
        CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
        CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
        CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
        IN_CHILD {
            CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        }
    }
}

TEST(dumpable_and_others)
{
    IN_CHILD {
        CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
        CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
        CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
        CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
        CHECK_EQ(prctl(PR_GET_TIMING), 0);
        CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
        CHECK_ERR(prctl(123456), EINVAL);
        CHECK(prctl(PR_SET_TIMERSLACK, 12345) == 0);
        CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
    }
}

TEST(personalities)
{
    IN_CHILD {
        int old = personality(0xffffffff);
        CHECK_EQ(old & 0xff, 0);
        CHECK_EQ(personality(ADDR_NO_RANDOMIZE), old);
        CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
        IN_CHILD {
            CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
        }
    }
}
