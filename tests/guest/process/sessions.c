/* SPDX-License-Identifier: Apache-2.0 */
/* Process groups and sessions: setpgid(2), setsid(2) and the rules between them; kill(2) to groups. */
#include "../check.h"

TEST(setsid)
{
    IN_CHILD {
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(getsid(0), getpid());
        CHECK_EQ(getpgrp(), getpid());
        CHECK_ERR(setsid(), EPERM);
        CHECK_ERR(setpgid(0, 0), EPERM);
        IN_CHILD {
            CHECK_EQ(getsid(0), getppid());
            CHECK_EQ(getpgid(0), getppid());
            CHECK_EQ(setsid(), getpid());
        }
    }
    IN_CHILD {
        CHECK(setpgid(0, 0) == 0);
        CHECK_ERR(setsid(), EPERM);
    }
}

TEST(bad_ids)
{
    CHECK_ERR(getpgid(-1), ESRCH);
    CHECK_ERR(getsid(0x3fffffff), ESRCH);
    CHECK_ERR(setpgid(0, -1), EINVAL);
    CHECK_ERR(setpgid(0x3fffffff, 0), ESRCH);
    CHECK_ERR(setpgid(getppid() ? getppid() : 0x3fffffff, 0), ESRCH);
    IN_CHILD {
        CHECK_ERR(setpgid(0, 0x3fffffff), EPERM);
    }
}

TEST(groups_of_children)
{
    pid_t first = check_fork();
    while (first == 0)
        pause();
    pid_t second = check_fork();
    while (second == 0)
        pause();
    CHECK(setpgid(first, first) == 0);
    CHECK(setpgid(second, first) == 0);
    CHECK_EQ(getpgid(second), first);
    CHECK_EQ(getsid(second), getsid(0));
    CHECK(setpgid(second, second) == 0);
    CHECK(setpgid(second, first) == 0);
    CHECK(kill(-first, 0) == 0);
    CHECK(kill(-first, SIGKILL) == 0);
    CHECK_KILLED(first, SIGKILL);
    CHECK_KILLED(second, SIGKILL);
    CHECK_ERR(kill(-first, 0), ESRCH);
}

TEST(group_of_another_session)
{
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t other = check_fork();
    if (other == 0) {
        CHECK(setsid() > 0);
        CHECK(write(ready[1], "r", 1) == 1);
        pause();
    }
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK_ERR(setpgid(other, 0), EPERM);
    IN_CHILD {
        CHECK_ERR(setpgid(0, other), EPERM);
    }
    kill(other, SIGKILL);
    CHECK_KILLED(other, SIGKILL);
}

PROGRAM(sleeper)
{
    (void)!write(1, "r", 1);
    sleep_ms(5000);
}

TEST(no_setpgid_after_exec)
{
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        dup2(ready[1], 1);
        execl(check_self, "x", "@sleeper", NULL);
        _exit(99);
    }
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK_ERR(setpgid(pid, pid), EACCES);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(group_lives_without_its_leader)
{
    int gate[2];
    CHECK(pipe(gate) == 0);
    pid_t leader = check_fork();
    if (leader == 0) {
        setpgid(0, 0);
        _exit(0);
    }
    setpgid(leader, leader);
    pid_t member = check_fork();
    if (member == 0) {
        close(gate[1]);
        char c;
        (void)!read(gate[0], &c, 1);
        _exit(getpgrp() == leader ? 0 : 1);
    }
    CHECK(setpgid(member, leader) == 0);
    CHECK_EXIT(leader, 0);
    CHECK(kill(-leader, 0) == 0);
    CHECK_EQ(getpgid(member), leader);
    close(gate[0]);
    close(gate[1]);
    CHECK_EXIT(member, 0);
}

static volatile int hangups, continues;

static void count(int signal)
{
    if (signal == SIGHUP)
        hangups++;
    else
        continues++;
}

TEST(orphaned_stopped_group_gets_hangup)
{
    int out[2];
    CHECK(pipe(out) == 0);
    pid_t middle = check_fork();
    if (middle == 0) {
        CHECK(setsid() > 0);
        pid_t child = check_fork();
        if (child == 0) {
            set_handler(SIGHUP, count, 0);
            set_handler(SIGCONT, count, 0);
            CHECK(setpgid(0, 0) == 0);
            raise(SIGSTOP);
            for (int i = 0; i < 1000 && !(hangups && continues); i++)
                sleep_ms(1);
            CHECK_EQ(hangups, 1);
            CHECK_EQ(continues, 1);
            CHECK(write(out[1], "!", 1) == 1);
            _exit(0);
        }
        CHECK_EQ(waitpid(child, NULL, WUNTRACED), child);
        _exit(0);
    }
    CHECK_EXIT(middle, 0);
    close(out[1]);
    char c = 0;
    CHECK_EQ(read(out[0], &c, 1), 1);
    close(out[0]);
}

TEST(stop_is_ignored_in_an_orphaned_group)
{
    IN_CHILD {
        CHECK(setsid() > 0);
        CHECK(raise(SIGTSTP) == 0);
        CHECK(raise(SIGTTIN) == 0);
    }
}
