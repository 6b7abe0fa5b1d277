/* SPDX-License-Identifier: Apache-2.0 */
/* Several pipelines at once: each a chain of processes that transform and pass on a stream; sums are compared. */
#define CHECK_OWN_MAIN
#include "../check.h"

enum { PIPELINES = 4, STAGES = 5, BYTES = 1 << 20 };

static void copy_adding_one(int in, int out)
{
    unsigned char buffer[10000];
    ssize_t n;
    while ((n = read(in, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            buffer[i]++;
        for (ssize_t at = 0, put; at < n; at += put)
            CHECK((put = write(out, buffer + at, n - at)) > 0);
    }
    CHECK_EQ(n, 0);
    _exit(0);
}

static void feed(int out, int seed)
{
    unsigned char buffer[7777];
    for (int at = 0; at < BYTES;) {
        int n = BYTES - at < (int)sizeof buffer ? BYTES - at : (int)sizeof buffer;
        for (int i = 0; i < n; i++)
            buffer[i] = (at + i) * seed >> 4;
        for (int done = 0, put; done < n; done += put)
            CHECK((put = write(out, buffer + done, n - done)) > 0);
        at += n;
    }
    _exit(0);
}

static void drain(int in, int seed)
{
    unsigned char buffer[5000];
    int at = 0;
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] != (unsigned char)(((at + i) * seed >> 4) + STAGES))
                CHECK_EQ(at + i, -1);
    CHECK_EQ(at, BYTES);
    _exit(0);
}

int main(void)
{
    pid_t pids[PIPELINES * (STAGES + 2)];
    int n = 0;
    alarm(60);
    for (int p = 0; p < PIPELINES; p++) {
        int ends[2], in = -1;
        for (int stage = 0; stage < STAGES + 2; stage++) {
            int last = stage == STAGES + 1;
            if (!last)
                CHECK(pipe(ends) == 0);
            pids[n] = check_fork();
            if (pids[n] == 0) {
                if (!last)
                    close(ends[0]);
                if (stage == 0)
                    feed(ends[1], p + 3);
                else if (last)
                    drain(in, p + 3);
                else
                    copy_adding_one(in, ends[1]);
            }
            n++;
            if (in != -1)
                close(in);
            if (!last)
                close(ends[1]);
            in = ends[0];
        }
    }
    for (int i = 0; i < n; i++)
        CHECK_EXIT(pids[i], 0);
    puts("PASS");
    return 0;
}
