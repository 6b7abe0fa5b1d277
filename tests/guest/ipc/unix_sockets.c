/* SPDX-License-Identifier: Apache-2.0 */
/* Local sockets: addresses, connecting, the three types, shutdown, options, refusals. */
#define CHECK_SCRATCH
#include "../check.h"
#include <stddef.h>
#include <sys/un.h>

static socklen_t address(struct sockaddr_un *sun, const char *path)
{
    memset(sun, 0, sizeof *sun);
    sun->sun_family = AF_UNIX;
    if (path[0] == '@') {
        strcpy(sun->sun_path + 1, path + 1);
        return offsetof(struct sockaddr_un, sun_path) + strlen(path);
    }
    strcpy(sun->sun_path, path);
    return sizeof *sun;
}

static int bound(int type, const char *path)
{
    struct sockaddr_un sun;
    int fd = socket(AF_UNIX, type, 0);
    socklen_t length = address(&sun, path);
    CHECK(fd >= 0);
    CHECK(bind(fd, (void *)&sun, length) == 0);
    return fd;
}

static int connect_to(int fd, const char *path)
{
    struct sockaddr_un sun;
    socklen_t length = address(&sun, path);
    return connect(fd, (void *)&sun, length);
}

TEST(stream_with_path_and_abstract_names)
{
    const char *names[] = {"sock", "@check-abstract"};
    for (int i = 0; i < 2; i++) {
        int server = bound(SOCK_STREAM, names[i]), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_ERR(connect_to(client, names[i]), ECONNREFUSED);
        CHECK(listen(server, 5) == 0);
        CHECK(connect_to(client, names[i]) == 0);
        struct sockaddr_un peer;
        socklen_t length = sizeof peer;
        int accepted = accept4(server, (void *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        CHECK(accepted >= 0);
        CHECK_EQ(length, 2);
        CHECK_EQ(peer.sun_family, AF_UNIX);
        CHECK_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
        CHECK(fcntl(accepted, F_GETFL) & O_NONBLOCK);
        char buffer[16];
        CHECK_ERR(read(accepted, buffer, 16), EAGAIN);
        CHECK_EQ(write(client, "ping", 4), 4);
        CHECK_EQ(read(accepted, buffer, 2), 2);
        CHECK_EQ(read(accepted, buffer, 16), 2);
        length = sizeof peer;
        CHECK(getpeername(client, (void *)&peer, &length) == 0);
        CHECK(memcmp(peer.sun_path + (i == 1), names[i] + (i == 1), strlen(names[i]) - (i == 1)) == 0);
        CHECK_EQ(length, 2 + strlen(names[i]) + (i == 0));
        length = sizeof peer;
        CHECK(getsockname(client, (void *)&peer, &length) == 0);
        CHECK_EQ(length, 2);
        CHECK_ERR(connect_to(client, names[i]), EISCONN);
        close(server);
        CHECK_EQ(write(client, "more", 4), 4);
        close(client);
        CHECK_EQ(read(accepted, buffer, 16), 4);
        CHECK_EQ(read(accepted, buffer, 16), 0);
        CHECK_ERR(send(accepted, "x", 1, MSG_NOSIGNAL), EPIPE);
        close(accepted);
    }
    struct stat st;
    CHECK(stat("sock", &st) == 0 && S_ISSOCK(st.st_mode));
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(connect_to(client, "sock"), ECONNREFUSED);
    CHECK_ERR(connect_to(client, "@check-abstract"), ECONNREFUSED);
    CHECK_ERR(connect_to(client, "missing"), ENOENT);
    close(client);
}

TEST(bind_refusals)
{
    struct sockaddr_un sun;
    int a = bound(SOCK_STREAM, "name"), b = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = address(&sun, "name");
    CHECK_ERR(bind(b, (void *)&sun, length), EADDRINUSE);
    length = address(&sun, "other");
    CHECK_ERR(bind(a, (void *)&sun, length), EINVAL);
    length = address(&sun, "nodir/other");
    CHECK_ERR(bind(b, (void *)&sun, length), ENOENT);
    CHECK_ERR(bind(b, (void *)&sun, 1), EINVAL);
    CHECK_ERR(bind(b, (void *)&sun, 200), EINVAL);
    CHECK_ERR(bind(b, BAD_POINTER, 16), EFAULT);
    CHECK_ERR(bind(99, (void *)&sun, length), EBADF);
    int null = open("/dev/null", O_RDONLY);
    CHECK_ERR(bind(null, (void *)&sun, length), ENOTSOCK);
    sun.sun_family = AF_INET;
    CHECK_ERR(bind(b, (void *)&sun, length), EINVAL);
    int c = bound(SOCK_DGRAM, "@same"), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    length = address(&sun, "@same");
    CHECK_ERR(bind(d, (void *)&sun, length), EADDRINUSE);
    close(c);
    CHECK(bind(d, (void *)&sun, length) == 0);
    CHECK(bind(b, (void *)&(sa_family_t){AF_UNIX}, 2) == 0);
    length = sizeof sun;
    CHECK(getsockname(b, (void *)&sun, &length) == 0);
    CHECK_EQ(length, 8);
    CHECK_EQ(sun.sun_path[0], 0);
    close(a), close(b), close(d), close(null);
}

TEST(creation_refusals)
{
    int pair[2];
    CHECK_ERR(socket(AF_UNIX, 77, 0), EINVAL);
    CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
    CHECK_ERR(socket(255, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_POINTER), EFAULT);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(listen(fd, 5), EINVAL);
    CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERR(recv(fd, pair, 1, MSG_DONTWAIT), EINVAL);
    CHECK(shutdown(fd, SHUT_WR) == 0);
    struct sockaddr_un sun;
    socklen_t length = sizeof sun;
    CHECK_ERR(getpeername(fd, (void *)&sun, &length), ENOTCONN);
    close(fd);
}

TEST(datagrams)
{
    int server = bound(SOCK_DGRAM, "dgram"), client = bound(SOCK_DGRAM, "client");
    struct sockaddr_un sun, from;
    socklen_t length = address(&sun, "dgram"), from_length = sizeof from;
    char buffer[16];
    CHECK_EQ(sendto(client, "one", 3, 0, (void *)&sun, length), 3);
    CHECK_EQ(sendto(client, "", 0, 0, (void *)&sun, length), 0);
    CHECK_EQ(sendto(client, "three", 5, 0, (void *)&sun, length), 5);
    CHECK_EQ(recvfrom(server, buffer, 16, 0, (void *)&from, &from_length), 3);
    CHECK(strcmp(from.sun_path, "client") == 0);
    CHECK_EQ(recv(server, buffer, 16, 0), 0);
    CHECK_EQ(recv(server, buffer, 2, MSG_PEEK | MSG_TRUNC), 5);
    CHECK_EQ(recv(server, buffer, 2, 0), 2);
    CHECK_ERR(recv(server, buffer, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_ERR(send(client, "x", 1, 0), ENOTCONN);
    CHECK(connect_to(client, "dgram") == 0);
    CHECK_EQ(send(client, "x", 1, 0), 1);
    static char huge[1 << 20];
    CHECK_ERR(send(client, huge, sizeof huge, 0), EMSGSIZE);
    close(server);
    CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    server = bound(SOCK_DGRAM, "dgram2");
    CHECK_ERR(connect_to(stream, "dgram2"), EPROTOTYPE);
    close(stream), close(client), close(server);
}

TEST(seqpacket)
{
    int pair[2];
    char buffer[16];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    CHECK(send(pair[0], "first", 5, 0) == 5 && send(pair[0], "second", 6, 0) == 6);
    struct iovec iov = {buffer, 3};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(pair[1], &message, 0), 3);
    CHECK(message.msg_flags & MSG_TRUNC);
    CHECK_EQ(read(pair[1], buffer, 16), 6);
    close(pair[0]);
    CHECK_EQ(read(pair[1], buffer, 16), 0);
    close(pair[1]);
}

TEST(shutdown_)
{
    int pair[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK_EQ(read(pair[1], &c, 1), 1);
    CHECK_EQ(read(pair[1], &c, 1), 0);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(write(pair[1], "y", 1), 1);
    CHECK_EQ(read(pair[0], &c, 1), 1);
    CHECK(shutdown(pair[0], SHUT_RD) == 0);
    CHECK_ERR(send(pair[1], "y", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(shutdown(pair[0], 9), EINVAL);
    struct pollfd pollfd = {pair[0], POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK(pollfd.revents & POLLHUP);
    close(pair[0]), close(pair[1]);
}

TEST(peek_and_waitall)
{
    int pair[2];
    char buffer[8];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK_EQ(write(pair[0], "abc", 3), 3);
    CHECK_EQ(recv(pair[1], buffer, 2, MSG_PEEK), 2);
    CHECK_EQ(recv(pair[1], buffer, 8, MSG_PEEK), 3);
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(20);
        CHECK_EQ(write(pair[0], "def", 3), 3);
        _exit(0);
    }
    CHECK_EQ(recv(pair[1], buffer, 6, MSG_WAITALL), 6);
    CHECK(memcmp(buffer, "abcdef", 6) == 0);
    CHECK_ERR(recv(pair[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EXIT(pid, 0);
    close(pair[0]);
    close(pair[1]);
}

TEST(backlog_and_waiting_accept)
{
    int server = bound(SOCK_STREAM, "sock");
    CHECK(listen(server, 0) == 0);
    int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect_to(first, "sock") == 0);
    CHECK_ERR(connect_to(second, "sock"), EAGAIN);
    int accepted = accept(server, NULL, NULL);
    CHECK(connect_to(second, "sock") == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        int client = socket(AF_UNIX, SOCK_STREAM, 0);
        sleep_ms(20);
        close(accept(server, NULL, NULL));
        CHECK(connect_to(client, "sock") == 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK(accept(server, NULL, NULL) >= 0);
    CHECK(fcntl(server, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
    close(server), close(first), close(second), close(accepted);
}

TEST(small_messages_fill_a_queue_too)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (int i = 0; i < 3; i++) {
        int pair[2], sent = 0;
        CHECK(socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, pair) == 0);
        while (sent < 100000 && send(pair[0], "x", types[i] == SOCK_SEQPACKET ? 0 : 1, 0) >= 0)
            sent++;
        CHECK(sent > 0 && sent < 100000);
        CHECK_EQ(errno, EAGAIN);
        close(pair[0]);
        close(pair[1]);
    }
}
