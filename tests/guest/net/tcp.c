/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over the loopback interface: connecting, data, shutdown, resets, options, readiness, refusals. */
#include "../check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int listener(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    *address = loopback(0);
    CHECK(bind(fd, (void *)address, sizeof *address) == 0);
    CHECK(listen(fd, 16) == 0);
    CHECK(getsockname(fd, (void *)address, &length) == 0);
    CHECK(length == sizeof *address && address->sin_port != 0);
    return fd;
}

static void connected(int pair[2])
{
    struct sockaddr_in address;
    int server = listener(&address);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(pair[0], (void *)&address, sizeof address) == 0);
    pair[1] = accept(server, NULL, NULL);
    CHECK(pair[1] >= 0);
    close(server);
}

TEST(connect_and_names)
{
    struct sockaddr_in address, name, peer;
    socklen_t length = sizeof name;
    int server = listener(&address), client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(connect(client, (void *)&address, sizeof address) == 0);
    CHECK(getsockname(client, (void *)&name, &length) == 0);
    CHECK(name.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && name.sin_port != 0);
    length = sizeof peer;
    int accepted = accept4(server, (void *)&peer, &length, SOCK_NONBLOCK);
    CHECK(accepted >= 0 && peer.sin_port == name.sin_port);
    length = sizeof peer;
    CHECK(getpeername(client, (void *)&peer, &length) == 0);
    CHECK_EQ(peer.sin_port, address.sin_port);
    CHECK_ERR(connect(client, (void *)&address, sizeof address), EISCONN);
    char c;
    CHECK_ERR(read(accepted, &c, 1), EAGAIN);
    close(server), close(client), close(accepted);
}

TEST(refused)
{
    struct sockaddr_in address;
    int server = listener(&address), client = socket(AF_INET, SOCK_STREAM, 0);
    close(server);
    CHECK_ERR(connect(client, (void *)&address, sizeof address), ECONNREFUSED);
    close(client);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(client, (void *)&address, sizeof address), error = errno;
    CHECK(result == -1 && (error == EINPROGRESS || error == ECONNREFUSED));
    if (error == EINPROGRESS) {
        struct pollfd pollfd = {client, POLLOUT, 0};
        CHECK_EQ(poll(&pollfd, 1, 5000), 1);
        CHECK(pollfd.revents & POLLERR);
        socklen_t length = sizeof error;
        CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
        CHECK_EQ(error, ECONNREFUSED);
    }
    close(client);
}

TEST(nonblocking_connect)
{
    struct sockaddr_in address;
    int server = listener(&address), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
    (void)!connect(client, (void *)&address, sizeof address);
    struct pollfd pollfd = {client, POLLOUT, 0};
    CHECK_EQ(poll(&pollfd, 1, 5000), 1);
    CHECK_EQ(pollfd.revents, POLLOUT);
    socklen_t length = sizeof error;
    CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    CHECK_EQ(error, 0);
    pollfd = (struct pollfd){server, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 5000), 1);
    close(server), close(client);
}

TEST(data_both_ways)
{
    enum { SIZE = 4 << 20 };
    int pair[2];
    connected(pair);
    pid_t pid = check_fork();
    if (pid == 0) {
        close(pair[0]);
        char buffer[50000];
        for (ssize_t n; (n = read(pair[1], buffer, sizeof buffer)) > 0;)
            for (ssize_t at = 0, put; at < n; at += put)
                CHECK((put = write(pair[1], buffer + at, n - at)) > 0);
        _exit(0);
    }
    close(pair[1]);
    static char out[SIZE], in[SIZE];
    for (int i = 0; i < SIZE; i++)
        out[i] = i * 13 + (i >> 10);
    CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    for (int sent = 0, got = 0; got < SIZE;) {
        struct pollfd pollfd = {pair[0], POLLIN | (sent < SIZE ? POLLOUT : 0), 0};
        CHECK_EQ(poll(&pollfd, 1, 10000), 1);
        ssize_t n;
        if ((pollfd.revents & POLLOUT) && (n = write(pair[0], out + sent, SIZE - sent)) > 0 && (sent += n) == SIZE)
            CHECK(shutdown(pair[0], SHUT_WR) == 0);
        if ((pollfd.revents & POLLIN) && (n = read(pair[0], in + got, SIZE - got)) >= 0) {
            CHECK(n > 0);
            got += n;
        }
    }
    CHECK(memcmp(in, out, SIZE) == 0);
    CHECK_EXIT(pid, 0);
    close(pair[0]);
}

TEST(shutdown_and_end)
{
    int pair[2];
    char c;
    connected(pair);
    CHECK_EQ(write(pair[0], "last", 4), 4);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    char buffer[8];
    CHECK_EQ(recv(pair[1], buffer, 4, MSG_WAITALL), 4);
    CHECK_EQ(read(pair[1], &c, 1), 0);
    struct pollfd pollfd = {pair[1], POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&pollfd, 1, 1000), 1);
    CHECK_EQ(pollfd.revents, POLLIN | POLLRDHUP);
    CHECK_EQ(write(pair[1], "back", 4), 4);
    CHECK_EQ(recv(pair[0], buffer, 4, MSG_WAITALL), 4);
    close(pair[1]);
    CHECK_EQ(read(pair[0], &c, 1), 0);
    close(pair[0]);
}

TEST(reset)
{
    int pair[2];
    char c;
    struct linger now = {1, 0};
    connected(pair);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(pair[0]);
    struct pollfd pollfd = {pair[1], POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 5000), 1);
    CHECK(pollfd.revents & (POLLERR | POLLHUP));
    CHECK_ERR(read(pair[1], &c, 1), ECONNRESET);
    CHECK_EQ(read(pair[1], &c, 1), 0);
    CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(pair[1]);
}

TEST(bind_rules)
{
    struct sockaddr_in address, other = loopback(0);
    int server = listener(&address), second = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK_ERR(bind(second, (void *)&address, sizeof address), EADDRINUSE);
    CHECK_ERR(bind(second, (void *)&address, 4), EINVAL);
    other.sin_addr.s_addr = inet_addr("192.0.2.77");
    CHECK_ERR(bind(second, (void *)&other, sizeof other), EADDRNOTAVAIL);
    CHECK(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK_ERR(bind(second, (void *)&address, sizeof address), EADDRINUSE);
    close(second);
    int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    other = loopback(0);
    socklen_t length = sizeof other;
    CHECK(bind(a, (void *)&other, sizeof other) == 0 && getsockname(a, (void *)&other, &length) == 0);
    CHECK(bind(b, (void *)&other, sizeof other) == 0);
    CHECK_ERR(bind(b, (void *)&other, sizeof other), EINVAL);
    close(server), close(a), close(b);
}

TEST(options)
{
    int pair[2], value = -1;
    socklen_t length = sizeof value;
    connected(pair);
    CHECK(getsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value == 0);
    value = 1;
    CHECK(setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0);
    CHECK(getsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value == 1);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value) == 0);
    value = 77;
    CHECK(setsockopt(pair[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, sizeof value) == 0);
    CHECK(getsockopt(pair[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, &length) == 0 && value == 77);
    struct tcp_info info;
    length = sizeof info;
    CHECK(getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
    length = sizeof value;
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_PROTOCOL, &value, &length) == 0 && value == IPPROTO_TCP);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_INET);
    CHECK_ERR(getsockopt(pair[0], IPPROTO_TCP, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERR(setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &value, 1), EINVAL);
    CHECK_EQ(write(pair[1], "12345", 5), 5);
    struct pollfd pollfd = {pair[0], POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 1000), 1);
    CHECK(ioctl(pair[0], FIONREAD, &value) == 0);
    CHECK_EQ(value, 5);
    close(pair[0]), close(pair[1]);
}

TEST(refusals)
{
    struct sockaddr_in address = loopback(1), name;
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(recv(fd, &name, 1, 0), ENOTCONN);
    CHECK_ERR(getpeername(fd, (void *)&name, &length), ENOTCONN);
    CHECK_ERR(shutdown(fd, SHUT_WR), ENOTCONN);
    address.sin_family = AF_UNIX;
    CHECK_ERR(connect(fd, (void *)&address, sizeof address), EAFNOSUPPORT);
    CHECK_ERR(connect(fd, BAD_POINTER, sizeof address), EFAULT);
    CHECK_ERR(connect(fd, (void *)&address, 3), EINVAL);
    CHECK(listen(fd, 1) == 0);
    close(fd);
}

TEST(many_connections)
{
    enum { N = 50 };
    struct sockaddr_in address;
    int server = listener(&address), clients[N], epfd = epoll_create1(0), total = 0;
    CHECK(listen(server, N) == 0);
    for (int i = 0; i < N; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(clients[i], (void *)&address, sizeof address) == 0);
        int accepted = accept(server, NULL, NULL);
        struct epoll_event event = {EPOLLIN, {.fd = accepted}};
        CHECK(epoll_ctl(epfd, EPOLL_CTL_ADD, accepted, &event) == 0);
    }
    for (int i = 0; i < N; i++)
        CHECK_EQ(write(clients[i], &i, sizeof i), sizeof i);
    for (int got = 0; got < N;) {
        struct epoll_event events[8];
        int n = epoll_wait(epfd, events, 8, 5000), value;
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++) {
            CHECK_EQ(read(events[i].data.fd, &value, sizeof value), sizeof value);
            total += value;
            close(events[i].data.fd);
        }
    }
    CHECK_EQ(total, N * (N - 1) / 2);
    for (int i = 0; i < N; i++)
        close(clients[i]);
    close(server), close(epfd);
}

TEST(version_six)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof address;
    int server = socket(AF_INET6, SOCK_STREAM, 0), client, accepted;
    if (server == -1 || bind(server, (void *)&address, sizeof address) == -1)
        SKIP("no IPv6");
    CHECK(listen(server, 1) == 0 && getsockname(server, (void *)&address, &length) == 0);
    client = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect(client, (void *)&address, sizeof address) == 0);
    CHECK((accepted = accept(server, (void *)&address, &length)) >= 0);
    CHECK(IN6_IS_ADDR_LOOPBACK(&address.sin6_addr));
    CHECK_EQ(write(client, "six", 3), 3);
    char buffer[4];
    CHECK_EQ(read(accepted, buffer, 4), 3);
    close(server), close(client), close(accepted);
}
