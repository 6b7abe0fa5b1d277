/* SPDX-License-Identifier: Apache-2.0 */
/* execve(2) and execveat(2): what survives, what is refused, scripts, limits. */
#define CHECK_SCRATCH
#include "../check.h"

extern char **environ;

/* Runs `arguments` (after the program's name) in this program; returns the wait status. */
static int run_self(char *const arguments[])
{
    pid_t pid = check_fork();
    if (pid == 0) {
        execv(check_self, arguments);
        _exit(99);
    }
    return wait_status(pid);
}

static int run_file(const char *path)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        execl(path, path, "given", NULL);
        _exit(errno);
    }
    int status = wait_status(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_script(const char *path, const char *interpreter_line)
{
    write_file(path, interpreter_line);
    CHECK(chmod(path, 0755) == 0);
}

PROGRAM(arguments)
{
    CHECK_EQ(argc, 4);
    CHECK(strcmp(argv[2], "") == 0);
    CHECK(strcmp(argv[3], "two words") == 0);
    CHECK(argv[4] == NULL);
    CHECK(strcmp(environ[0], "A=1") == 0);
    CHECK(strcmp(environ[1], "odd") == 0);
    CHECK(environ[2] == NULL);
}

TEST(arguments_and_environment)
{
    IN_CHILD {
        execve(check_self, (char *[]){"x", "@arguments", "", "two words", NULL}, (char *[]){"A=1", "odd", NULL});
        CHECK(!"exec came back");
    }
}

PROGRAM(nothing)
{
}

TEST(errors)
{
    char *args[] = {"x", "@nothing", NULL};
    write_file("plain", "echo hello\n");
    CHECK_ERR(execv("plain", args), EACCES);
    CHECK(chmod("plain", 0755) == 0);
    CHECK_ERR(execv("plain", args), ENOEXEC);
    CHECK(mkdir("dir", 0755) == 0);
    CHECK_ERR(execv("dir", args), EACCES);
    CHECK_ERR(execv("missing", args), ENOENT);
    CHECK_ERR(execv("", args), ENOENT);
    CHECK_ERR(execv("plain/x", args), ENOTDIR);
    CHECK_ERR(execv(BAD_POINTER, args), EFAULT);
    CHECK_ERR(execv(check_self, BAD_POINTER), EFAULT);
    CHECK_ERR(execv(check_self, ((char *[]){"x", BAD_POINTER, NULL})), EFAULT);
    CHECK(symlink("loop", "loop") == 0);
    CHECK_ERR(execv("loop", args), ELOOP);
    write_script("empty", "");
    CHECK_ERR(execv("empty", args), ENOEXEC);
    write_script("elf", "\177ELF and nothing more that would make sense in a header of that kind");
    CHECK_ERR(execv("elf", args), ENOEXEC);
    write_script("nointerp", "#!/nonexistent/interpreter\n");
    CHECK_ERR(execv("nointerp", args), ENOENT);
    write_script("noname", "#!\n");
    CHECK_ERR(execv("noname", args), ENOEXEC);
}

TEST(text_file_busy)
{
    write_script("busy", "#!/bin/true\n");
    int fd = open("busy", O_WRONLY);
    CHECK(fd >= 0);
    CHECK_EQ(run_file("./busy"), ETXTBSY);
    close(fd);
}

TEST(argument_limits)
{
    size_t size = 128 * 1024;
    char *big = malloc(size + 1);
    memset(big, 'a', size);
    big[size] = 0;
    CHECK_ERR(execv(check_self, ((char *[]){"x", "@nothing", big, NULL})), E2BIG);
    big[size - 1] = 0;
    CHECK_EQ(run_self((char *[]){"x", "@nothing", big, NULL}), 0);
    char **many = calloc(80, sizeof *many);
    many[0] = "x";
    for (int i = 1; i < 79; i++)
        many[i] = big;
    CHECK_ERR(execv(check_self, many), E2BIG);
    free(many);
    free(big);
}

PROGRAM(print_arguments)
{
    FILE *out = fopen("out", "w");
    for (int i = 2; i < argc; i++)
        fprintf(out, "%s|", argv[i]);
    fclose(out);
}

TEST(scripts)
{
    char text[PATH_MAX + 64];
    snprintf(text, sizeof text, "#!%s @print_arguments\n", check_self);
    write_script("script", text);
    CHECK_EQ(run_file("./script"), 0);
    CHECK(strcmp(read_file("out"), "./script|given|") == 0);
    snprintf(text, sizeof text, "#! \t%s   @print_arguments one  two \t\nrest", check_self);
    write_script("spaces", text);
    CHECK_EQ(run_file("./spaces"), 126);
    write_script("nested", "#!./script with arg\n");
    CHECK_EQ(run_file("./nested"), 0);
    CHECK(strcmp(read_file("out"), "./script|with arg|./nested|given|") == 0);
    write_script("loop", "#!./loop\n");
    CHECK_EQ(run_file("./loop"), ELOOP);
}

PROGRAM(descriptors)
{
    CHECK_ERR(fcntl(atoi(argv[2]), F_GETFD), EBADF);
    CHECK_EQ(fcntl(atoi(argv[3]), F_GETFD), 0);
}

TEST(close_on_exec)
{
    char closed[12], kept[12];
    snprintf(closed, sizeof closed, "%d", open("/dev/null", O_RDONLY | O_CLOEXEC));
    snprintf(kept, sizeof kept, "%d", open("/dev/null", O_RDONLY));
    CHECK_EQ(run_self((char *[]){"x", "@descriptors", closed, kept, NULL}), 0);
}

PROGRAM(signals)
{
    struct sigaction ignored, handled;
    sigset_t mask, pending;
    sigaction(SIGUSR1, NULL, &ignored);
    sigaction(SIGUSR2, NULL, &handled);
    CHECK(ignored.sa_handler == SIG_IGN);
    CHECK(handled.sa_handler == SIG_DFL);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGINT));
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGHUP));
    stack_t alt;
    CHECK(sigaltstack(NULL, &alt) == 0);
    CHECK_EQ(alt.ss_flags, SS_DISABLE);
    CHECK(alarm(0) > 0);
    CHECK_EQ(atoi(argv[2]), getpid());
    CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
    char name[17];
    prctl(PR_GET_NAME, name);
    CHECK(strncmp(strrchr(check_self[0] ? check_self : argv[3], '/') + 1, name, 15) == 0);
}

static void on_signal(int signal)
{
}

TEST(signals_and_identity)
{
    static char alternate[65536];
    IN_CHILD {
        char pid[12];
        snprintf(pid, sizeof pid, "%d", getpid());
        set_handler(SIGUSR1, SIG_IGN, 0);
        set_handler(SIGUSR2, on_signal, 0);
        stack_t alt = {.ss_sp = alternate, .ss_size = sizeof alternate};
        CHECK(sigaltstack(&alt, NULL) == 0);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGHUP);
        prctl(PR_SET_NAME, "changed");
        prctl(PR_SET_KEEPCAPS, 1);
        execl(check_self, "x", "@signals", pid, check_self, NULL);
    }
}

static void *exec_now(void *arg)
{
    char pid[12];
    snprintf(pid, sizeof pid, "%d", getpid());
    execl(check_self, "x", "@only_one", pid, NULL);
    _exit(98);
}

static void *sleeper(void *arg)
{
    for (;;)
        pause();
    return NULL;
}

PROGRAM(only_one)
{
    CHECK_EQ(getpid(), atoi(argv[2]));
    CHECK_EQ(gettid(), getpid());
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    CHECK_EQ(n, 1);
    _exit(51);
}

TEST(exec_from_another_thread)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, sleeper, NULL);
        pthread_create(&thread, NULL, exec_now, NULL);
        pause();
        _exit(97);
    }
    CHECK_EXIT(pid, 51);
}

TEST(execveat)
{
    char *args[] = {"x", "@nothing", NULL}, *none[] = {NULL};
    int fd = open(check_self, O_PATH | O_CLOEXEC);
    CHECK(fd >= 0);
    IN_CHILD {
        syscall(SYS_execveat, fd, "", args, none, AT_EMPTY_PATH);
        CHECK(!"exec came back");
    }
    CHECK_ERR(syscall(SYS_execveat, fd, "", args, none, 0), ENOENT);
    CHECK_ERR(syscall(SYS_execveat, fd, "x", args, none, 0), ENOTDIR);
    CHECK_ERR(syscall(SYS_execveat, -1, "x", args, none, 0), EBADF);
    CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, check_self, args, none, 0x40000000), EINVAL);
    CHECK(symlink(check_self, "link") == 0);
    CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "link", args, none, AT_SYMLINK_NOFOLLOW), ELOOP);
    IN_CHILD {
        syscall(SYS_execveat, AT_FDCWD, "link", args, none, 0);
        CHECK(!"exec came back");
    }
}

PROGRAM(empty_argv)
{
    CHECK_EQ(argc, 1);
    CHECK(argv[0][0] == 0 && argv[1] == NULL);
    _exit(3);
}

TEST(no_arguments_become_one_empty_one)
{
    char **none = check_opaque(NULL);
    pid_t pid = check_fork();
    if (pid == 0) {
        execve(check_self, none, (char *[]){"CHECK_PROGRAM=@empty_argv", NULL});
        _exit(99);
    }
    CHECK_EXIT(pid, 3);
}
