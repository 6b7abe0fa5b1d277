/* SPDX-License-Identifier: Apache-2.0 */
/* Signals from open files: O_ASYNC with F_SETOWN, F_SETOWN_EX and F_SETSIG on pipes, sockets and terminals. */
#define CHECK_SCRATCH
#include "../check.h"

static volatile int caught, last_code, last_fd;
static volatile long last_band;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    caught++;
    last_code = info->si_code;
    if (signo != SIGIO) {
        last_fd = info->si_fd;
        last_band = info->si_band;
    }
}

static void catch(int signo)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signo, &action, NULL) == 0);
    caught = last_code = last_fd = 0;
    last_band = 0;
}

static void make_async(int fd, int owner)
{
    CHECK(fcntl(fd, F_SETOWN, owner) == 0);
    CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0);
    CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
}

TEST(pipe_tells_its_reader)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    catch(SIGIO);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 0);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    make_async(ends[0], getpid());
    CHECK_EQ(caught, 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 1);
    CHECK_EQ(last_code, SI_KERNEL);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(caught, 1);
    CHECK(fcntl(ends[0], F_SETFL, 0) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 1);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    int on = 1;
    CHECK(ioctl(ends[0], FIOASYNC, &on) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 2);
    close(ends[0]), close(ends[1]);
}

TEST(chosen_signal_says_why)
{
    int pair[2];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    catch(SIGRTMIN + 3);
    CHECK(fcntl(pair[0], F_SETSIG, SIGRTMIN + 3) == 0);
    make_async(pair[0], getpid());
    caught = 0;
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_EQ(caught, 1);
    CHECK_EQ(last_code, POLL_IN);
    CHECK_EQ(last_fd, pair[0]);
    CHECK_EQ(last_band, POLLIN | POLLRDNORM);
    CHECK_EQ(read(pair[0], &byte, 1), 1);
    close(pair[1]);
    CHECK(caught >= 2);
    close(pair[0]);
}

TEST(nobody_or_another_is_the_owner)
{
    int ends[2], ready[2], status;
    char byte;
    CHECK(pipe(ends) == 0);
    CHECK(pipe(ready) == 0);
    catch(SIGIO);
    CHECK(fcntl(ends[0], F_SETFL, O_ASYNC) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 0);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        while (!caught)
            sleep_ms(1);
        _exit(7);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    struct f_owner_ex owner = {F_OWNER_PGRP, child};
    CHECK(fcntl(ends[0], F_SETOWN_EX, &owner) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_EQ(caught, 0);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    owner = (struct f_owner_ex){F_OWNER_TID, gettid()};
    CHECK(fcntl(ends[0], F_SETOWN_EX, &owner) == 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 1);
    close(ends[0]), close(ends[1]), close(ready[0]), close(ready[1]);
}

TEST(default_action_ends_the_process)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        signal(SIGIO, SIG_DFL);
        make_async(ends[0], getpid());
        CHECK_EQ(write(ends[1], "x", 1), 1);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGIO);
}

TEST(terminals_tell_about_keys)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    catch(SIGIO);
    make_async(slave, getpid());
    caught = 0;
    CHECK_EQ(write(master, "a\n", 2), 2);
    for (int i = 0; i < 1000 && !caught; i++)
        sleep_ms(1);
    CHECK(caught >= 1);
    close(slave), close(master);
}

TEST(a_closed_file_tells_nobody)
{
    int ends[2], copy;
    CHECK(pipe(ends) == 0);
    catch(SIGIO);
    make_async(ends[0], getpid());
    copy = dup(ends[0]);
    close(ends[0]);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(caught, 1);
    close(copy);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(caught, 1);
    close(ends[1]);
    int file = open("plain", O_RDWR | O_CREAT, 0600);
    int on = 1;
    CHECK(fcntl(file, F_SETFL, O_ASYNC | O_APPEND) == 0);
    CHECK_EQ(fcntl(file, F_GETFL) & (O_ASYNC | O_APPEND), O_APPEND);
    CHECK_ERR(ioctl(file, FIOASYNC, &on), ENOTTY);
    CHECK_EQ(write(file, "x", 1), 1);
    CHECK_EQ(caught, 1);
    close(file);
}
