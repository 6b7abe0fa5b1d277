/* SPDX-License-Identifier: Apache-2.0 */
/* inotify(7): events of files and directories, their order, names, cookies, removal of watches. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/inotify.h>

static char buffer[8192];
static ssize_t filled, at;

/* The next event, NULL when there is none. */
static struct inotify_event *next_event(int fd)
{
    if (at >= filled) {
        filled = read(fd, buffer, sizeof buffer);
        at = 0;
        if (filled <= 0) {
            CHECK(filled == -1);
            return NULL;
        }
    }
    struct inotify_event *event = (void *)(buffer + at);
    at += sizeof *event + event->len;
    return event;
}

static uint32_t expect(int fd, uint32_t mask, const char *name)
{
    struct inotify_event *event = next_event(fd);
    CHECK(event != NULL);
    CHECK_EQ(event->mask, mask);
    if (name)
        CHECK(event->len > 0 && strcmp(event->name, name) == 0);
    else
        CHECK_EQ(event->len, 0);
    return event->cookie;
}

static void expect_none(int fd)
{
    struct inotify_event *event = next_event(fd);
    CHECK(event == NULL);
}

TEST(directory_events)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(mkdir("dir", 0755) == 0);
    CHECK(inotify_add_watch(fd, "dir", IN_ALL_EVENTS) == 1);
    expect_none(fd);
    int file = open("dir/a", O_RDWR | O_CREAT, 0644);
    expect(fd, IN_CREATE, "a");
    expect(fd, IN_OPEN, "a");
    CHECK_EQ(write(file, "x", 1), 1);
    expect(fd, IN_MODIFY, "a");
    CHECK_EQ(pread(file, buffer, 1, 0), 1);
    expect(fd, IN_ACCESS, "a");
    close(file);
    expect(fd, IN_CLOSE_WRITE, "a");
    CHECK(chmod("dir/a", 0600) == 0);
    expect(fd, IN_ATTRIB, "a");
    CHECK(rename("dir/a", "dir/b") == 0);
    uint32_t cookie = expect(fd, IN_MOVED_FROM, "a");
    CHECK(cookie != 0 && expect(fd, IN_MOVED_TO, "b") == cookie);
    CHECK(mkdir("dir/sub", 0755) == 0);
    expect(fd, IN_CREATE | IN_ISDIR, "sub");
    CHECK(unlink("dir/b") == 0);
    expect(fd, IN_DELETE, "b");
    CHECK(rmdir("dir/sub") == 0);
    expect(fd, IN_DELETE | IN_ISDIR, "sub");
    CHECK(rename("dir", "moved") == 0);
    expect(fd, IN_MOVE_SELF, NULL);
    CHECK(rmdir("moved") == 0);
    expect(fd, IN_DELETE_SELF, NULL);
    expect(fd, IN_IGNORED, NULL);
    expect_none(fd);
    close(fd);
}

TEST(file_events)
{
    write_file("file", "x");
    int fd = inotify_init1(IN_NONBLOCK);
    int watch = inotify_add_watch(fd, "file", IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF);
    CHECK(watch > 0);
    CHECK(truncate("file", 0) == 0);
    expect(fd, IN_MODIFY, NULL);
    CHECK(link("file", "other") == 0);
    expect(fd, IN_ATTRIB, NULL);
    CHECK(unlink("other") == 0);
    expect(fd, IN_ATTRIB, NULL);
    CHECK(unlink("file") == 0);
    expect(fd, IN_ATTRIB, NULL);
    expect(fd, IN_DELETE_SELF, NULL);
    expect(fd, IN_IGNORED, NULL);
    CHECK_ERR(inotify_rm_watch(fd, watch), EINVAL);
    close(fd);
}

TEST(masks_and_removal)
{
    write_file("file", "x");
    CHECK(mkdir("dir", 0755) == 0);
    int fd = inotify_init1(IN_NONBLOCK);
    int watch = inotify_add_watch(fd, "file", IN_MODIFY);
    CHECK_EQ(inotify_add_watch(fd, "file", IN_ATTRIB), watch);
    CHECK(truncate("file", 0) == 0);
    expect_none(fd);
    CHECK_EQ(inotify_add_watch(fd, "file", IN_MODIFY | IN_MASK_ADD), watch);
    CHECK(chmod("file", 0600) == 0 && truncate("file", 5) == 0);
    expect(fd, IN_ATTRIB, NULL);
    expect(fd, IN_MODIFY, NULL);
    CHECK(inotify_rm_watch(fd, watch) == 0);
    expect(fd, IN_IGNORED, NULL);
    CHECK(inotify_add_watch(fd, "file", IN_MODIFY | IN_ONESHOT) == watch + 1);
    CHECK(truncate("file", 1) == 0 && truncate("file", 2) == 0);
    expect(fd, IN_MODIFY, NULL);
    expect(fd, IN_IGNORED, NULL);
    expect_none(fd);
    CHECK_ERR(inotify_add_watch(fd, "file", 0), EINVAL);
    CHECK_ERR(inotify_add_watch(fd, "file", IN_MODIFY | IN_ONLYDIR), ENOTDIR);
    CHECK_ERR(inotify_add_watch(fd, "missing", IN_MODIFY), ENOENT);
    CHECK_ERR(inotify_add_watch(fd, BAD_POINTER, IN_MODIFY), EFAULT);
    CHECK_ERR(inotify_add_watch(0x3fffffff, "file", IN_MODIFY), EBADF);
    int other = open("file", O_RDONLY);
    CHECK_ERR(inotify_add_watch(other, "file", IN_MODIFY), EINVAL);
    CHECK_ERR(inotify_rm_watch(fd, 999), EINVAL);
    CHECK_ERR(inotify_init1(0x100), EINVAL);
    CHECK(symlink("dir", "link") == 0);
    CHECK_ERR(inotify_add_watch(fd, "link", IN_MODIFY | IN_DONT_FOLLOW | IN_ONLYDIR), ENOTDIR);
    close(fd), close(other);
}

TEST(reading)
{
    write_file("file", "x");
    int fd = inotify_init1(IN_NONBLOCK), pending = -1;
    CHECK(inotify_add_watch(fd, "file", IN_MODIFY | IN_ATTRIB) > 0);
    struct pollfd pollfd = {fd, POLLIN, 0};
    CHECK_EQ(poll(&pollfd, 1, 0), 0);
    CHECK_ERR(read(fd, buffer, 5), EAGAIN);
    CHECK(truncate("file", 1) == 0 && truncate("file", 2) == 0 && truncate("file", 3) == 0);
    CHECK_EQ(poll(&pollfd, 1, 0), 1);
    CHECK(ioctl(fd, FIONREAD, &pending) == 0);
    CHECK_EQ(pending, sizeof(struct inotify_event));
    CHECK_ERR(read(fd, buffer, 5), EINVAL);
    CHECK(chmod("file", 0600) == 0);
    CHECK_EQ(read(fd, buffer, sizeof(struct inotify_event)), sizeof(struct inotify_event));
    CHECK_EQ(read(fd, buffer, 1000), sizeof(struct inotify_event));
    CHECK_ERR(write(fd, "x", 1), EBADF);
    close(fd);
    fd = inotify_init();
    CHECK(inotify_add_watch(fd, "file", IN_MODIFY) > 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        sleep_ms(30);
        CHECK(truncate("file", 9) == 0);
        _exit(0);
    }
    CHECK(read(fd, buffer, sizeof buffer) > 0);
    CHECK_EXIT(pid, 0);
    close(fd);
}
