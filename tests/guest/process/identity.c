/* SPDX-License-Identifier: Apache-2.0 */
/* getpid, getppid, getuid and their kin tell the truth at once after whatever changes them, also to a caller who asks nothing else. */
#include "../check.h"
#include <pthread.h>

static long ask(long number)
{
    return syscall(number);
}

TEST(child_knows_itself_and_its_parent)
{
    pid_t parent = ask(SYS_getpid);
    for (int i = 0; i < 20; i++) {
        pid_t child = check_fork();
        if (child == 0) {
            CHECK(ask(SYS_getpid) != parent);
            CHECK_EQ(ask(SYS_getpid), ask(SYS_gettid));
            CHECK_EQ(ask(SYS_getppid), parent);
            _exit(0);
        }
        CHECK_EXIT(child, 0);
        CHECK_EQ(ask(SYS_getpid), parent);
    }
}

static void *in_thread(void *tid)
{
    *(long *)tid = ask(SYS_gettid);
    CHECK_EQ(ask(SYS_getpid), getpid());
    return NULL;
}

TEST(thread_has_a_number_of_its_own)
{
    long first = 0, second = 0;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_thread, &first) == 0);
    pthread_join(thread, NULL);
    CHECK(pthread_create(&thread, NULL, in_thread, &second) == 0);
    pthread_join(thread, NULL);
    CHECK(first && second && first != second && first != getpid() && second != getpid());
}

/* The orphan makes no other call: nothing but the change itself can bring it the news. */
TEST(orphan_that_only_asks_hears_of_its_new_parent)
{
    IN_CHILD {
        int started[2], status;
        char byte = 0;
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        CHECK(pipe(started) == 0);
        pid_t me = getpid(), middle = check_fork();
        if (middle == 0) {
            pid_t parent = getpid();
            if (check_fork() == 0) {
                CHECK_EQ(write(started[1], &byte, 1), 1);
                long long end = now_ns() + 5000 * MS;
                while (ask(SYS_getppid) == parent && now_ns() < end)
                    ;
                _exit(ask(SYS_getppid) == me ? 21 : 22);
            }
            CHECK_EQ(read(started[0], &byte, 1), 1);
            sleep_ms(10);
            _exit(0);
        }
        CHECK_EXIT(middle, 0);
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK_EQ(WEXITSTATUS(status), 21);
    }
}

static void *change_ids(void *unused)
{
    CHECK(syscall(SYS_setresgid, 4, 5, 6) == 0);
    CHECK(syscall(SYS_setresuid, 1, 2, 3) == 0);
    CHECK(ask(SYS_getuid) == 1 && ask(SYS_geteuid) == 2 && ask(SYS_getgid) == 4 && ask(SYS_getegid) == 5);
    return unused;
}

TEST(credentials_belong_to_the_thread_and_change_at_once)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, change_ids, NULL) == 0);
        pthread_join(thread, NULL);
        CHECK(ask(SYS_getuid) == 0 && ask(SYS_geteuid) == 0 && ask(SYS_getgid) == 0 && ask(SYS_getegid) == 0);
        change_ids(NULL);
        pid_t child = check_fork();
        if (child == 0) {
            CHECK(ask(SYS_getuid) == 1 && ask(SYS_geteuid) == 2 && ask(SYS_getgid) == 4 && ask(SYS_getegid) == 5);
            _exit(0);
        }
        CHECK_EXIT(child, 0);
    }
}

TEST(large_ids_are_not_negative)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        CHECK(syscall(SYS_setresuid, 0xfffffff0u, 0xfffffff0u, 0xfffffff0u) == 0);
        CHECK_EQ(ask(SYS_getuid), 0xfffffff0L);
    }
}

PROGRAM(leader)
{
    CHECK_EQ(ask(SYS_gettid), ask(SYS_getpid));
    CHECK_EQ(argc, 3);
    CHECK_EQ(ask(SYS_getpid), atoi(argv[2]));
}

static void *execute(void *unused)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    char *argv[] = {check_self, "@leader", pid, NULL};
    execv(check_self, argv);
    return unused;
}

TEST(thread_that_executes_becomes_the_leader)
{
    pid_t child = check_fork();
    if (child == 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, execute, NULL) == 0);
        pthread_join(thread, NULL);
        _exit(1);
    }
    CHECK_EXIT(child, 0);
}
