/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of pseudo-terminals for the programs of this family. */
#ifndef PTY_H
#define PTY_H

#include "../check.h"
#include <termios.h>

/* Opens a master and its slave, the slave in canonical mode with echo off unless asked otherwise later. */
static inline void open_pair(int *master, int *slave)
{
    char name[64];
    unsigned number;
    *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(*master >= 0);
    CHECK(grantpt(*master) == 0 && unlockpt(*master) == 0);
    CHECK(ioctl(*master, TIOCGPTN, &number) == 0);
    snprintf(name, sizeof name, "/dev/pts/%u", number);
    *slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(*slave >= 0);
}

static inline void change_flags(int fd, tcflag_t local_off, tcflag_t local_on, tcflag_t output_off)
{
    struct termios termios;
    CHECK(tcgetattr(fd, &termios) == 0);
    termios.c_lflag = (termios.c_lflag & ~local_off) | local_on;
    termios.c_oflag &= ~output_off;
    CHECK(tcsetattr(fd, TCSANOW, &termios) == 0);
}

static inline void put(int fd, const char *text)
{
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Reads what is there within a second and compares. */
static inline void expect(int fd, const char *text)
{
    char buffer[512] = "";
    size_t n = 0;
    struct pollfd pollfd = {fd, POLLIN, 0};
    while (n < strlen(text) && poll(&pollfd, 1, 1000) == 1 && (pollfd.revents & POLLIN)) {
        ssize_t got = read(fd, buffer + n, sizeof buffer - 1 - n);
        if (got <= 0)
            break;
        n += got;
    }
    buffer[n] = 0;
    if (strcmp(buffer, text) != 0)
        check_failed(__FILE__, __LINE__, "text of the terminal", "got \"%s\", wanted \"%s\"", buffer, text);
}

static inline void expect_nothing(int fd)
{
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 20), 0);
}

#endif
