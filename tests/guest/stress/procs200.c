/* SPDX-License-Identifier: Apache-2.0 */
/* 200 processes at once (argument): all wait for one pipe to close, then each passes a token on through its own pipe. */
#define CHECK_OWN_MAIN
#include "../check.h"

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 200, gate[2], first[2], in, next[2], alive[2];
    pid_t *pids = calloc(n, sizeof *pids);
    alarm(60);
    CHECK(pipe(gate) == 0 && pipe(first) == 0 && pipe(alive) == 0);
    in = first[0];
    for (int i = 0; i < n; i++) {
        CHECK(pipe(next) == 0);
        pids[i] = check_fork();
        if (pids[i] == 0) {
            long token;
            char c;
            close(gate[1]), close(first[1]), close(next[0]);
            CHECK(write(alive[1], "a", 1) == 1);
            CHECK_EQ(read(gate[0], &c, 1), 0);
            CHECK_EQ(read(in, &token, sizeof token), sizeof token);
            token++;
            CHECK_EQ(write(next[1], &token, sizeof token), sizeof token);
            _exit(i & 0x7f);
        }
        close(in), close(next[1]);
        in = next[0];
    }
    for (int got = 0; got < n;) {
        char buffer[64];
        ssize_t more = read(alive[0], buffer, sizeof buffer);
        CHECK(more > 0);
        got += more;
    }
    close(gate[0]), close(gate[1]);
    long token = 1000;
    CHECK_EQ(write(first[1], &token, sizeof token), sizeof token);
    CHECK_EQ(read(in, &token, sizeof token), sizeof token);
    CHECK_EQ(token, 1000 + n);
    for (int i = 0; i < n; i++)
        CHECK_EXIT(pids[i], i & 0x7f);
    puts("PASS");
    return 0;
}
