/* SPDX-License-Identifier: Apache-2.0 */
/* N times fork, exec of this program, and wait (argument, default 100); every exit status is checked. */
#define CHECK_OWN_MAIN
#include "../check.h"

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--exit") == 0)
        return atoi(argv[2]) & 0xff;
    int n = argc > 1 ? atoi(argv[1]) : 100;
    char path[PATH_MAX];
    alarm(30 + n / 10);
    CHECK(realpath(argv[0], path) != NULL);
    long long start = now_ns();
    for (int i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        pid_t pid = i % 2 ? vfork() : fork();
        if (pid == 0) {
            execl(path, path, "--exit", number, NULL);
            _exit(255);
        }
        CHECK(pid > 0);
        CHECK_EXIT(pid, i & 0xff);
    }
    CHECK_ERR(wait(NULL), ECHILD);
    printf("%.3f ms each\n", (now_ns() - start) / 1e6 / n);
    puts("PASS");
    return 0;
}
