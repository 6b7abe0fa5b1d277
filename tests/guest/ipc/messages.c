/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data of local sockets: descriptors, credentials; options; several messages in one call. */
#define CHECK_SCRATCH
#include "../check.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int) * 300)];
    struct cmsghdr align;
};

static ssize_t send_fds(int socket, const int *fds, int n, const char *text)
{
    static union control control;
    struct iovec iov = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * n);
    return sendmsg(socket, &message, 0);
}

/* Receives a message; returns how many descriptors came, and the flags. */
static int receive_fds(int socket, int *fds, size_t room, int flags, int *message_flags)
{
    static union control control;
    char text[64];
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(sizeof(int) * room)};
    if (room == 0)
        message.msg_controllen = 0;
    CHECK(recvmsg(socket, &message, flags) > 0);
    if (message_flags)
        *message_flags = message.msg_flags;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header)
        return 0;
    CHECK(header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS);
    int n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), n * sizeof(int));
    return n;
}

TEST(descriptors)
{
    int pair[2], ends[2], got[4], flags;
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(ends) == 0);
    CHECK_EQ(send_fds(pair[0], ends, 2, "fds"), 3);
    close(ends[0]), close(ends[1]);
    CHECK_EQ(receive_fds(pair[1], got, 4, MSG_CMSG_CLOEXEC, &flags), 2);
    CHECK_EQ(flags & MSG_CTRUNC, 0);
    CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(got[1], "p", 1), 1);
    CHECK_EQ(read(got[0], &c, 1), 1);
    CHECK_EQ(send_fds(pair[0], got, 2, "x"), 1);
    int one[1];
    CHECK_EQ(receive_fds(pair[1], one, 1, 0, &flags), 2 - 1 + (flags & MSG_CTRUNC ? 0 : 1));
    CHECK_EQ(send_fds(pair[0], got, 2, "x"), 1);
    CHECK_EQ(receive_fds(pair[1], one, 0, 0, &flags), 0);
    CHECK(flags & MSG_CTRUNC);
    int bad = 99;
    CHECK_ERR(send_fds(pair[0], &bad, 1, "x"), EBADF);
    int many[254];
    for (int i = 0; i < 254; i++)
        many[i] = 0;
    CHECK_ERR(send_fds(pair[0], many, 254, "x"), EINVAL);
    CHECK_EQ(send_fds(pair[0], many, 253, "x"), 1);
    close(pair[0]), close(pair[1]), close(got[0]), close(got[1]);
}

TEST(to_another_process)
{
    int pair[2], got;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        int fd = open("child-file", O_RDWR | O_CREAT, 0600);
        CHECK_EQ(write(fd, "from child", 10), 10);
        CHECK_EQ(send_fds(pair[1], &fd, 1, "x"), 1);
        _exit(0);
    }
    CHECK_EQ(receive_fds(pair[0], &got, 1, 0, NULL), 1);
    CHECK_EXIT(pid, 0);
    char buffer[16];
    CHECK_EQ(lseek(got, 0, SEEK_CUR), 10);
    CHECK_EQ(pread(got, buffer, 16, 0), 10);
    close(got), close(pair[0]), close(pair[1]);
}

TEST(sockets_inside_sockets)
{
    int outer[2], inner[2], ends[2], got[2], last[1];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, outer) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0 && pipe(ends) == 0);
    CHECK_EQ(send_fds(inner[0], &ends[1], 1, "i"), 1);
    CHECK_EQ(send_fds(outer[0], &inner[1], 1, "o"), 1);
    close(ends[1]), close(inner[1]);
    CHECK_EQ(receive_fds(outer[1], got, 1, 0, NULL), 1);
    CHECK_EQ(receive_fds(got[0], last, 1, 0, NULL), 1);
    CHECK_EQ(write(last[0], "d", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    close(last[0]);
    CHECK_EQ(read(ends[0], &c, 1), 0);
    CHECK_EQ(send_fds(outer[0], &outer[1], 1, "s"), 1);
    close(outer[0]), close(outer[1]), close(inner[0]), close(got[0]), close(ends[0]);
}

TEST(unreceived_descriptors_are_closed)
{
    int pair[2], ends[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(ends) == 0);
    CHECK_EQ(send_fds(pair[0], &ends[1], 1, "x"), 1);
    close(ends[1]);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERR(read(ends[0], &c, 1), EAGAIN);
    close(pair[0]), close(pair[1]);
    CHECK_EQ(read(ends[0], &c, 1), 0);
    close(ends[0]);
}

TEST(credentials)
{
    int pair[2], on = 1;
    struct ucred peer;
    socklen_t length = sizeof peer;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
    CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        CHECK_EQ(write(pair[0], "x", 1), 1);
        _exit(0);
    }
    union control control;
    char text[8];
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(pair[1], &message, 0), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header && header->cmsg_type == SCM_CREDENTIALS);
    struct ucred sent;
    memcpy(&sent, CMSG_DATA(header), sizeof sent);
    CHECK(sent.pid == pid && sent.uid == getuid() && sent.gid == getgid());
    CHECK_EXIT(pid, 0);
    if (geteuid() == 0)
        IN_CHILD {
            CHECK(setuid(1000) == 0);
            struct msghdr forged = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
                                    .msg_controllen = CMSG_SPACE(sizeof sent)};
            header = CMSG_FIRSTHDR(&forged);
            *header = (struct cmsghdr){CMSG_LEN(sizeof sent), SOL_SOCKET, SCM_CREDENTIALS};
            sent = (struct ucred){getpid(), 0, 0};
            memcpy(CMSG_DATA(header), &sent, sizeof sent);
            CHECK_ERR(sendmsg(pair[0], &forged, 0), EPERM);
            sent = (struct ucred){getpid(), 1000, getgid()};
            memcpy(CMSG_DATA(header), &sent, sizeof sent);
            CHECK(sendmsg(pair[0], &forged, 0) > 0);
        }
    close(pair[0]), close(pair[1]);
}

TEST(options)
{
    int pair[2], value;
    socklen_t length = sizeof value;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_STREAM);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_UNIX);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == 0);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 0);
    value = 10000;
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value) == 0);
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, &length) == 0);
    CHECK_EQ(value, 20000);
    CHECK_ERR(getsockopt(pair[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERR(setsockopt(pair[0], SOL_SOCKET, 9999, &value, sizeof value), ENOPROTOOPT);
    CHECK_ERR(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, 1), EINVAL);
    CHECK_ERR(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, BAD_POINTER, 4), EFAULT);
    CHECK_ERR(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, BAD_POINTER, &length), EFAULT);
    struct timeval limit = {0, 30000}, got;
    char c;
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    length = sizeof got;
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length) == 0 && got.tv_usec > 20000 && got.tv_usec <= 32000);
    long long start = now_ns();
    CHECK_ERR(read(pair[0], &c, 1), EAGAIN);
    CHECK(now_ns() - start >= 25 * MS);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    static char block[PAGE];
    ssize_t n;
    while ((n = write(pair[1], block, sizeof block)) > 0)
        ;
    CHECK_ERR(write(pair[1], block, sizeof block), EAGAIN);
    close(pair[0]), close(pair[1]);
}

TEST(many_messages)
{
    int pair[2];
    char text[4][8] = {"one", "two", "three", ""}, got[4][8];
    struct iovec out[4], in[4];
    struct mmsghdr send[4] = {0}, receive[4] = {0};
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    for (int i = 0; i < 4; i++) {
        out[i] = (struct iovec){text[i], strlen(text[i])};
        in[i] = (struct iovec){got[i], 8};
        send[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
        receive[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    CHECK_EQ(sendmmsg(pair[0], send, 3, 0), 3);
    CHECK_EQ(send[2].msg_len, 5);
    struct timespec limit = {1, 0};
    CHECK_EQ(recvmmsg(pair[1], receive, 4, MSG_DONTWAIT, &limit), 3);
    CHECK(receive[0].msg_len == 3 && receive[2].msg_len == 5 && memcmp(got[2], "three", 5) == 0);
    CHECK_ERR(recvmmsg(pair[1], receive, 4, MSG_DONTWAIT, NULL), EAGAIN);
    CHECK_EQ(sendmmsg(pair[0], send, 2, 0), 2);
    CHECK_EQ(recvmmsg(pair[1], receive, 4, MSG_WAITFORONE, NULL), 2);
    pid_t sender = check_fork();
    if (sender == 0) {
        for (int i = 0; i < 8; i++) {
            sleep_ms(10);
            CHECK_EQ(sendmmsg(pair[0], &send[i % 2], 1, 0), 1);
        }
        _exit(0);
    }
    CHECK_EQ(recvmmsg(pair[1], receive, 4, 0, NULL), 4);
    limit = (struct timespec){10, 0};
    CHECK_EQ(recvmmsg(pair[1], receive, 4, 0, &limit), 4);
    CHECK(limit.tv_sec < 10);
    CHECK_EXIT(sender, 0);
    CHECK_ERR(sendmmsg(pair[0], BAD_POINTER, 2, 0), EFAULT);
    struct msghdr big = {.msg_iov = out, .msg_iovlen = 1025};
    CHECK_ERR(sendmsg(pair[0], &big, 0), EMSGSIZE);
    CHECK_ERR(sendmsg(pair[0], BAD_POINTER, 0), EFAULT);
    close(pair[0]), close(pair[1]);
}
