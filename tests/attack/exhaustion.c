/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exhaustion [ATTACK]: asks for more of everything than there is. Each must end in an error for the guest, soon, and the next
 * ordinary process must work. The test gives the sandbox few descriptors and few processes.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>

#include "attack.h"

#define MANY 4000
#define WELL 55
#define BEYOND_HEAP 70000               /* bytes of a file from which on it needs something of the host */

static void more_descriptors(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};

    setrlimit(RLIMIT_NOFILE, &limit);
}

static int is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOSPC || error == ENOMEM;
}

static void memfds(const void *unused)
{
    (void)unused;
    more_descriptors();
    for (int i = 0; i < MANY; i++) {
        int fd = memfd_create("x", 0);

        if (fd < 0 || pwrite(fd, "x", 1, BEYOND_HEAP) != 1)
            _exit(is_shortage(errno) ? WELL : 1);
    }
    _exit(WELL);
}

static void files(const void *unused)
{
    char name[32];

    (void)unused;
    more_descriptors();
    mkdir("/root/many", 0755);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "/root/many/%d", i);
        int fd = open(name, O_RDWR | O_CREAT, 0644);

        if (fd < 0 || write(fd, "x", 1) != 1)
            _exit(is_shortage(errno) ? WELL : 1);
    }
    _exit(WELL);
}

static void pipes(const void *unused)
{
    int ends[2];

    (void)unused;
    more_descriptors();
    for (int i = 0; i < 20 * MANY; i++)
        if (pipe(ends) < 0)
            _exit(is_shortage(errno) ? WELL : 1);
    _exit(WELL);
}

static void wide_select(const void *unused)
{
    unsigned char *set = malloc(1 << 20);

    (void)unused;
    memset(set, 0xff, 1 << 20);
    for (int i = 0; i < 20; i++) {
        struct timeval now = {0, 0};

        syscall(SYS_select, 0x7fffffff, set, set, set, &now);
    }
    _exit(WELL);
}

static void wide_vectors(const void *unused)
{
    static struct iovec vector[1025];
    struct pollfd one = {-1, 0, 0};

    (void)unused;
    if (syscall(SYS_poll, &one, 0x80000000UL, 0) == 0 || errno != EINVAL)
        _exit(1);
    if (readv(0, vector, 1025) != -1 || errno != EINVAL)
        _exit(2);
    if (syscall(SYS_process_vm_readv, getpid(), vector, -1UL, vector, -1UL, 0) != -1)
        _exit(3);
    if (syscall(SYS_recvmmsg, 0, vector, 0xffffffff, 0, NULL) != -1)
        _exit(4);
    _exit(WELL);
}

/* RLIMIT_SIGPENDING, also for kill(2), which must not fail. */
static void signals(const void *unused)
{
    struct rlimit limit = {500, 500};
    struct timespec none = {0, 0};
    sigset_t set;
    int received = 0;

    (void)unused;
    setrlimit(RLIMIT_SIGPENDING, &limit);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 2000; i++)
        if (kill(getpid(), SIGRTMIN) < 0)
            _exit(1);
    while (sigtimedwait(&set, NULL, &none) > 0)
        received++;
    _exit(received >= 1 && received <= 501 ? WELL : 2);
}

static void attributes(const void *unused)
{
    static char value[65536];
    char name[32];

    (void)unused;
    close(open("/tmp/attributes", O_CREAT | O_RDWR, 0644));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user.%d", i);
        if (setxattr("/tmp/attributes", name, value, sizeof value, 0) < 0)
            _exit(errno == ENOSPC ? WELL : 1);
    }
    _exit(2);
}

/* A socket that is sent through itself is garbage that nobody points to. */
static void cycles(const void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        char control[CMSG_SPACE(sizeof(int) * 2)] = {0}, byte = 0;
        struct iovec data = {&byte, 1};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            _exit(1);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof pair);
        memcpy(CMSG_DATA(header), pair, sizeof pair);
        sendmsg(pair[0], &message, 0);
        close(pair[0]);
        close(pair[1]);
    }
    _exit(WELL);
}

/* Epolls in epolls, each in all of the next level: the paths are many, the instances few. */
static void nests(const void *unused)
{
    enum { LEVELS = 5, WIDTH = 20 };
    int fds[LEVELS][WIDTH], ends[2];
    struct epoll_event event = {.events = EPOLLIN};

    (void)unused;
    if (pipe(ends))
        _exit(1);
    for (int level = 0; level < LEVELS; level++)
        for (int i = 0; i < WIDTH; i++) {
            fds[level][i] = epoll_create1(0);
            for (int k = 0; k < WIDTH; k++)
                epoll_ctl(fds[level][i], EPOLL_CTL_ADD, level ? fds[level - 1][k] : ends[0], &event);
        }
    if (write(ends[1], "x", 1) != 1)
        _exit(2);
    epoll_wait(fds[LEVELS - 1][0], &event, 1, 0);
    _exit(WELL);
}

static void processes(const void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        pid_t child = fork();

        if (child == 0) {
            pause();
            _exit(0);
        }
        if (child < 0) {
            int error = errno;

            kill(0, SIGTERM);
            _exit(error == EAGAIN || error == ENOMEM ? WELL : 1);
        }
    }
    kill(0, SIGTERM);
    _exit(2);
}

static void go_on(int signo)
{
    (void)signo;
}

static void in_own_group(const void *body)
{
    setpgid(0, 0);
    signal(SIGTERM, go_on);             /* ends the pauses of those who inherit it */
    ((void (*)(const void *))body)(NULL);
}

static void ordinary(const void *unused)
{
    int status = 1;

    (void)unused;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/true", "true", NULL);
        _exit(3);
    }
    waitpid(child, &status, 0);
    _exit(status == 0 ? WELL : 4);
}

int main(void)
{
    static const struct { const char *name; void (*body)(const void *); } attacks[] = {
        {"memfds", memfds}, {"files", files}, {"pipes", pipes}, {"wide select", wide_select}, {"wide vectors", wide_vectors},
        {"queued signals", signals}, {"extended attributes", attributes}, {"sockets in themselves", cycles}, {"nested epolls", nests},
    };

    for (unsigned i = 0; i < LENGTH(attacks); i++) {
        must_be_harmless(attacks[i].name, attacks[i].body, WELL);
        must_be_harmless("  an ordinary process after it", ordinary, WELL);
    }
    int status = in_child(in_own_group, (const void *)processes);
    verdict(WIFEXITED(status) && WEXITSTATUS(status) == WELL, "processes", "wait status %#lx", status);
    for (int i = 0; i < 50; i++, usleep(10000))
        while (waitpid(-1, NULL, WNOHANG) > 0)                  /* they are ours now, and count until we know of their end */
            ;
    must_be_harmless("  an ordinary process after it", ordinary, WELL);
    return finish();
}
