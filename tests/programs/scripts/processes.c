/* SPDX-License-Identifier: Apache-2.0 */
/* argv[1] times fork, exec and wait, one after another; then argv[2] processes at once, all of which wait for one pipe to close. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void one_after_another(int rounds, char *self)
{
    int good = 0;
    for (int i = 0; i < rounds; i++) {
        pid_t child = i % 2 ? vfork() : fork();
        if (child == 0) {
            execl(self, self, "leaf", (char *)NULL);
            _exit(1);
        }
        int status;
        good += waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 17;
    }
    printf("%d good\n", good);
}

static void at_once(int count)
{
    int ends[2], ready[2], started = 0;
    char byte;
    if (pipe(ends) || pipe(ready))
        exit(1);
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0)
            break;
        if (child == 0) {
            close(ends[1]);
            if (write(ready[1], "x", 1) != 1)
                _exit(255);
            _exit(read(ends[0], &byte, 1) == 0 ? i % 100 : 255);
        }
        started++;
    }
    for (int i = 0; i < started; i++)
        if (read(ready[0], &byte, 1) != 1)
            exit(1);
    close(ends[1]);
    int sum = 0, status, reaped = 0;
    while (wait(&status) > 0) {
        sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
        reaped++;
    }
    printf("%d started, %d reaped, sum %d\n", started, reaped, sum);
    close(ends[0]);
    close(ready[0]);
    close(ready[1]);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return 17;
    if (argc != 3)
        return 2;
    one_after_another(atoi(argv[1]), argv[0]);
    at_once(atoi(argv[2]));
    return 0;
}
