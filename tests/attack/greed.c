/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greed: fills what outlives address spaces, in a sandbox that sees SEEN bytes of memory and has no cgroup. Each way must end in an
 * error before more than that is taken, and what is given back can be had again.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "attack.h"

#define WELL 55
#define MB (1L << 20)
#define SEEN (64 * MB)
#define PIECE (4 * MB)
#define PIECES 100

static char block[MB];

/* Fills a file until it is refused or holds `most`; the bytes. */
static long fill(int fd, long most)
{
    long got = 0;
    ssize_t count;

    while (got < most && (count = write(fd, block, sizeof block)) > 0)
        got += count;
    return got;
}

static void judge(long got)
{
    _exit(errno != ENOSPC && errno != ENOMEM ? 1 : got < SEEN / 2 ? 2 : got > SEEN ? 3 : WELL);
}

static void memfds(const void *unused)
{
    long got = 0, last;

    (void)unused;
    do {
        last = fill(memfd_create("x", 0), PIECE);
        got += last;
    } while (last == PIECE && got < 2 * SEEN);
    judge(got);
}

static void file_systems(const void *unused)
{
    long got = 0;

    (void)unused;
    for (int i = 0; i < 8; i++) {
        char name[32];

        snprintf(name, sizeof name, "/tmp/fs%d", i);
        mkdir(name, 0755);
        if (mount("none", name, "tmpfs", 0, i % 2 ? "" : "size=0"))
            _exit(4);
        strcat(name, "/file");
        got += fill(open(name, O_RDWR | O_CREAT, 0644), 2 * SEEN);
    }
    int error = errno;
    for (int i = 0; i < 8; i++) {
        char name[32];

        snprintf(name, sizeof name, "/tmp/fs%d", i);
        umount2(name, MNT_DETACH);
    }
    errno = error;
    judge(got);
}

static void one_file_system(const void *unused)
{
    (void)unused;
    int fd = open("/tmp/file", O_RDWR | O_CREAT, 0644);
    long got = fill(fd, 2 * SEEN);

    _exit(unlink("/tmp/file") || got != SEEN / 2 ? 100 + (int)(got / MB) : 0);      /* the default size: half of the memory */
}

static void small_files(const void *unused)
{
    long got = 0, last = 0;

    (void)unused;
    mkdir("/dev/shm/small", 0755);
    for (int i = 0; i < 8000; i++) {
        int fd = memfd_create("x", 0);

        last = fd < 0 ? -1 : write(fd, block, 60000);
        if (last < 0)
            break;
        got += last;
    }
    judge(got);
}

static void touched(const void *unused)
{
    long got = 0;

    (void)unused;
    for (int i = 0; i < PIECES; i++, got += PIECE) {
        int fd = memfd_create("x", 0);
        char *at = fd < 0 || ftruncate(fd, PIECE) ? MAP_FAILED : mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (at == MAP_FAILED)
            break;
        memset(at, 1, PIECE);
    }
    judge(got);
}

static void anonymous(const void *unused)
{
    long got = 0;

    (void)unused;
    for (int i = 0; i < PIECES; i++, got += PIECE) {
        char *at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (at == MAP_FAILED)
            break;
        memset(at, 1, PIECE);
    }
    judge(got);
}

static void segments(const void *unused)
{
    int ids[PIECES], made = 0, error;

    (void)unused;
    for (; made < PIECES; made++) {
        ids[made] = shmget(IPC_PRIVATE, PIECE, 0600);
        char *at = ids[made] < 0 ? (char *)-1 : shmat(ids[made], NULL, 0);

        if (at == (char *)-1)
            break;
        memset(at, 1, PIECE);
        shmdt(at);
    }
    error = errno;
    for (int i = 0; i <= made && i < PIECES; i++)
        shmctl(ids[i], IPC_RMID, NULL);
    errno = error;
    judge(made * PIECE);
}

int main(void)
{
    static const struct { const char *name; void (*body)(const void *); int status; } attacks[] = {
        {"memfds", memfds, WELL}, {"file systems", file_systems, WELL}, {"one file system", one_file_system, 0},
        {"small files", small_files, WELL}, {"memory touched in mappings", touched, WELL}, {"anonymous shared memory", anonymous, WELL},
        {"segments", segments, WELL}, {"memfds again", memfds, WELL}, {"one file system again", one_file_system, 0},
    };

    for (unsigned i = 0; i < LENGTH(attacks); i++)
        must_be_harmless(attacks[i].name, attacks[i].body, attacks[i].status);
    return finish();
}
