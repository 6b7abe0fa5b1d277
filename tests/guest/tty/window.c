/* SPDX-License-Identifier: Apache-2.0 */
/* The size of a terminal's window, and who hears of a change; `@watch` says what its own terminal's size is whenever it changes. */
#include "pty.h"

static volatile int changes;

static void on_change(int signal)
{
    changes += signal == SIGWINCH;
}

static void say_size(void)
{
    struct winsize size;
    CHECK(ioctl(0, TIOCGWINSZ, &size) == 0);
    printf("size %d %d\n", size.ws_row, size.ws_col);
    fflush(stdout);
}

PROGRAM(watch)
{
    struct sigaction action = {.sa_handler = on_change};
    CHECK(sigaction(SIGWINCH, &action, NULL) == 0);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGWINCH);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    say_size();
    for (int seen = 0; seen < 3; seen++) {
        while (!changes)
            sigsuspend(&before);
        changes = 0;
        say_size();
    }
}

TEST(the_foreground_hears_of_a_change)
{
    int master, slave;
    open_pair(&master, &slave);
    IN_CHILD {
        struct sigaction action = {.sa_handler = on_change};
        struct winsize size = {.ws_row = 40, .ws_col = 100}, read_back;
        CHECK(sigaction(SIGWINCH, &action, NULL) == 0);
        CHECK(setsid() > 0);
        CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
        CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
        CHECK_EQ(changes, 1);
        CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
        CHECK_EQ(changes, 1);
        CHECK(ioctl(slave, TIOCGWINSZ, &read_back) == 0);
        CHECK(memcmp(&size, &read_back, sizeof size) == 0);
    }
    close(master), close(slave);
}
