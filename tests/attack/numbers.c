/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call number with garbage, from inside the shim's text. What the host carries out must be in the table of shapes
 * that are harmless whoever calls, and the rest must cost the process its life.
 *
 * 335 and 336 (uretprobe, uprobe) pass every seccomp filter by the host's own decision; they do nothing useful for a stranger.
 */
#include "attack.h"

static const int may_return[] = {SYS_close, SYS_mprotect, SYS_munmap, SYS_sched_yield, SYS_madvise, SYS_sigaltstack, SYS_futex, SYS_membarrier,
                                 SYS_restart_syscall, 335, 336};
static const int may_end[] = {SYS_exit, SYS_exit_group};

static const long garbage[][6] = {
    {0xdeadbeef000, 0x7fffffff, 3, 0x5a5a5a5a5a, 0x77, 0x99},
    {0, 0, 0, 0, 0, 0},
    {-1, -1, -1, -1, -1, -1},
    {3, CTX_BASE, PAGE, 0, 0, 0},
    {SHIM_BASE, PAGE, 7, 0x11, 3, 0},
};

static int listed(const int *list, unsigned length, int number)
{
    for (unsigned i = 0; i < length; i++)
        if (list[i] == number)
            return 1;
    return 0;
}

static void call_with(const void *argument)
{
    const struct call *call = argument;
    const long *a = call->args;

    jump(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void try_number(int number, const long *args, int *carried_out)
{
    struct call call = {"", number, {args[0], args[1], args[2], args[3], args[4], args[5]}};
    int status = in_child(call_with, &call);

    if (survived(status)) {
        ++*carried_out;
        if (!listed(may_return, LENGTH(may_return), number))
            verdict(0, "number carried out", "%ld", number);
    } else if (WIFEXITED(status) && !listed(may_end, LENGTH(may_end), number)) {
        verdict(0, "number ended the process in order", "%ld", number);
    }
}

int main(int argc, char **argv)
{
    int last = argc > 1 ? atoi(argv[1]) : 470;

    for (unsigned set = 0; set < LENGTH(garbage); set++) {
        int carried_out = 0;
        for (int number = 0; number <= last; number++)
            try_number(number, garbage[set], &carried_out);
        verdict(1, "all numbers with one set of registers", "%ld carried out", carried_out);
    }
    int carried_out = 0;
    try_number(0x40000027, garbage[0], &carried_out);   /* x32 */
    try_number(-1, garbage[0], &carried_out);
    verdict(!carried_out, "x32 and -1", "%ld carried out", carried_out);
    return finish();
}
