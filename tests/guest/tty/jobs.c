/* SPDX-License-Identifier: Apache-2.0 */
/* Controlling terminals: sessions, foreground groups, signals from keys, background access, window size, hang-up. */
#include "pty.h"

static int master, slave;
static volatile int caught;

static void on_signal(int signal)
{
    caught = signal;
}

static void lead_session(void)
{
    CHECK(setsid() > 0);
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
}

static void wait_caught(int signal)
{
    for (int i = 0; i < 2000 && caught != signal; i++)
        sleep_ms(1);
    CHECK_EQ(caught, signal);
}

TEST(acquiring)
{
    open_pair(&master, &slave);
    IN_CHILD {
        pid_t group = -1;
        CHECK(setsid() > 0);
        CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
        CHECK_ERR(ioctl(slave, TIOCGPGRP, &group), ENOTTY);
        CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
        CHECK_EQ(tcgetpgrp(slave), getpgrp());
        CHECK_EQ(tcgetsid(slave), getsid(0));
        int tty = open("/dev/tty", O_RDWR);
        CHECK(tty >= 0);
        char name[64];
        CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
        put(tty, "through tty");
        expect(master, "through tty");
        int number = -1;
        CHECK_EQ(sscanf(strrchr(read_file("/proc/self/stat"), ')'), ") %*c %*d %*d %*d %d", &number), 1);
        CHECK(number != 0);
        IN_CHILD {
            CHECK_EQ(tcgetsid(slave), getppid());
        }
        set_handler(SIGHUP, SIG_IGN, 0);
        CHECK(ioctl(slave, TIOCNOTTY) == 0);
        CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
    }
    close(slave), close(master);
}

TEST(opening_acquires_for_a_leader)
{
    open_pair(&master, &slave);
    char name[64];
    CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
    IN_CHILD {
        CHECK(setsid() > 0);
        int fd = open(name, O_RDWR);
        CHECK(fd >= 0);
        CHECK_EQ(tcgetsid(fd), getpid());
    }
    IN_CHILD {
        CHECK(setsid() > 0);
        int fd = open(name, O_RDWR | O_NOCTTY);
        CHECK(fd >= 0);
        CHECK_ERR(tcgetsid(fd), ENOTTY);
    }
    close(slave), close(master);
}

TEST(keys_send_signals)
{
    int keys[][2] = {{3, SIGINT}, {28, SIGQUIT}, {26, SIGTSTP}};
    open_pair(&master, &slave);
    IN_CHILD {
        lead_session();
        for (size_t i = 0; i < LENGTH(keys); i++) {
            char key = keys[i][0];
            set_handler(keys[i][1], on_signal, 0);
            CHECK_EQ(write(master, &key, 1), 1);
            wait_caught(keys[i][1]);
        }
        change_flags(slave, ISIG | ICANON, 0, 0);
        caught = 0;
        put(master, "\003");
        char c;
        CHECK_EQ(read(slave, &c, 1), 1);
        CHECK(c == 3 && caught == 0);
    }
    close(slave), close(master);
}

TEST(interrupt_goes_to_the_foreground_group)
{
    open_pair(&master, &slave);
    IN_CHILD {
        lead_session();
        set_handler(SIGTTOU, SIG_IGN, 0);
        pid_t job = check_fork();
        if (job == 0) {
            setpgid(0, 0);
            for (;;)
                pause();
        }
        CHECK(setpgid(job, job) == 0);
        CHECK(tcsetpgrp(slave, job) == 0);
        CHECK_EQ(tcgetpgrp(slave), job);
        pid_t from_master = 0;
        CHECK(ioctl(master, TIOCGPGRP, &from_master) == 0);
        CHECK_EQ(from_master, job);
        caught = 0;
        set_handler(SIGINT, on_signal, 0);
        put(master, "\003");
        CHECK_KILLED(job, SIGINT);
        CHECK_EQ(caught, 0);
        CHECK(tcsetpgrp(slave, getpgrp()) == 0);
        CHECK_ERR(tcsetpgrp(slave, 0x3fffffff), ESRCH);
        pid_t bad = -1;
        CHECK_ERR(ioctl(slave, TIOCSPGRP, &bad), EINVAL);
    }
    close(slave), close(master);
}

TEST(background_access_stops)
{
    open_pair(&master, &slave);
    IN_CHILD {
        lead_session();
        int status;
        char c;
        pid_t job = check_fork();
        if (job == 0) {
            setpgid(0, 0);
            _exit(read(slave, &c, 1) == 1 ? 0 : 1);
        }
        setpgid(job, job);
        CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
        CHECK(tcsetpgrp(slave, job) == 0);
        put(master, "x\n");
        kill(job, SIGCONT);
        CHECK_EXIT(job, 0);
        set_handler(SIGTTOU, SIG_IGN, 0);
        CHECK(tcsetpgrp(slave, getpgrp()) == 0);
        set_handler(SIGTTOU, SIG_DFL, 0);
        change_flags(slave, 0, TOSTOP, 0);
        job = check_fork();
        if (job == 0) {
            setpgid(0, 0);
            (void)!write(slave, "x", 1);
            _exit(0);
        }
        setpgid(job, job);
        CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
        kill(job, SIGKILL);
        CHECK_KILLED(job, SIGKILL);
        job = check_fork();
        if (job == 0) {
            setpgid(0, 0);
            set_handler(SIGTTIN, SIG_IGN, 0);
            CHECK_ERR(read(slave, &c, 1), EIO);
            _exit(0);
        }
        CHECK_EXIT(job, 0);
    }
    close(slave), close(master);
}

TEST(window_size)
{
    struct winsize size = {24, 80, 0, 0}, got;
    open_pair(&master, &slave);
    CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 0 && got.ws_col == 0);
    IN_CHILD {
        lead_session();
        set_handler(SIGWINCH, on_signal, 0);
        CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
        wait_caught(SIGWINCH);
        CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0);
        CHECK(got.ws_row == 24 && got.ws_col == 80);
        caught = 0;
        CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
        sleep_ms(10);
        CHECK_EQ(caught, 0);
    }
    CHECK_ERR(ioctl(slave, TIOCSWINSZ, BAD_POINTER), EFAULT);
    close(slave), close(master);
}

TEST(closing_the_master_hangs_up)
{
    int ready[2];
    char c;
    open_pair(&master, &slave);
    CHECK(pipe(ready) == 0);
    pid_t leader = check_fork();
    if (leader == 0) {
        close(master);
        lead_session();
        (void)!write(ready[1], "r", 1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &c, 1) == 1);
    close(slave);
    close(master);
    CHECK_KILLED(leader, SIGHUP);
    close(ready[0]), close(ready[1]);
}

TEST(end_of_the_leader_frees_the_terminal)
{
    open_pair(&master, &slave);
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t leader = check_fork();
    if (leader == 0) {
        lead_session();
        pid_t member = check_fork();
        if (member == 0) {
            caught = 0;
            set_handler(SIGHUP, on_signal, 0);
            (void)!write(ready[1], "r", 1);
            wait_caught(SIGHUP);
            (void)!write(ready[1], "h", 1);
            _exit(0);
        }
        char c;
        CHECK(read(ready[0], &c, 1) == 1);
        _exit(0);
    }
    CHECK_EXIT(leader, 0);
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK_EQ(c, 'h');
    close(slave), close(master), close(ready[0]), close(ready[1]);
}
