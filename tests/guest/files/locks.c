/* SPDX-License-Identifier: Apache-2.0 */
/* flock(2), POSIX record locks and locks of open files: conflicts, splitting, deadlock, release. */
#define CHECK_SCRATCH
#include "../check.h"
#include <sys/file.h>

static int lock(int fd, int cmd, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, cmd, &lock);
}

/* What F_GETLK reports for a write lock on the range. */
static struct flock conflict(int fd, off_t start, off_t length)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    CHECK(fcntl(fd, F_GETLK, &lock) == 0);
    return lock;
}

static int open_file(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0);
    return fd;
}

TEST(flock_)
{
    int a = open_file(), b = open_file(), copy = dup(a);
    CHECK(flock(a, LOCK_EX) == 0);
    CHECK(flock(copy, LOCK_EX | LOCK_NB) == 0);
    CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(a, LOCK_SH) == 0);
    CHECK(flock(b, LOCK_SH | LOCK_NB) == 0);
    CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(copy, LOCK_UN) == 0);
    CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
    close(b);
    CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
    close(a);
    b = open_file();
    CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(copy);
    CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
    CHECK_ERR(flock(b, 16), EINVAL);
    CHECK_ERR(flock(99, LOCK_EX), EBADF);
    int path = open("file", O_PATH);
    CHECK_ERR(flock(path, LOCK_EX), EBADF);
    close(b), close(path);
}

TEST(flock_waits_and_is_inherited)
{
    int a = open_file(), b = open_file();
    CHECK(flock(a, LOCK_EX) == 0);
    IN_CHILD {
        CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
        CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    }
    pid_t pid = check_fork();
    if (pid == 0) {
        close(a);
        CHECK(flock(b, LOCK_EX) == 0);
        _exit(8);
    }
    wait_asleep(pid);
    CHECK(flock(a, LOCK_UN) == 0);
    CHECK_EXIT(pid, 8);
    close(a), close(b);
}

TEST(record_locks)
{
    int fd = open_file();
    CHECK(lock(fd, F_SETLK, F_WRLCK, 10, 10) == 0);
    CHECK_EQ(conflict(fd, 0, 0).l_type, F_UNLCK);
    pid_t owner = getpid();
    IN_CHILD {
        struct flock other = conflict(fd, 0, 0);
        CHECK_EQ(other.l_type, F_WRLCK);
        CHECK(other.l_start == 10 && other.l_len == 10 && other.l_pid == owner && other.l_whence == SEEK_SET);
        CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0);
        CHECK(lock(fd, F_SETLK, F_WRLCK, 20, 0) == 0);
    }
    CHECK(lock(fd, F_SETLK, F_UNLCK, 13, 2) == 0);
    IN_CHILD {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 13, 2) == 0);
        CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 12, 1), EAGAIN);
        CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
        CHECK_EQ(conflict(fd, 15, 1).l_len, 5);
    }
    CHECK(lock(fd, F_SETLK, F_RDLCK, 0, 100) == 0);
    IN_CHILD {
        CHECK(lock(fd, F_SETLK, F_RDLCK, 0, 0) == 0);
        CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 50, 1), EAGAIN);
    }
    close(fd);
}

TEST(any_close_releases_record_locks)
{
    int fd = open_file(), other = open_file();
    CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    close(other);
    IN_CHILD {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    }
    close(fd);
}

TEST(waiting_for_record_locks)
{
    int fd = open_file();
    CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        CHECK(lock(fd, F_SETLKW, F_WRLCK, 5, 10) == 0);
        _exit(0);
    }
    wait_asleep(pid);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 10) == 0);
    CHECK_EXIT(pid, 0);
    close(fd);
}

TEST(deadlock)
{
    int fd = open_file(), ready[2];
    char c;
    CHECK(pipe(ready) == 0);
    CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
    pid_t pid = check_fork();
    if (pid == 0) {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
        CHECK(write(ready[1], "r", 1) == 1);
        CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    wait_asleep(pid);
    CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
    CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
    CHECK_EXIT(pid, 0);
    close(fd), close(ready[0]), close(ready[1]);
}

TEST(refusals)
{
    int fd = open_file(), ro = open("file", O_RDONLY), wo = open("file", O_WRONLY);
    CHECK_ERR(lock(ro, F_SETLK, F_WRLCK, 0, 1), EBADF);
    CHECK_ERR(lock(wo, F_SETLK, F_RDLCK, 0, 1), EBADF);
    CHECK_ERR(lock(fd, F_SETLK, 77, 0, 1), EINVAL);
    CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
    CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, LLONG_MAX, 10), EOVERFLOW);
    CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 5, -10), EINVAL);
    CHECK(lock(fd, F_SETLK, F_WRLCK, 10, -5) == 0);
    CHECK_ERR(fcntl(fd, F_SETLK, BAD_POINTER), EFAULT);
    CHECK_ERR(fcntl(fd, F_GETLK, BAD_POINTER), EFAULT);
    CHECK_ERR(lock(fd, F_GETLK, F_UNLCK, 0, 1), EINVAL);
    CHECK_ERR(lock(99, F_SETLK, F_WRLCK, 0, 1), EBADF);
    close(fd), close(ro), close(wo);
}

TEST(locks_of_open_files)
{
    int a = open_file(), b = open_file();
    CHECK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
    CHECK_ERR(lock(b, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
    CHECK(lock(b, F_OFD_SETLK, F_WRLCK, 10, 1) == 0);
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(b, F_OFD_GETLK, &probe) == 0);
    CHECK(probe.l_type == F_WRLCK && probe.l_pid == -1 && probe.l_len == 10);
    IN_CHILD {
        CHECK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    }
    probe.l_pid = 5;
    CHECK_ERR(fcntl(a, F_OFD_SETLK, &probe), EINVAL);
    close(a);
    CHECK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    close(b);
}

TEST(exit_releases)
{
    int fd = open_file();
    IN_CHILD {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    }
    CHECK_EQ(conflict(fd, 0, 0).l_type, F_UNLCK);
    CHECK(lockf(fd, F_TLOCK, 0) == 0);
    close(fd);
}
