/* SPDX-License-Identifier: Apache-2.0 */
/* Ping-pong: an operation is there and back. The partner is a process or a thread; it ends with the process that measures. */
#include "common.h"
#include <sys/prctl.h>

/* Eight bytes each way, since an eventfd takes no less. */
struct line {
    int read_fd, write_fd;
};
static struct line mine, theirs;

static void answer_forever(void)
{
    uint64_t word;

    while (read(theirs.read_fd, &word, sizeof(word)) == sizeof(word))
        if (write(theirs.write_fd, &word, sizeof(word)) != sizeof(word))
            break;
}

static void *answering_thread(void *unused)
{
    answer_forever();
    return unused;
}

static void start_partner(int is_thread)
{
    static pthread_t thread;

    if (is_thread) {
        must(pthread_create(&thread, NULL, answering_thread, NULL) == 0, "pthread_create");
    } else if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer_forever();
        _exit(0);
    }
}

static void there_and_back(void)
{
    uint64_t word = 1;

    must(write(mine.write_fd, &word, sizeof(word)) == sizeof(word) && read(mine.read_fd, &word, sizeof(word)) == sizeof(word), "ping-pong");
}

static void over_pipe(int is_thread)
{
    int there[2], back[2];

    if (!mine.write_fd) {
        must(pipe(there) == 0 && pipe(back) == 0, "pipe");
        mine = (struct line){ back[0], there[1] };
        theirs = (struct line){ there[0], back[1] };
        start_partner(is_thread);
    }
    there_and_back();
}

static void over_unix(int is_thread)
{
    int ends[2];

    if (!mine.write_fd) {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
        mine = (struct line){ ends[0], ends[0] };
        theirs = (struct line){ ends[1], ends[1] };
        start_partner(is_thread);
    }
    there_and_back();
}

static void over_eventfd(int is_thread)
{
    if (!mine.write_fd) {
        mine = (struct line){ eventfd(0, 0), eventfd(0, 0) };
        theirs = (struct line){ mine.write_fd, mine.read_fd };
        start_partner(is_thread);
    }
    there_and_back();
}

static void do_pipe(void)
{
    over_pipe(0);
}

static void do_pipe_threads(void)
{
    over_pipe(1);
}

static void do_unix(void)
{
    over_unix(0);
}

static void do_unix_threads(void)
{
    over_unix(1);
}

static void do_eventfd(void)
{
    over_eventfd(0);
}

static void do_eventfd_threads(void)
{
    over_eventfd(1);
}

static uint32_t turn;

static void take_turn(uint32_t mine_)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine_)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine_, NULL, NULL, 0);
    __atomic_store_n(&turn, !mine_, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_partner(void *unused)
{
    for (;;)
        take_turn(1);
    return unused;
}

static void do_futex(void)
{
    static pthread_t partner;

    if (!partner)
        must(pthread_create(&partner, NULL, futex_partner, NULL) == 0, "pthread_create");
    take_turn(0);
}
