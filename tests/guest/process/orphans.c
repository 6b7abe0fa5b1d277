/* SPDX-License-Identifier: Apache-2.0 */
/* Parents that end before their children: re-parenting, subreapers, the parent-death signal. */
#include "../check.h"

static int report[2];

TEST(subreaper_adopts_grandchildren)
{
    IN_CHILD {
        int set = 0;
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        CHECK(prctl(PR_GET_CHILD_SUBREAPER, &set) == 0);
        CHECK_EQ(set, 1);
        CHECK(pipe(report) == 0);
        pid_t middle = check_fork();
        if (middle == 0) {
            pid_t me = getpid();
            if (check_fork() == 0) {
                while (getppid() == me)
                    sleep_ms(1);
                pid_t parent = getppid();
                CHECK_EQ(write(report[1], &parent, sizeof parent), sizeof parent);
                _exit(17);
            }
            _exit(0);
        }
        CHECK_EXIT(middle, 0);
        pid_t parent;
        CHECK_EQ(read(report[0], &parent, sizeof parent), sizeof parent);
        CHECK_EQ(parent, getpid());
        int status;
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK_EQ(WEXITSTATUS(status), 17);
        CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
    }
}

TEST(subreaper_is_not_inherited)
{
    IN_CHILD {
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        IN_CHILD {
            int set = 7;
            CHECK(prctl(PR_GET_CHILD_SUBREAPER, &set) == 0);
            CHECK_EQ(set, 0);
        }
    }
    CHECK_ERR(prctl(PR_GET_CHILD_SUBREAPER, BAD_POINTER), EFAULT);
}

TEST(zombies_are_handed_over_too)
{
    IN_CHILD {
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        pid_t middle = check_fork();
        if (middle == 0) {
            pid_t zombie = check_fork();
            if (zombie == 0)
                _exit(33);
            siginfo_t info;
            CHECK(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
            _exit(0);
        }
        CHECK_EXIT(middle, 0);
        int status;
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK_EQ(WEXITSTATUS(status), 33);
    }
}

TEST(parent_death_signal)
{
    IN_CHILD {
        int got = -1;
        CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
        CHECK(prctl(PR_GET_PDEATHSIG, &got) == 0);
        CHECK_EQ(got, SIGUSR2);
        CHECK_ERR(prctl(PR_SET_PDEATHSIG, 1000), EINVAL);
        CHECK_ERR(prctl(PR_SET_PDEATHSIG, -1), EINVAL);
        CHECK_ERR(prctl(PR_GET_PDEATHSIG, BAD_POINTER), EFAULT);
        CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0);
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        int ready[2];
        CHECK(pipe(ready) == 0);
        pid_t middle = check_fork();
        if (middle == 0) {
            if (check_fork() == 0) {
                CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
                CHECK(write(ready[1], "r", 1) == 1);
                pause();
                _exit(0);
            }
            char c;
            CHECK(read(ready[0], &c, 1) == 1);
            _exit(0);
        }
        CHECK_EXIT(middle, 0);
        int status;
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
    }
}

TEST(pdeathsig_is_not_inherited)
{
    IN_CHILD {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
        IN_CHILD {
            int got = -1;
            CHECK(prctl(PR_GET_PDEATHSIG, &got) == 0);
            CHECK_EQ(got, 0);
        }
    }
}

TEST(exit_signal_is_sigchld_after_reparenting)
{
    IN_CHILD {
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        pid_t middle = check_fork();
        if (middle == 0) {
            pid_t odd = syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, 0);
            if (odd == 0) {
                sleep_ms(60);
                _exit(8);
            }
            _exit(0);
        }
        int status;
        CHECK_EXIT(middle, 0);
        siginfo_t info;
        struct timespec none = {0, 0}, limit = {5, 0};
        sigtimedwait(&set, &info, &none);
        CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGCHLD);
        CHECK_EQ(info.si_status, 8);
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK_EQ(WEXITSTATUS(status), 8);
    }
}
