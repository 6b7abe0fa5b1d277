/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls SECONDS SEED [SIGNATURES [FIRST LAST]]: random system calls with plausible arguments, from several processes at once.
 * SIGNATURES are words NUMBER:KINDS, one letter an argument: f descriptor, s path, p pointer, z size, i number.
 *
 * Each worker forks one victim after another; a victim opens a descriptor of every kind and then makes random calls until it dies or
 * its time is over. What it must not do is reach its parents with a signal, so calls that send one are aimed at itself.
 * It refuses to run anywhere but as process 1 of a sandbox: as root on a host it would be a catastrophe.
 * The program judges nothing but that the kernel still works at the end; whether it stumbled is in its log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NR_WORKERS 4
#define NR_CALLS 4000
#define VICTIM_MS 250
#define NR_FAVOURITES 12
#define SCRATCH 65536UL
#define LAST_NUMBER 460
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const strings[] = {
    "a", "b", "c/d", ".", "..", "/", "", "/tmp", "/tmp/fuzz", "/proc/self/status", "/proc/self/fd/5", "/dev/null", "/dev/ptmx", "/dev/tty",
    "/nonexistent/file", "user.name", "trusted.x", "security.capability", "system.posix_acl_access", "tmpfs", "proc", "size=1k,mode=777",
    "/proc/self/exe", "/bin/true", "link", "fifo", "/dev/shm/x", "/proc/self/mem", "/sys", "/proc/sys/kernel/pid_max",
};
static const uint64_t numbers[] = {
    0, 1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 255, 256, 511, 512, 1023, 1024, 4095, 4096, 4097, 8192,
    65535, 65536, 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, -1UL, -2UL, -100UL,
    0x7ffffffff000, 0x7ffe00000000, 0xffffffffffff0000, 0x800000000000,
};
static char kinds[LAST_NUMBER + 1][8];
static char *scratch;
static uint64_t noise;
static struct { unsigned calls, successes; } *tally;             /* shared by all, one a number */

static uint64_t draw(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(uint64_t limit)
{
    return (draw() >> 20) % limit;
}

static uint64_t number(void)
{
    return numbers[below(LENGTH(numbers))];
}

static uint64_t pointer(void)
{
    switch (below(12)) {
    case 0:
        return 0;
    case 1:
        return number();
    case 2:
        return (uint64_t)scratch + SCRATCH - below(64);         /* runs off the end */
    case 3:
    case 4:
        return (uint64_t)strings[below(LENGTH(strings))];
    default:
        return (uint64_t)scratch + (below(SCRATCH) & ~7UL & (SCRATCH / 2 - 1));
    }
}

static uint64_t argument(void)
{
    switch (below(9)) {
    case 0:
    case 1:
        return below(40);                                       /* a descriptor, a small count, a command */
    case 2:
    case 3:
    case 4:
        return pointer();
    case 5:
        return number();
    case 6:
        return 1UL << below(64);                                /* a flag */
    case 7:
        return below(4096) | (below(8) ? 0 : 1UL << below(32));
    default:
        return below(4) ? below(8) : draw();
    }
}

static uint64_t fitting(char kind)
{
    if (below(12) == 0)
        return argument();
    switch (kind) {
    case 'f':
        return below(20) ? below(40) : -100UL;
    case 's':
        return (uint64_t)strings[below(LENGTH(strings))];
    case 'p':
        return below(5) ? pointer() : 0;
    case 'z':
        return below(3) ? below(300) : number();
    case 'i':
        return below(3) == 0 ? below(40) : below(3) ? below(4) : below(2) ? 1UL << below(32) : argument();
    default:
        return argument();
    }
}

/* What a pointer finds: nothing, small numbers, vectors of the scratch memory itself, or rubbish. */
static void scribble(void)
{
    uint64_t *words = (uint64_t *)scratch;
    unsigned kind = below(4), start = below(SCRATCH / 16), length = below(512);

    for (unsigned i = start; i < start + length && i < SCRATCH / 8; i++)
        words[i] = kind == 0 ? 0 : kind == 1 ? below(40) | (below(4) ? 0 : below(40) << 32) : kind == 2 ? (i & 1 ? number() : pointer()) : draw();
}

static void open_everything(void)
{
    int pair[2], master, slave;
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    if (pipe(pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        _exit(1);
    eventfd(3, 0);
    epoll_create1(0);
    memfd_create("fuzz", MFD_ALLOW_SEALING);
    timerfd_create(CLOCK_MONOTONIC, 0);
    signalfd(-1, &mask, 0);
    inotify_init();
    mkdir("c", 0755);
    mkfifo("fifo", 0644);
    open("a", O_RDWR | O_CREAT, 0644);
    open(".", O_RDONLY | O_DIRECTORY);
    open("/", O_PATH);
    open("/dev/null", O_RDWR);
    open("/dev/zero", O_RDWR);
    open("/proc/self/status", O_RDONLY);
    open("/proc/self", O_RDONLY);
    open("/proc/self/mem", O_RDWR);
    open("fifo", O_RDWR);
    syscall(SYS_pidfd_open, getpid(), 0);
    openpty(&master, &slave, NULL, NULL, NULL);
    socket(AF_UNIX, SOCK_SEQPACKET, 0);
    socket(AF_INET, SOCK_STREAM, 0);
    socket(AF_INET6, SOCK_DGRAM, 0);
    socket(AF_NETLINK, SOCK_RAW, 0);
    open("/root/fuzz", O_RDWR | O_CREAT, 0644);
}

/* Would end the victim or wait for ever, without telling us anything. */
static int is_pointless(long nr)
{
    return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_rt_sigreturn || nr == SYS_pause || nr == SYS_vfork || nr == SYS_reboot;
}

static int sends_signals(long nr)
{
    return nr == SYS_kill || nr == SYS_tkill || nr == SYS_tgkill || nr == SYS_rt_sigqueueinfo || nr == SYS_rt_tgsigqueueinfo;
}

static void ignore(int signo)
{
    (void)signo;
}

/* No signal ends us before we have done something, and a call that blocks is broken off soon. */
static void tick(void)
{
    struct itimerval every = {{0, 20000}, {0, 20000}};
    struct sigaction action = {.sa_handler = ignore};

    for (int signo = 1; signo < 65; signo++)
        if (signo != SIGSEGV && signo != SIGBUS && signo != SIGILL && signo != SIGFPE && signo != SIGTRAP)
            sigaction(signo, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

/* Half of the victims make calls of every kind, the others a dozen of them, so that their effects meet. */
static long choose(const long *favourites, long first, long last)
{
    return favourites[0] < 0 ? first + (long)below(last - first + 1) : favourites[below(NR_FAVOURITES)];
}

static void victim(long first, long last)
{
    pid_t self = getpid();
    char directory[64];
    long favourites[NR_FAVOURITES];

    for (int i = 0; i < NR_FAVOURITES; i++)
        favourites[i] = first + below(last - first + 1);
    if (below(2))
        favourites[0] = -1;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(directory, sizeof directory, "/tmp/fuzz%d", self);
    mkdir(directory, 0755);
    if (chdir(directory))
        _exit(1);
    for (int fd = 0; fd < 3; fd++)
        dup2(open("/dev/null", O_RDWR), fd);
    open_everything();
    tick();
    for (int i = 0; i < NR_CALLS; i++) {
        long nr = choose(favourites, first, last);
        uint64_t a[6];

        if (is_pointless(nr))
            continue;
        if (below(4) == 0)
            scribble();
        for (int k = 0; k < 6; k++)
            a[k] = fitting(kinds[nr][k]);
        if (sends_signals(nr))
            a[0] = self;
        if (nr == SYS_clone)
            a[1] = 0;                                           /* no stack of its own: it goes on here */
        if (nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap || nr == SYS_mmap)
            a[0] &= 0x7fffffffffffUL;
        tally[nr].successes += syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]) != -1;
        tally[nr].calls++;
        if (syscall(SYS_getpid) != self)
            _exit(0);                                           /* a child that we made by chance */
    }
    _exit(0);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000UL + now.tv_nsec / 1000000;
}

static void worker(uint64_t seed, uint64_t end_ms, long first, long last)
{
    for (uint64_t round = 0; now_ms() < end_ms; round++) {
        uint64_t started = now_ms();
        pid_t child;
        int status;

        noise = seed + round * 1000003;
        child = fork();
        if (child == 0)
            victim(first, last);
        if (child < 0)
            continue;
        while (waitpid(child, &status, WNOHANG) == 0) {
            usleep(5000);
            if (now_ms() - started > VICTIM_MS)
                kill(child, SIGKILL);
        }
    }
    _exit(0);
}

static void report(void)
{
    unsigned calls = 0, succeeded = 0;

    for (int i = 0; i <= LAST_NUMBER; i++) {
        calls += tally[i].calls;
        succeeded += tally[i].successes > 0;
        if (getenv("VERBOSE"))
            printf("%d: %u calls, %u succeeded\n", i, tally[i].calls, tally[i].successes);
    }
    printf("%u calls; %u numbers succeeded at least once\n", calls, succeeded);
}

static void read_signatures(char *text)
{
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        long nr = strtol(word, &word, 10);

        if (nr >= 0 && nr <= LAST_NUMBER && *word == ':')
            strncpy(kinds[nr], word + 1, 6);
    }
}

int main(int argc, char **argv)
{
    uint64_t end_ms = now_ms() + 1000 * (argc > 1 ? strtoul(argv[1], NULL, 0) : 3);
    uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
    long first = argc > 4 ? atol(argv[4]) : 0, last = argc > 5 ? atol(argv[5]) : LAST_NUMBER;
    pid_t workers[NR_WORKERS];
    int status;

    if (getpid() != 1) {
        fputs("only as process 1 of a sandbox: it would harm its host\n", stderr);
        return 2;
    }

    if (argc > 3)
        read_signatures(argv[3]);
    tally = mmap(NULL, (LAST_NUMBER + 1) * sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    scratch = mmap(NULL, 2 * SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(scratch + SCRATCH, SCRATCH);                          /* what runs off the end meets nothing */
    for (int i = 0; i < NR_WORKERS; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            worker(seed * 7919 + i * 104729 + 1, end_ms, first, last);
    }
    for (int i = 0; i < NR_WORKERS; i++)
        waitpid(workers[i], &status, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(42);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 42)
        return 1;
    report();
    puts("PASS");
    return 0;
}
