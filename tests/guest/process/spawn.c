/* SPDX-License-Identifier: Apache-2.0 */
/* What libc builds on fork and exec: posix_spawn, system-like pipelines, popen of a shell when there is one. */
#define CHECK_SCRATCH
#include "../check.h"
#include <spawn.h>

extern char **environ;

PROGRAM(exit_with)
{
    _exit(atoi(argv[2]));
}

PROGRAM(copy)
{
    char buffer[4096];
    ssize_t n;
    while ((n = read(0, buffer, sizeof buffer)) > 0)
        CHECK_EQ(write(1, buffer, n), n);
}

TEST(spawn)
{
    pid_t pid;
    CHECK_EQ(posix_spawn(&pid, check_self, NULL, NULL, (char *[]){"x", "@exit_with", "42", NULL}, environ), 0);
    CHECK_EXIT(pid, 42);
}

TEST(spawn_reports_errors)
{
    pid_t pid;
    CHECK_EQ(posix_spawn(&pid, "/nonexistent", NULL, NULL, (char *[]){"x", NULL}, environ), ENOENT);
    CHECK_EQ(posix_spawn(&pid, "/", NULL, NULL, (char *[]){"x", NULL}, environ), EACCES);
    CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
}

TEST(spawn_attributes_and_actions)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    sigset_t all;
    sigfillset(&all);
    write_file("in", "hello");
    CHECK_EQ(posix_spawnattr_init(&attr), 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "in", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0600);
    pid_t pid;
    CHECK_EQ(posix_spawn(&pid, check_self, &actions, &attr, (char *[]){"x", "@copy", NULL}, environ), 0);
    CHECK_EQ(getpgid(pid), pid);
    CHECK_EXIT(pid, 0);
    CHECK(strcmp(read_file("out"), "hello") == 0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
}

TEST(pipeline_of_five)
{
    enum { STAGES = 5, SIZE = 300000 };
    int first[2], in, next[2];
    pid_t pids[STAGES], feeder;
    CHECK(pipe2(first, O_CLOEXEC) == 0);
    in = first[0];
    for (int i = 0; i < STAGES; i++) {
        CHECK(pipe2(next, O_CLOEXEC) == 0);
        pids[i] = check_fork();
        if (pids[i] == 0) {
            dup2(in, 0);
            dup2(next[1], 1);
            execl(check_self, "x", "@copy", NULL);
            _exit(99);
        }
        close(in);
        close(next[1]);
        in = next[0];
    }
    feeder = check_fork();
    if (feeder == 0) {
        char *data = malloc(SIZE);
        for (int i = 0; i < SIZE; i++)
            data[i] = i * 31 >> 3;
        for (ssize_t n, at = 0; at < SIZE; at += n)
            CHECK((n = write(first[1], data + at, SIZE - at)) > 0);
        _exit(0);
    }
    close(first[1]);
    char buffer[8192];
    int at = 0;
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] != (char)((at + i) * 31 >> 3))
                CHECK_EQ(at + i, -1);
    CHECK_EQ(at, SIZE);
    CHECK_EXIT(feeder, 0);
    for (int i = 0; i < STAGES; i++)
        CHECK_EXIT(pids[i], 0);
}

TEST(shell)
{
    if (access("/bin/sh", X_OK) != 0)
        SKIP("no /bin/sh");
    CHECK_EQ(WEXITSTATUS(system("exit 7")), 7);
    CHECK_EQ(WTERMSIG(system("kill -9 $$")), SIGKILL);
    FILE *pipe = popen("echo one; echo two | tr a-z A-Z 2>/dev/null || :", "r");
    char line[32];
    CHECK(pipe && fgets(line, sizeof line, pipe));
    CHECK(strcmp(line, "one\n") == 0);
    pclose(pipe);
}
