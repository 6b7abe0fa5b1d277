/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues, where the kernel has them. */
#include "../check.h"
#include <mqueue.h>

static char name[32];

static mqd_t create(int flags, long messages)
{
    struct mq_attr attr = {.mq_maxmsg = messages, .mq_msgsize = 64};
    snprintf(name, sizeof name, "/check-%d", getpid());
    return mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &attr);
}

TEST(order_by_priority)
{
    char buffer[64];
    unsigned priority;
    mqd_t queue = create(O_NONBLOCK, 4);
    if (queue == -1 && errno == ENOSYS)
        SKIP("no message queues");
    CHECK(queue != -1);
    CHECK(mq_send(queue, "low", 3, 1) == 0 && mq_send(queue, "high", 4, 9) == 0 && mq_send(queue, "low2", 4, 1) == 0);
    CHECK(mq_send(queue, "", 0, 0) == 0);
    CHECK_ERR(mq_send(queue, "full", 4, 1), EAGAIN);
    CHECK_EQ(mq_receive(queue, buffer, 64, &priority), 4);
    CHECK(memcmp(buffer, "high", 4) == 0 && priority == 9);
    CHECK_EQ(mq_receive(queue, buffer, 64, NULL), 3);
    CHECK_EQ(mq_receive(queue, buffer, 64, NULL), 4);
    CHECK_EQ(mq_receive(queue, buffer, 64, NULL), 0);
    CHECK_ERR(mq_receive(queue, buffer, 64, NULL), EAGAIN);
    CHECK_ERR(mq_receive(queue, buffer, 63, NULL), EMSGSIZE);
    CHECK_ERR(mq_send(queue, buffer, 65, 0), EMSGSIZE);
    CHECK_ERR(mq_send(queue, buffer, 1, 32768), EINVAL);
    CHECK(mq_close(queue) == 0 && mq_unlink(name) == 0);
    CHECK_ERR(mq_unlink(name), ENOENT);
    CHECK_ERR(mq_open(name, O_RDWR), ENOENT);
}

TEST(blocking_and_timeouts)
{
    char buffer[64];
    mqd_t queue = create(0, 1);
    if (queue == -1 && errno == ENOSYS)
        SKIP("no message queues");
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(20);
        CHECK(mq_send(queue, "a", 1, 0) == 0);
        CHECK(mq_send(queue, "b", 1, 0) == 0);
        _exit(0);
    }
    CHECK_EQ(mq_receive(queue, buffer, 64, NULL), 1);
    CHECK_EQ(mq_receive(queue, buffer, 64, NULL), 1);
    CHECK_EQ(buffer[0], 'b');
    CHECK_EXIT(pid, 0);
    struct timespec past = {1, 0}, bad = {0, -1};
    CHECK_ERR(mq_timedreceive(queue, buffer, 64, NULL, &past), ETIMEDOUT);
    CHECK_ERR(mq_timedreceive(queue, buffer, 64, NULL, &bad), EINVAL);
    struct mq_attr attr;
    CHECK(mq_getattr(queue, &attr) == 0);
    CHECK(attr.mq_maxmsg == 1 && attr.mq_msgsize == 64 && attr.mq_curmsgs == 0 && attr.mq_flags == 0);
    CHECK(mq_close(queue) == 0 && mq_unlink(name) == 0);
}
