/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox without a network stack: every family but AF_UNIX is refused as on a kernel that lacks it. Not true natively. */
#include "../check.h"
#include <sys/socket.h>

TEST(families) {
    static const int absent[] = {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
    for (unsigned i = 0; i < sizeof absent / sizeof *absent; i++)
        CHECK_ERR(socket(absent[i], SOCK_DGRAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT);
}

TEST(unix_is_there) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    close(fd);
}
