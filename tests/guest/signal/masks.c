/* SPDX-License-Identifier: Apache-2.0 */
/* Masks that change all the time, mostly without the kernel's help, while signals come: none is lost, none comes too early. */
#include "../check.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { SIGNALS = 500 };
static atomic_int seen, over;
static _Thread_local volatile int blocked;

static void count(int signo)
{
    (void)signo;
    CHECK(!blocked);
    atomic_fetch_add(&seen, 1);
}

static sigset_t only(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    return set;
}

static void catch(int signo)
{
    struct sigaction action = {.sa_handler = count};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

TEST(forms)
{
    sigset_t set = only(SIGUSR1), old;
    sigaddset(&set, SIGKILL), sigaddset(&set, SIGSTOP);
    CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        set = only(SIGUSR2);
        CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
        CHECK(sigismember(&old, SIGUSR1) == 1 && sigismember(&old, SIGUSR2) == 0 && sigismember(&old, SIGKILL) == 0);
        CHECK(syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &set, 8) == 0);     /* one address for both */
        CHECK(sigismember(&set, SIGUSR1) == 1 && sigismember(&set, SIGUSR2) == 1);
        CHECK(sigprocmask(77, NULL, &old) == 0 && sigismember(&old, SIGUSR2) == 0);
        CHECK_ERR(sigprocmask(77, &set, NULL), EINVAL);
        CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
        CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)16, NULL, 8), EFAULT);
        set = only(SIGHUP);
        CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, (void *)16, 8), EFAULT);
        CHECK(sigprocmask(SIG_UNBLOCK, &set, &old) == 0 && sigismember(&old, SIGHUP) == 1);     /* the mask had changed */
    }
    IN_CHILD {
        CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1) == 1 && sigismember(&old, SIGUSR2) == 0);
    }
}

TEST(pending_while_blocked)
{
    sigset_t set = only(SIGUSR1), waiting;
    catch(SIGUSR1);
    for (int i = 0; i < 1000; i++) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        blocked = 1;
        kill(getpid(), SIGUSR1);
        CHECK(sigpending(&waiting) == 0 && sigismember(&waiting, SIGUSR1) == 1 && seen == i);
        blocked = 0;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        CHECK_EQ(seen, i + 1);                               /* before the call returns */
    }
}

/* Blocks and unblocks until told to stop. */
static void *toggle(void *unused)
{
    sigset_t set = only(SIGUSR1);
    while (!over) {
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        blocked = 1;
        for (volatile int i = 0; i < 20; i++)
            ;
        blocked = 0;
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    return unused;
}

static void sent_from_outside(int threads)
{
    pthread_t others[8];
    pid_t us = getpid(), child;
    int ends[2];
    sigset_t set = only(SIGUSR1);
    char byte;
    seen = over = 0;
    catch(SIGUSR1);
    CHECK(pipe(ends) == 0);
    child = check_fork();
    if (child == 0) {
        for (int i = 0; i < SIGNALS; i++) {
            kill(us, SIGUSR1);
            CHECK(read(ends[0], &byte, 1) == 1);             /* it has arrived, or this waits for ever */
        }
        _exit(0);
    }
    for (int i = 0; i < threads; i++)
        CHECK(pthread_create(&others[i], NULL, toggle, NULL) == 0);
    for (int told = 0; told < SIGNALS;) {
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        blocked = 1;
        blocked = 0;
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        if (seen > told) {
            told++;
            CHECK(write(ends[1], "x", 1) == 1);
        }
    }
    over = 1;
    for (int i = 0; i < threads; i++)
        CHECK(pthread_join(others[i], NULL) == 0);
    CHECK_EXIT(child, 0);
    CHECK_EQ(seen, SIGNALS);
    close(ends[0]), close(ends[1]);
}

TEST(sent_to_one_thread_that_toggles)
{
    sent_from_outside(0);
}

TEST(sent_to_a_process_whose_threads_toggle)
{
    sent_from_outside(3);
}

TEST(shown_in_proc)
{
    sigset_t set = only(SIGUSR2);
    char text[8192], *line;
    for (int i = 0; i < 20; i++) {
        sigprocmask(i % 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
        int fd = open("/proc/self/status", O_RDONLY);
        ssize_t length = read(fd, text, sizeof text - 1);
        CHECK(length > 0);
        text[length] = 0;
        close(fd);
        line = strstr(text, "SigBlk:");
        CHECK(line != NULL);
        CHECK_EQ(strtoul(line + 7, NULL, 16), i % 2 ? 0 : 1UL << (SIGUSR2 - 1));
    }
}

PROGRAM(usr2_is_blocked)
{
    sigset_t old;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR2) == 1 && sigismember(&old, SIGUSR1) == 0);
}

static void *has_it_blocked(void *unused)
{
    sigset_t old;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR2) == 1);
    return unused;
}

TEST(inherited_by_threads_and_programs)
{
    sigset_t set = only(SIGUSR2), old;
    pthread_t thread;
    for (int i = 0; i < 31; i++)                             /* now it is surely changed without the kernel */
        sigprocmask(i % 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
    CHECK(pthread_create(&thread, NULL, has_it_blocked, NULL) == 0 && pthread_join(thread, NULL) == 0);
    pid_t child = check_fork();
    if (child == 0) {
        execl(check_self, check_self, "@usr2_is_blocked", NULL);
        _exit(3);
    }
    CHECK_EXIT(child, 0);
    sigprocmask(SIG_UNBLOCK, &set, &old);
    CHECK(sigismember(&old, SIGUSR2) == 1);
}
