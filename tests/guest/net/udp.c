/* SPDX-License-Identifier: Apache-2.0 */
/* UDP over the loopback interface, addresses and interfaces as programs ask for them. */
#include "../check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int bound(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    *address = loopback(0);
    CHECK(fd >= 0 && bind(fd, (void *)address, sizeof *address) == 0);
    CHECK(getsockname(fd, (void *)address, &length) == 0);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 2000), 1);
}

TEST(datagrams)
{
    struct sockaddr_in a_address, b_address, from;
    int a = bound(&a_address), b = bound(&b_address);
    socklen_t length = sizeof from;
    char buffer[16];
    CHECK_EQ(sendto(a, "one", 3, 0, (void *)&b_address, sizeof b_address), 3);
    CHECK_EQ(sendto(a, "", 0, 0, (void *)&b_address, sizeof b_address), 0);
    CHECK_EQ(sendto(a, "three", 5, 0, (void *)&b_address, sizeof b_address), 5);
    wait_readable(b);
    CHECK_EQ(recvfrom(b, buffer, 16, 0, (void *)&from, &length), 3);
    CHECK_EQ(from.sin_port, a_address.sin_port);
    CHECK_EQ(recv(b, buffer, 16, 0), 0);
    CHECK_EQ(recv(b, buffer, 2, MSG_PEEK | MSG_TRUNC), 5);
    CHECK_EQ(recv(b, buffer, 2, 0), 2);
    CHECK_ERR(recv(b, buffer, 2, MSG_DONTWAIT), EAGAIN);
    static char big[65508];
    CHECK_ERR(sendto(a, big, 65508, 0, (void *)&b_address, sizeof b_address), EMSGSIZE);
    CHECK_EQ(sendto(a, big, 65507, 0, (void *)&b_address, sizeof b_address), 65507);
    wait_readable(b);
    CHECK_EQ(recv(b, big, sizeof big, 0), 65507);
    close(a), close(b);
}

TEST(connected)
{
    struct sockaddr_in a_address, b_address, c_address;
    int a = bound(&a_address), b = bound(&b_address), c = bound(&c_address);
    char buffer[16];
    CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
    CHECK(connect(a, (void *)&b_address, sizeof b_address) == 0);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    wait_readable(b);
    CHECK_EQ(recv(b, buffer, 16, 0), 1);
    CHECK_EQ(sendto(c, "not for a", 9, 0, (void *)&a_address, sizeof a_address), 9);
    CHECK_EQ(sendto(b, "for a", 5, 0, (void *)&a_address, sizeof a_address), 5);
    wait_readable(a);
    CHECK_EQ(recv(a, buffer, 16, 0), 5);
    close(b);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    wait_readable(a);
    CHECK_ERR(recv(a, buffer, 16, 0), ECONNREFUSED);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(a, &none, sizeof none) == 0);
    CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
    close(a), close(c);
}

TEST(refusals)
{
    struct sockaddr_in address = loopback(9);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char c;
    CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_ERR(sendto(fd, BAD_POINTER, 5, 0, (void *)&address, sizeof address), EFAULT);
    CHECK_ERR(sendto(fd, "x", 1, 0, (void *)&address, 3), EINVAL);
    address.sin_port = 0;
    CHECK_ERR(sendto(fd, "x", 1, 0, (void *)&address, sizeof address), EINVAL);
    close(fd);
}

TEST(timeouts_and_several_messages)
{
    struct sockaddr_in a_address, b_address;
    int a = bound(&a_address), b = bound(&b_address);
    struct timeval limit = {0, 30000};
    char buffer[4][8];
    CHECK(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    long long start = now_ns();
    CHECK_ERR(recv(b, buffer, 8, 0), EAGAIN);
    CHECK(now_ns() - start >= 25 * MS);
    CHECK(connect(a, (void *)&b_address, sizeof b_address) == 0);
    struct iovec iov[4];
    struct mmsghdr messages[4] = {0};
    for (int i = 0; i < 4; i++) {
        snprintf(buffer[i], 8, "msg%d", i);
        iov[i] = (struct iovec){buffer[i], 8};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    CHECK_EQ(sendmmsg(a, messages, 4, 0), 4);
    memset(buffer, 0, sizeof buffer);
    wait_readable(b);
    CHECK_EQ(recvmmsg(b, messages, 4, 0, NULL), 4);
    CHECK(strcmp(buffer[3], "msg3") == 0 && messages[3].msg_len == 8);
    close(a), close(b);
}

TEST(interfaces)
{
    CHECK_EQ(if_nametoindex("lo"), 1);
    char name[IF_NAMESIZE];
    CHECK(if_indextoname(1, name) && strcmp(name, "lo") == 0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {0};
    strcpy(request.ifr_name, "lo");
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    CHECK((request.ifr_flags & (IFF_UP | IFF_LOOPBACK)) == (IFF_UP | IFF_LOOPBACK));
    CHECK(ioctl(fd, SIOCGIFADDR, &request) == 0);
    CHECK_EQ(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK(ioctl(fd, SIOCGIFMTU, &request) == 0);
    CHECK(request.ifr_mtu >= 16384);
    strcpy(request.ifr_name, "nosuch0");
    CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
    close(fd);
    struct ifaddrs *list;
    int found = 0;
    CHECK(getifaddrs(&list) == 0);
    for (struct ifaddrs *at = list; at; at = at->ifa_next)
        if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET)
            found |= ((struct sockaddr_in *)at->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    CHECK(found);
    freeifaddrs(list);
    CHECK(strstr(read_file("/proc/net/dev"), "lo:") != NULL);
}
