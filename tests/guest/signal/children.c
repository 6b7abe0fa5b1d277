/* SPDX-License-Identifier: Apache-2.0 */
/* SIGCHLD and job control: CLD_* codes, NOCLDSTOP, NOCLDWAIT, default actions of all signals. */
#include "../check.h"

static sigset_t chld;

static void block_chld(void)
{
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &chld, NULL) == 0);
}

static siginfo_t next_chld(void)
{
    siginfo_t info = {0};
    struct timespec limit = {5, 0};
    CHECK_EQ(sigtimedwait(&chld, &info, &limit), SIGCHLD);
    return info;
}

static int no_chld(void)
{
    struct timespec limit = {0, 30 * MS};
    return sigtimedwait(&chld, NULL, &limit) == -1 && errno == EAGAIN;
}

static pid_t child_pausing(void)
{
    pid_t pid = check_fork();
    while (pid == 0)
        pause();
    return pid;
}

TEST(codes)
{
    block_chld();
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(6);
    siginfo_t info = next_chld();
    CHECK(info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 6 && info.si_uid == getuid());
    CHECK_EXIT(pid, 6);
    pid = child_pausing();
    kill(pid, SIGSTOP);
    info = next_chld();
    CHECK(info.si_code == CLD_STOPPED && info.si_pid == pid && info.si_status == SIGSTOP);
    kill(pid, SIGCONT);
    info = next_chld();
    CHECK(info.si_code == CLD_CONTINUED && info.si_pid == pid && info.si_status == SIGCONT);
    kill(pid, SIGKILL);
    info = next_chld();
    CHECK(info.si_code == CLD_KILLED && info.si_pid == pid && info.si_status == SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

static void ignore(int signal)
{
}

TEST(nocldstop)
{
    block_chld();
    set_handler(SIGCHLD, ignore, SA_NOCLDSTOP);
    pid_t pid = child_pausing();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, NULL, WCONTINUED), pid);
    CHECK(no_chld());
    kill(pid, SIGKILL);
    CHECK_EQ(next_chld().si_code, CLD_KILLED);
    CHECK_KILLED(pid, SIGKILL);
    set_handler(SIGCHLD, SIG_DFL, 0);
}

TEST(ignored_children_leave_no_zombies)
{
    IN_CHILD {
        block_chld();
        set_handler(SIGCHLD, SIG_IGN, 0);
        pid_t pid = check_fork();
        if (pid == 0) {
            sleep_ms(20);
            _exit(0);
        }
        CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
        CHECK_ERR(kill(pid, 0), ESRCH);
        CHECK(no_chld());
        set_handler(SIGCHLD, ignore, SA_NOCLDWAIT);
        pid = check_fork();
        if (pid == 0)
            _exit(0);
        CHECK_EQ(next_chld().si_pid, pid);
        CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
    }
}

TEST(default_actions)
{
    int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
                    SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSYS, SIGRTMIN, SIGRTMAX};
    int stopping[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    for (size_t i = 0; i < LENGTH(deadly); i++) {
        pid_t pid = child_pausing();
        CHECK(kill(pid, deadly[i]) == 0);
        CHECK_KILLED(pid, deadly[i]);
    }
    for (size_t i = 0; i < LENGTH(stopping); i++) {
        pid_t pid = child_pausing();
        int status;
        CHECK(setpgid(pid, pid) == 0);
        CHECK(kill(pid, stopping[i]) == 0);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == stopping[i]);
        CHECK_EQ(task_state(pid), 'T');
        CHECK(kill(pid, SIGUSR1) == 0);
        CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
        CHECK(kill(pid, SIGCONT) == 0);
        CHECK_KILLED(pid, SIGUSR1);
    }
    for (size_t i = 0; i < LENGTH(harmless); i++) {
        pid_t pid = child_pausing();
        CHECK(kill(pid, harmless[i]) == 0);
        CHECK(kill(pid, 0) == 0);
        CHECK(kill(pid, SIGKILL) == 0);
        CHECK_KILLED(pid, SIGKILL);
    }
}

TEST(kill_works_on_stopped_processes)
{
    pid_t pid = child_pausing();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(continue_cancels_pending_stops)
{
    IN_CHILD {
        sigset_t set, pending;
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        sigaddset(&set, SIGCONT);
        CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        raise(SIGTSTP);
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGTSTP));
        set_handler(SIGCONT, ignore, 0);
        raise(SIGCONT);
        sigpending(&pending);
        CHECK(!sigismember(&pending, SIGTSTP) && sigismember(&pending, SIGCONT));
        raise(SIGTSTP);
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGTSTP) && !sigismember(&pending, SIGCONT));
    }
}

TEST(stop_stops_all_threads)
{
    static volatile long *counter;
    counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        void *spin(void *arg)
        {
            for (;;)
                ++*counter;
            return NULL;
        }
        pthread_create(&thread, NULL, spin, NULL);
        for (;;)
            pause();
    }
    while (*counter == 0)
        sched_yield();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    long before = *counter;
    sleep_ms(30);
    CHECK_EQ(*counter, before);
    CHECK(kill(pid, SIGCONT) == 0);
    for (int i = 0; i < 1000 && *counter == before; i++)
        sleep_ms(2);
    CHECK(*counter != before);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(abort_and_busy_loops_die)
{
    pid_t pid = check_fork();
    if (pid == 0)
        abort();
    CHECK_KILLED(pid, SIGABRT);
    pid = check_fork();
    while (pid == 0)
        __asm__ volatile("");
    sleep_ms(20);
    CHECK(kill(pid, SIGTERM) == 0);
    CHECK_KILLED(pid, SIGTERM);
}
