/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program as the loader laid it out: argv[1] is a plan of mmaps and writes; its descriptors are inherited. Linked low, so that
   it is in nobody's way. Plan: records of eight words: number, six arguments (8: a write of a1 bytes that follow, to a0; 0: start at a0, sp a1). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE = 1000, START = 1001 };

int main(int argc, char **argv)
{
    long r[8], done;
    int fd = open(argv[1], O_RDONLY);
    while (read(fd, r, sizeof r) == sizeof r) {
        if (r[0] == START) {
            close(fd);
            __asm__ volatile("mov %0, %%rsp\n xor %%edx, %%edx\n xor %%ebp, %%ebp\n jmp *%1" : : "r"(r[2]), "r"(r[1]) : "memory", "rdx");
        }
        if (r[0] == WRITE)
            done = read(fd, (void *)r[1], r[2]);
        else
            done = syscall(r[0], r[1], r[2], r[3], r[4], r[5], r[6]);
        if (done < 0) {
            fprintf(stderr, "call %ld(%lx, %lx, %lx, %lx, %lx, %lx) failed: %m\n", r[0], r[1], r[2], r[3], r[4], r[5], r[6]);
            return 99;
        }
    }
    return 98;
}
