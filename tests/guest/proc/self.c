/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self and /proc/pid: what their files say and who may read them. */
#define CHECK_SCRATCH
#include "../check.h"

static long status_field(const char *name)
{
    char *line = strstr(read_file("/proc/self/status"), name);
    CHECK(line != NULL);
    return strtol(line + strlen(name), NULL, 0);
}

TEST(stat)
{
    int pid, ppid, pgrp, session, tty, tpgid;
    char name[64], state;
    CHECK(prctl(PR_SET_NAME, "odd) name (") == 0);
    char *text = read_file("/proc/self/stat");
    CHECK_EQ(sscanf(text, "%d (%63[^\n]", &pid, name), 2);
    char *rest = strrchr(text, ')');
    CHECK(rest != NULL);
    CHECK_EQ(sscanf(rest, ") %c %d %d %d %d %d", &state, &ppid, &pgrp, &session, &tty, &tpgid), 6);
    CHECK(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && session == getsid(0) && state == 'R');
    CHECK(strncmp(name, "odd) name (", 11) == 0);
    int fields = 2;
    for (char *p = rest + 2; *p && *p != '\n'; p++)
        fields += p[-1] == ' ';
    CHECK_EQ(fields, 52);
}

TEST(status)
{
    CHECK_EQ(status_field("\nPid:"), getpid());
    CHECK_EQ(status_field("\nTgid:"), getpid());
    CHECK_EQ(status_field("\nPPid:"), getppid());
    CHECK_EQ(status_field("\nUid:"), getuid());
    CHECK_EQ(status_field("\nThreads:"), 1);
    CHECK(status_field("\nVmSize:") > 0 && status_field("\nVmRSS:") > 0);
    CHECK_EQ(status_field("\nNoNewPrivs:"), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    CHECK(strstr(read_file("/proc/self/status"), "State:\tR (running)") != NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK(strstr(read_file("/proc/self/status"), "SigBlk:\t0000000000000200\n") != NULL);
    raise(SIGUSR1);
    CHECK(strstr(read_file("/proc/self/status"), "ShdPnd:\t0000000000000000\n") != NULL);
    CHECK(strstr(read_file("/proc/self/status"), "SigPnd:\t0000000000000200\n") != NULL);
    set_handler(SIGUSR1, SIG_IGN, 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(strstr(read_file("/proc/self/status"), "CapEff:\t") != NULL);
}

PROGRAM(show)
{
    char *line = read_file("/proc/self/cmdline");
    CHECK(memcmp(line, "x\0@show\0two words\0", 18) == 0);
    CHECK_EQ(strlen(line + 18), 0);
    CHECK(memcmp(read_file("/proc/self/environ"), "A=1\0B=two\0", 11) == 0);
    char target[PATH_MAX] = "";
    CHECK(readlink("/proc/self/exe", target, sizeof target - 1) > 0);
    CHECK(strrchr(target, '/') != NULL && access(target, X_OK) == 0);
    char *comm = read_file("/proc/self/comm");
    *strchr(comm, '\n') = 0;
    CHECK(strncmp(comm, strrchr(target, '/') + 1, 15) == 0);
}

TEST(command_line_and_environment)
{
    IN_CHILD {
        execve(check_self, (char *[]){"x", "@show", "two words", NULL}, (char *[]){"A=1", "B=two", NULL});
        CHECK(!"exec came back");
    }
}

TEST(links)
{
    char target[PATH_MAX], cwd[PATH_MAX];
    CHECK(mkdir("here", 0755) == 0 && chdir("here") == 0 && getcwd(cwd, sizeof cwd));
    ssize_t n = readlink("/proc/self/cwd", target, sizeof target);
    CHECK(n == (ssize_t)strlen(cwd) && memcmp(target, cwd, n) == 0);
    CHECK_EQ(readlink("/proc/self/root", target, sizeof target), 1);
    n = readlink("/proc/self", target, sizeof target - 1);
    CHECK(n > 0);
    target[n] = 0;
    CHECK_EQ(atoi(target), getpid());
    n = readlink("/proc/thread-self", target, sizeof target - 1);
    CHECK(n > 0);
    CHECK(chdir("..") == 0 && rmdir("here") == 0);
    struct stat a, b;
    CHECK(stat("/proc/self/cwd", &a) == 0 && stat(".", &b) == 0);
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    CHECK_ERR(readlink("/proc/0x1/exe", target, 10), ENOENT);
}

TEST(descriptors)
{
    char path[64], target[PATH_MAX] = "", info[64];
    int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600);
    CHECK_EQ(write(fd, "12345", 5), 5);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct stat st;
    CHECK(lstat(path, &st) == 0);
    CHECK_EQ(st.st_mode, S_IFLNK | 0700);
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK(strcmp(strrchr(target, '/'), "/file") == 0);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK(strstr(read_file(path), "pos:\t5\n") != NULL);
    snprintf(info, sizeof info, "flags:\t0%o\n", O_RDWR | O_APPEND | 0100000);
    CHECK(strstr(read_file(path), info) != NULL);
    CHECK(unlink("file") == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(target, 0, sizeof target);
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK(strstr(target, "/file (deleted)") != NULL);
    int again = open(path, O_RDONLY);
    char buffer[8];
    CHECK_EQ(read(again, buffer, 8), 5);
    close(again);
    int count = 0, seen = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(dir));) {
        count += entry->d_name[0] != '.';
        seen |= atoi(entry->d_name) == fd;
    }
    CHECK(count >= 4 && seen);
    closedir(dir);
    close(fd);
    CHECK_ERR(readlink(path, target, sizeof target), ENOENT);
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pair[0]);
    CHECK(readlink(path, target, sizeof target) > 0 && strncmp(target, "socket:[", 8) == 0);
    CHECK_ERR(open(path, O_RDONLY), ENXIO);
    close(pair[0]), close(pair[1]);
}

TEST(maps)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(ftruncate(fd, 3 * PAGE) == 0);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, PAGE), wanted[128];
    snprintf(wanted, sizeof wanted, "%08lx-%08lx r--s %08lx ", (long)map, (long)map + 2 * PAGE, PAGE);
    char *line = strstr(read_file("/proc/self/maps"), wanted);
    CHECK(line != NULL);
    *strchr(line, '\n') = 0;
    CHECK(strcmp(line + strlen(line) - 5, "/file") == 0);
    char *text = read_file("/proc/self/maps");
    CHECK(strstr(text, "[stack]") && strstr(text, "r-xp") && strstr(text, "[vdso]"));
    unsigned long start, end, last = 0;
    for (char *at = text; *at; at = strchr(at, '\n') + 1) {
        CHECK_EQ(sscanf(at, "%lx-%lx", &start, &end), 2);
        CHECK(start < end && start >= last);
        last = end;
    }
    CHECK(strstr(read_file("/proc/self/smaps"), "Rss:") != NULL);
    long pages[7];
    CHECK_EQ(sscanf(read_file("/proc/self/statm"), "%ld %ld", &pages[0], &pages[1]), 2);
    CHECK(pages[0] > 0 && pages[1] > 0 && pages[1] <= pages[0]);
    close(fd);
}

TEST(limits_and_names)
{
    IN_CHILD {
        struct rlimit limit = {77, 88};
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        char *line = strstr(read_file("/proc/self/limits"), "Max open files");
        int soft, hard;
        CHECK(line && sscanf(line, "Max open files %d %d files", &soft, &hard) == 2);
        CHECK(soft == 77 && hard == 88);
    }
    int fd = open("/proc/self/comm", O_RDWR);
    CHECK_EQ(write(fd, "renamed", 7), 7);
    char name[17];
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
    close(fd);
    CHECK(strstr(read_file("/proc/self/mountinfo"), " / rw") || strstr(read_file("/proc/self/mountinfo"), " / ro"));
    CHECK(strstr(read_file("/proc/self/mounts"), " /proc proc ") != NULL);
    CHECK(strstr(read_file("/proc/self/cgroup"), ":") != NULL);
    fd = open("/proc/self/oom_score_adj", O_RDWR);
    CHECK(fd >= 0);
    close(fd);
}

TEST(other_processes)
{
    char path[64];
    pid_t pid = check_fork();
    while (pid == 0)
        pause();
    wait_asleep(pid);
    CHECK_EQ(task_state(pid), 'S');
    snprintf(path, sizeof path, "/proc/%d", pid);
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0);
    kill(pid, SIGKILL);
    siginfo_t info;
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK_EQ(task_state(pid), 'Z');
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    CHECK_EQ(strlen(read_file(path)), 0);
    CHECK_KILLED(pid, SIGKILL);
    CHECK_ERR(access(path, F_OK), ENOENT);
    CHECK_EQ(openat(dir, "stat", O_RDONLY), -1);
    close(dir);
    int seen = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(proc));)
        seen |= atoi(entry->d_name) == getpid();
    CHECK(seen);
    closedir(proc);
}
