/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf SECONDS SEED: programs with random bytes in their headers are executed; the loader must refuse them, or they die by themselves.
 * The victim is this very program: told to, it only says that it runs.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUTANT "/tmp/mutant"
#define HEADERS 1024

static uint64_t noise;

static uint64_t below(uint64_t limit)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return (noise * 0x2545f4914f6cdd1dULL >> 20) % limit;
}

static void mutate(unsigned char *bytes)
{
    static const uint64_t values[] = {0, 1, 0xfff, 0x1000, 0x7fffffff, 0xffffffff, 0x7fffffffffff, 0x7ffe00000000, -1UL, 1UL << 63, -4096UL};

    for (unsigned n = 1 + below(4); n > 0; n--) {
        unsigned at = below(64 + 56 * 10);

        if (below(2))
            bytes[at] = below(256);
        else
            memcpy(bytes + (at & ~7U), &values[below(sizeof values / 8)], 8);
    }
}

static char *read_self(size_t *length)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    struct stat about;

    if (fd < 0 || fstat(fd, &about))
        exit(2);
    char *bytes = malloc(about.st_size);
    *length = about.st_size;
    if (read(fd, bytes, about.st_size) != about.st_size)
        exit(2);
    close(fd);
    return bytes;
}

static void write_mutant(const char *original, size_t length)
{
    unsigned char head[HEADERS];
    int fd = open(MUTANT, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    memcpy(head, original, HEADERS);
    mutate(head);
    if (write(fd, head, HEADERS) != HEADERS || write(fd, original + HEADERS, length - HEADERS) < 0)
        exit(2);
    close(fd);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 3);
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1, rounds = 0, refused = 0, ran = 0;
    size_t length;

    if (argc > 1 && strcmp(argv[1], "mutant") == 0)
        return 42;
    if (getpid() != 1)
        return 2;                                               /* only as process 1 of a sandbox */
    char *original = read_self(&length);
    for (noise = seed * 7919 + 1; time(NULL) < end; rounds++) {
        int status = 0;

        write_mutant(original, length);
        pid_t child = fork();
        if (child == 0) {
            alarm(1);
            execl(MUTANT, MUTANT, "mutant", NULL);
            _exit(43);
        }
        if (waitpid(child, &status, 0) != child)
            return 1;
        refused += WIFEXITED(status) && WEXITSTATUS(status) == 43;
        ran += WIFEXITED(status) && WEXITSTATUS(status) == 42;
    }
    printf("%lu programs: %lu refused, %lu ran\n", rounds, refused, ran);
    puts("PASS");
    return 0;
}
