/* SPDX-License-Identifier: Apache-2.0 */
/* The line discipline: canonical editing, echo, raw mode with VMIN and VTIME, output processing, hang-up. */
#include "pty.h"

static int master, slave;

TEST(names)
{
    open_pair(&master, &slave);
    char name[64];
    CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
    CHECK(strncmp(name, "/dev/pts/", 9) == 0);
    CHECK(isatty(slave) && isatty(master));
    struct stat st;
    CHECK(fstat(slave, &st) == 0);
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev >> 8 == 136);
    CHECK(fstat(master, &st) == 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_ERR(open("/dev/pts/987654", O_RDWR), ENOENT);
    int lock = 1;
    CHECK(ioctl(master, TIOCSPTLCK, &lock) == 0);
    CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);
    int null = open("/dev/null", O_RDONLY);
    CHECK(!isatty(null) && errno == ENOTTY);
    close(null), close(slave), close(master);
}

TEST(defaults)
{
    open_pair(&master, &slave);
    struct termios termios;
    CHECK(tcgetattr(slave, &termios) == 0);
    CHECK_EQ(termios.c_iflag, ICRNL | IXON);
    CHECK_EQ(termios.c_oflag, OPOST | ONLCR);
    CHECK_EQ(termios.c_lflag & (ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN), ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN);
    CHECK(termios.c_cc[VINTR] == 3 && termios.c_cc[VEOF] == 4 && termios.c_cc[VERASE] == 127 && termios.c_cc[VKILL] == 21);
    CHECK_EQ(cfgetospeed(&termios), B38400);
    CHECK_ERR(ioctl(slave, TCGETS, BAD_POINTER), EFAULT);
    close(slave), close(master);
}

TEST(canonical_lines)
{
    open_pair(&master, &slave);
    change_flags(slave, ECHO, 0, OPOST);
    put(master, "half");
    expect_nothing(slave);
    put(master, " line\nsecond\n");
    char buffer[64];
    CHECK_EQ(read(slave, buffer, 3), 3);
    CHECK_EQ(read(slave, buffer, 64), 7);
    CHECK(memcmp(buffer, "f line\n", 7) == 0);
    CHECK_EQ(read(slave, buffer, 64), 7);
    put(master, "abx\177c\n");
    expect(slave, "abc\n");
    put(master, "one two\027x\n");
    expect(slave, "one x\n");
    put(master, "gone\025stays\n");
    expect(slave, "stays\n");
    put(master, "cr\r");
    expect(slave, "cr\n");
    put(master, "\026\003\n");
    expect(slave, "\003\n");
    put(master, "no newline\004");
    CHECK_EQ(read(slave, buffer, 64), 10);
    put(master, "\004");
    CHECK_EQ(read(slave, buffer, 64), 0);
    close(slave), close(master);
}

TEST(echo)
{
    open_pair(&master, &slave);
    put(master, "ab\177c\n");
    expect(master, "ab\b \bc\r\n");
    expect(slave, "ac\n");
    put(master, "\001\n");
    expect(master, "^A\r\n");
    expect(slave, "\001\n");
    change_flags(slave, ECHO, ECHONL, 0);
    put(master, "hidden\n");
    expect(master, "\r\n");
    expect_nothing(master);
    close(slave), close(master);
}

TEST(output_processing)
{
    open_pair(&master, &slave);
    put(slave, "line\nnext\n");
    expect(master, "line\r\nnext\r\n");
    change_flags(slave, 0, 0, OPOST);
    put(slave, "raw\n");
    expect(master, "raw\n");
    expect_nothing(master);
    close(slave), close(master);
}

static void set_raw(int fd, int vmin, int vtime)
{
    struct termios termios;
    CHECK(tcgetattr(fd, &termios) == 0);
    cfmakeraw(&termios);
    termios.c_cc[VMIN] = vmin;
    termios.c_cc[VTIME] = vtime;
    CHECK(tcsetattr(fd, TCSANOW, &termios) == 0);
}

TEST(raw_mode)
{
    open_pair(&master, &slave);
    char buffer[16];
    set_raw(slave, 1, 0);
    put(master, "\003a\r\004");
    CHECK_EQ(read(slave, buffer, 16), 4);
    CHECK(memcmp(buffer, "\003a\r\004", 4) == 0);
    expect_nothing(master);
    set_raw(slave, 0, 0);
    CHECK_EQ(read(slave, buffer, 16), 0);
    put(master, "xy");
    sleep_ms(5);
    CHECK_EQ(read(slave, buffer, 16), 2);
    set_raw(slave, 0, 1);
    long long start = now_ns();
    CHECK_EQ(read(slave, buffer, 16), 0);
    CHECK(now_ns() - start >= 90 * MS);
    set_raw(slave, 3, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        put(master, "1");
        sleep_ms(30);
        put(master, "23");
        _exit(0);
    }
    CHECK_EQ(read(slave, buffer, 16), 3);
    CHECK_EXIT(pid, 0);
    set_raw(slave, 5, 1);
    put(master, "ab");
    CHECK_EQ(read(slave, buffer, 16), 2);
    close(slave), close(master);
}

TEST(flushing_and_counting)
{
    open_pair(&master, &slave);
    int pending = -1;
    char buffer[16];
    change_flags(slave, ECHO, 0, OPOST);
    put(master, "text\n");
    sleep_ms(5);
    CHECK(ioctl(slave, FIONREAD, &pending) == 0);
    CHECK_EQ(pending, 5);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    CHECK(ioctl(slave, FIONREAD, &pending) == 0);
    CHECK_EQ(pending, 0);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERR(read(slave, buffer, 16), EAGAIN);
    CHECK(tcdrain(slave) == 0);
    CHECK_ERR(tcflush(slave, 99), EINVAL);
    CHECK_ERR(lseek(slave, 0, SEEK_SET), ESPIPE);
    close(slave), close(master);
}

TEST(hang_up)
{
    char buffer[16];
    open_pair(&master, &slave);
    change_flags(slave, ECHO, 0, 0);
    struct pollfd pollfd = {slave, POLLIN, 0};
    close(master);
    CHECK_EQ(poll(&pollfd, 1, 1000), 1);
    CHECK(pollfd.revents & POLLHUP);
    CHECK_EQ(read(slave, buffer, 16), 0);
    CHECK_ERR(write(slave, "x", 1), EIO);
    CHECK_ERR(ioctl(slave, TCGETS, buffer), EIO);
    close(slave);
    open_pair(&master, &slave);
    put(slave, "last words");
    close(slave);
    CHECK_EQ(read(master, buffer, 16), 10);
    CHECK_ERR(read(master, buffer, 16), EIO);
    pollfd.fd = master;
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK(pollfd.revents & POLLHUP);
    close(master);
}

TEST(large_transfer)
{
    open_pair(&master, &slave);
    set_raw(slave, 1, 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        char block[1000];
        for (int i = 0; i < 100; i++) {
            memset(block, 'a' + i % 26, sizeof block);
            for (size_t n = 0; n < sizeof block;) {
                ssize_t put_now = write(slave, block + n, sizeof block - n);
                CHECK(put_now > 0);
                n += put_now;
            }
        }
        _exit(0);
    }
    char buffer[3000];
    int total = 0;
    while (total < 100000) {
        ssize_t n = read(master, buffer, sizeof buffer);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++, total++)
            CHECK_EQ(buffer[i], 'a' + total / 1000 % 26);
    }
    CHECK_EXIT(pid, 0);
    close(slave), close(master);
}
