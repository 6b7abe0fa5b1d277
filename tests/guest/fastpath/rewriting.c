/* SPDX-License-Identifier: Apache-2.0 */
/* Call sites that are used often behave as on their first day: results, registers, flags, signals, new code in the same place. */
#include "sites.h"
#include <setjmp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <ucontext.h>

TEST(at_every_place_of_a_cache_line)
{
    long group = getpgrp();
    for (int place = 16; place < 16 + 64; place++)
        for (int f = 0; f < FORMS; f++) {
            unsigned char *page = code_page();
            site_function identity = write_site(forms[f], page + place, SYS_getpgrp);
            site_function seek = write_site(forms[f], page + 512 + place, SYS_lseek);
            seal_code(page);
            for (int i = 0; i < OFTEN; i++) {
                CHECK_EQ(identity(0, 0, 0, 0, 0, 0), group);
                CHECK_EQ(seek(-1, i, SEEK_SET, 0, 0, 0), -EBADF);
            }
            CHECK(munmap(page, PAGE) == 0);
        }
}

TEST(across_the_end_of_a_page)
{
    long group = getpgrp();
    for (int before = 0; before < 10; before++)
        for (int f = 0; f < FORMS; f++) {
            unsigned char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            site_function identity = write_site(forms[f], pages + PAGE - before, SYS_getpgrp);
            seal_code(pages);
            seal_code(pages + PAGE);
            for (int i = 0; i < OFTEN; i++)
                CHECK_EQ(identity(0, 0, 0, 0, 0, 0), group);
            CHECK(munmap(pages, 2 * PAGE) == 0);
        }
}

TEST(at_the_very_end_of_a_mapping)
{
    long group = getpgrp();
    unsigned char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    site_function identity = write_mov_site(pages + PAGE - 8, SYS_getpgrp);
    CHECK(munmap(pages + PAGE, PAGE) == 0);
    seal_code(pages);
    for (int i = 0; i < OFTEN; i++)
        CHECK_EQ(identity(0, 0, 0, 0, 0, 0), group);
}

TEST(all_six_arguments)
{
    for (int f = 0; f < FORMS; f++) {
        site_function map = new_site(forms[f], SYS_mmap);
        int fd = memfd_create("six", 0);
        CHECK(ftruncate(fd, 4 * PAGE) == 0);
        CHECK_EQ(pwrite(fd, "third", 5, 3 * PAGE), 5);
        for (int i = 0; i < OFTEN; i++) {
            char *at = (char *)map(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 3 * PAGE);
            CHECK(memcmp(at, "third", 5) == 0);
            CHECK(munmap(at, PAGE) == 0);
        }
        close(fd);
    }
}

#define ARITHMETIC 0x8d5

static long flags_of(long a, long b)
{
    long flags;
    __asm__("cmp %2, %1; pushfq; pop %0" : "=r"(flags) : "r"(a), "r"(b) : "cc");
    return flags & ARITHMETIC;
}

TEST(the_comparison_behind_a_call)
{
    static const int compared[] = {-4095, -1, 1, 4095, 0x7fffffff, (int)0x80000000, 100, -9, 0x10, 0};
    static const long results[] = {0, 1, 15, 16, 99, 100, 101, 255, 0x7fffffff, 0x80000000, 0x7ffffffffffffff, -EBADF, -EINVAL};
    int fd = memfd_create("seek", 0);
    for (int c = 0; c < LENGTH(compared); c++) {
        unsigned char *page = code_page();
        site_function seek = write_compare_site(page + 16, SYS_lseek, compared[c], 1);
        seal_code(page);
        for (int i = 0; i < OFTEN; i++)
            for (int r = 0; r < LENGTH(results); r++) {
                long want = results[r];
                long flags = want == -EBADF ? seek(-1, 0, SEEK_SET, 0, 0, 0) : seek(fd, want == -EINVAL ? -1 : want, SEEK_SET, 0, 0, 0);
                if (i == 0 && want > 0 && lseek(fd, 0, SEEK_CUR) != want)
                    SKIP("files are not that large");
                CHECK_EQ(flags & ARITHMETIC, flags_of(want, compared[c]));
            }
    }
    close(fd);
}

TEST(jumps_into_the_middle)
{
    long group = getpgrp(), flags;
    unsigned char *page = code_page();
    site_function mov = write_mov_site(page + 16, SYS_getpgrp);
    site_function compare = write_compare_site(page + 64 + 16, SYS_getpgrp, 1000, 0);
    seal_code(page);
    for (int i = 0; i < OFTEN; i++) {
        CHECK_EQ(go_to(page + 16 + 5, SYS_getpgrp, &flags), group);
        CHECK_EQ(go_to(page + 16 + 5, SYS_getpgrp, &flags), group);
        CHECK_EQ(go_to(page + 16 + 5, SYS_getpid, &flags), getpid());
        CHECK_EQ(go_to(page + 16 + 5, 100000, &flags), -ENOSYS);
        CHECK_EQ(mov(0, 0, 0, 0, 0, 0), group);
        CHECK_EQ(compare(0, 0, 0, 0, 0, 0), group);
        for (long rax = 998; rax < 1003; rax++) {
            CHECK_EQ(go_to(page + 64 + 16 + 2, rax, &flags), rax);
            CHECK_EQ(flags & ARITHMETIC, flags_of(rax, 1000));
        }
    }
}

/* ---- registers ---- */

struct registers {
    uint64_t general[14];       /* rax rbx rdx rsi rdi rbp r8 r9 r10 r12 r13 r14 r15 flags */
    uint64_t vectors[16][4] __attribute__((aligned(32)));
};

_Static_assert(offsetof(struct registers, vectors) == 128, "as with_registers knows it");

/* with_registers(registers, site): the registers before the site, afterwards those behind it */
void with_registers(struct registers *registers, const void *site);
__asm__(".text\n"
        "with_registers:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi; push %rdi\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovdqu 128+32*\\n(%rdi), %ymm\\n\n.endr\n"
        "mov (%rdi), %rax; mov 8(%rdi), %rbx; mov 16(%rdi), %rdx; mov 24(%rdi), %rsi; mov 40(%rdi), %rbp; mov 48(%rdi), %r8\n"
        "mov 56(%rdi), %r9; mov 64(%rdi), %r10; mov 72(%rdi), %r12; mov 80(%rdi), %r13; mov 88(%rdi), %r14; mov 96(%rdi), %r15\n"
        "pushq 104(%rdi); mov 32(%rdi), %rdi; popfq\n"
        "call *8(%rsp)\n"
        "pushfq; cld; xchg %rdi, 8(%rsp)\n"
        "popq 104(%rdi); mov %rax, (%rdi); mov %rbx, 8(%rdi); mov %rdx, 16(%rdi); mov %rsi, 24(%rdi); mov %rbp, 40(%rdi)\n"
        "mov %r8, 48(%rdi); mov %r9, 56(%rdi); mov %r10, 64(%rdi); mov %r12, 72(%rdi); mov %r13, 80(%rdi); mov %r14, 88(%rdi)\n"
        "mov %r15, 96(%rdi); pop %rax; mov %rax, 32(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovdqu %ymm\\n, 128+32*\\n(%rdi)\n.endr\n"
        "pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static void patterned(struct registers *r, uint64_t seed, uint64_t flags)
{
    for (int i = 0; i < 13; i++)
        r->general[i] = 0x1111111111111111 * (uint64_t)(i + 1) ^ seed << 32;
    r->general[0] = SYS_getpid;         /* for the form that does not load it */
    r->general[13] = flags;
    for (int i = 0; i < 64; i++)
        r->vectors[i / 4][i % 4] = seed * 0x9e3779b97f4a7c15 + i;
}

static void check_registers(const void *site, uint64_t seed, uint64_t flags, long want)
{
    struct registers before, after;
    patterned(&before, seed, flags);
    after = before;
    with_registers(&after, site);
    CHECK_EQ(after.general[0], want);
    for (int i = 1; i < 13; i++)
        if (after.general[i] != before.general[i])
            check_failed(__FILE__, __LINE__, "general register", "%d: %#lx, was %#lx", i, after.general[i], before.general[i]);
    CHECK_EQ(after.general[13] | 0x202, flags | 0x202);
    for (int i = 0; i < 64; i++)
        if (after.vectors[i / 4][i % 4] != before.vectors[i / 4][i % 4])
            check_failed(__FILE__, __LINE__, "vector register", "%d.%d: %#lx, was %#lx", i / 4, i % 4,
                         after.vectors[i / 4][i % 4], before.vectors[i / 4][i % 4]);
}

/* Calls that a kernel in user space may answer in the process itself are rewritten later. */
static void make_hotter(void *site)
{
    for (int i = 0; i < 100 * OFTEN; i++)
        ((site_function)site)(-1, 0, 0, 0, 0, 0);
}

/* mov $number, %eax; syscall; ret, of a call that the arguments of check_registers make fail, or that has none */
static void *bare_site(int number)
{
    unsigned char *page = code_page();
    unsigned char *at = emit_number(page + 16, "\xb8", 1, number);
    emit(at, "\x0f\x05\xc3", 3);
    seal_code(page);
    return page + 16;
}

#define HAS_AVX() __builtin_cpu_supports("avx")

TEST(registers_and_flags_survive)
{
    if (!HAS_AVX())
        SKIP("no AVX");
    void *identity = bare_site(SYS_getpid), *group = bare_site(SYS_getpgrp), *seek = bare_site(SYS_lseek);
    static const uint64_t flags[] = {0x202, 0x202 | ARITHMETIC, 0x203, 0x602, 0x200202, 0x242, 0xa02};   /* 0x400: direction, 0x200000: ID */
    for (int i = 0; i < 3 * OFTEN; i++) {
        if (i == OFTEN)
            make_hotter(identity);
        for (int f = 0; f < LENGTH(flags); f++) {
            check_registers(identity, i, flags[f], getpid());
            check_registers(group, i, flags[f], getpgrp());
            check_registers(seek, i, flags[f], -EBADF);
        }
    }
}

static volatile long handled;

static void spoil_vectors(int signo)
{
    handled++;
    if (HAS_AVX())
        __asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vmovdqa %%xmm0, %%xmm1; vmovdqa %%xmm0, %%xmm7; vmovdqa %%xmm0, %%xmm15"
                         : : : "xmm0", "xmm1", "xmm7", "xmm15");
}

static volatile int stop;

static void *send_signals(void *argument)
{
    pthread_t whom = *(pthread_t *)argument;
    while (!stop) {
        pthread_kill(whom, SIGUSR1);
        for (volatile int i = 0; i < 2000; i++)
            ;
    }
    return NULL;
}

static void registers_under_signals(long ms)
{
    if (!HAS_AVX())
        SKIP("no AVX");
    void *identity = bare_site(SYS_getpid), *group = bare_site(SYS_getpgrp), *seek = bare_site(SYS_lseek);
    long pid = getpid(), pgrp = getpgrp();
    pthread_t self = pthread_self(), sender;
    stop = 0;
    make_hotter(identity);
    CHECK(pthread_create(&sender, NULL, send_signals, &self) == 0);
    long long end = now_ns() + ms * MS;
    for (uint64_t i = 0; now_ns() < end; i++) {
        for (int k = 0; k < 50; k++)
            check_registers(identity, i + k, 0x202, pid);
        check_registers(group, i, 0x203, pgrp);
        check_registers(seek, i, 0x202, -EBADF);
    }
    stop = 1;
    CHECK(pthread_join(sender, NULL) == 0);
}

TEST(registers_survive_signals_with_a_handler)
{
    set_handler(SIGUSR1, spoil_vectors, SA_RESTART);
    handled = 0;
    registers_under_signals(1200);
    CHECK(handled > 0 || !HAS_AVX());
}

TEST(registers_survive_signals_that_are_ignored)
{
    set_handler(SIGUSR1, SIG_IGN, 0);
    registers_under_signals(600);
}

/* The thread that the signal is sent to has it blocked half of the time, so that kicks come to nothing. */
static void *take_signals(void *unused)
{
    (void)unused;
    while (!stop)
        sched_yield();
    return NULL;
}

TEST(registers_survive_signals_that_another_thread_takes)
{
    pthread_t other;
    set_handler(SIGUSR1, spoil_vectors, SA_RESTART);
    set_handler(SIGALRM, spoil_vectors, SA_RESTART);
    stop = 0;
    CHECK(pthread_create(&other, NULL, take_signals, NULL) == 0);
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    registers_under_signals(800);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    alarm(30);
}

static uint64_t seen_vector;
static unsigned seen_control;

static void look_at_the_frame(int signo, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    memcpy(&seen_vector, &u->uc_mcontext.fpregs->_xmm[3], 8);
    seen_control = u->uc_mcontext.fpregs->cwd;
}

TEST(a_handler_sees_the_vectors)
{
    struct sigaction action = {.sa_sigaction = look_at_the_frame, .sa_flags = SA_SIGINFO};
    site_function kill_site = new_site(MOV, SYS_kill);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (uint64_t i = 0; i < 2 * OFTEN; i++) {
        uint64_t value = i % 3 ? i * 0x123456789 : 0;
        register long result __asm__("rax");
        __asm__ volatile("vzeroall; movq %1, %%xmm3; sub $128, %%rsp; call *%4; add $128, %%rsp"
                         : "=a"(result) : "r"(value), "D"((long)getpid()), "S"((long)SIGUSR1), "r"(kill_site)
                         : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                           "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
        CHECK_EQ(result, 0);
        CHECK_EQ(seen_vector, value);
        CHECK_EQ(seen_control, 0x37f);
    }
}

/* ---- calls that sleep meanwhile, signals, single steps ---- */

struct sleeper {
    site_function site;
    int ends[2];
    long result;
    volatile pid_t tid;
    char text[8];
};

static void *sleep_in_site(void *argument)
{
    struct sleeper *s = argument;
    s->tid = gettid();
    s->result = s->site(s->ends[0], (long)s->text, 4, 0, 0, 0);
    return NULL;
}

static void begin_to_sleep(struct sleeper *s, site_function site, pthread_t *thread)
{
    memset(s, 0, sizeof *s);
    s->site = site;
    CHECK(pipe(s->ends) == 0);
    CHECK(pthread_create(thread, NULL, sleep_in_site, s) == 0);
    while (!s->tid)
        sched_yield();
    wait_asleep(s->tid);
}

TEST(a_call_sleeps_while_its_site_is_rewritten)
{
    for (int f = 0; f < FORMS; f++)
        for (int hot_before = 0; hot_before < 2; hot_before++) {
            struct sleeper s;
            pthread_t thread;
            site_function site = new_site(forms[f], SYS_read);
            if (hot_before)
                make_hot(site);
            begin_to_sleep(&s, site, &thread);
            make_hot(site);
            CHECK_EQ(write(s.ends[1], "abcd", 4), 4);
            CHECK(pthread_join(thread, NULL) == 0);
            CHECK_EQ(s.result, 4);
            CHECK(memcmp(s.text, "abcd", 4) == 0);
            close(s.ends[0]);
            close(s.ends[1]);
        }
}

static void count_signal(int signo)
{
    handled++;
}

static void signals_at_sleepers(int flags, int before, long want)
{
    set_handler(SIGUSR1, count_signal, flags);
    for (int f = 0; f < FORMS; f++) {
        struct sleeper s;
        pthread_t thread;
        site_function site = new_site(forms[f], SYS_read);
        if (before)
            make_hot(site);
        begin_to_sleep(&s, site, &thread);
        make_hot(site);
        handled = 0;
        CHECK(pthread_kill(thread, SIGUSR1) == 0);
        while (!handled)
            sleep_ms(1);
        if (want > 0)
            wait_asleep(s.tid);
        CHECK_EQ(write(s.ends[1], "abcd", 4), 4);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_EQ(s.result, want);
        close(s.ends[0]);
        close(s.ends[1]);
    }
}

TEST(a_signal_breaks_a_sleep_in_a_rewritten_call)
{
    signals_at_sleepers(0, 0, -EINTR);
    signals_at_sleepers(0, 1, -EINTR);
}

TEST(a_sleep_in_a_rewritten_call_is_begun_again)
{
    signals_at_sleepers(SA_RESTART, 0, 4);
    signals_at_sleepers(SA_RESTART, 1, 4);
}

static void step(int signo)
{
    handled++;
}

TEST(single_steps)
{
    set_handler(SIGTRAP, step, 0);
    long group = getpgrp();
    for (int f = 0; f < FORMS; f++) {
        site_function site = new_site(forms[f], SYS_getpgrp), local = new_site(forms[f], SYS_getpid);
        make_hotter(local);
        for (int i = 0; i < 2 * OFTEN; i++) {
            handled = 0;
            __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" : : : "memory", "cc");
            long got = site(0, 0, 0, 0, 0, 0), mine = local(0, 0, 0, 0, 0, 0);
            __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" : : : "memory", "cc");
            CHECK_EQ(got, group);
            CHECK_EQ(mine, getpid());
            CHECK(handled > 5);
        }
    }
}

/* ---- the base of %gs ---- */

static uint64_t gs_data[64];

static long read_gs(void)
{
    long value;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    return value;
}

TEST(the_guest_sets_gs)
{
    long group = getpgrp();
    site_function before = new_site(MOV, SYS_getpgrp), after = new_site(COMPARE, SYS_getpgrp);
    make_hot(before);
    IN_CHILD {
        gs_data[1] = 0x5eed;
        CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, gs_data) == 0);
        for (int i = 0; i < OFTEN; i++) {
            CHECK_EQ(before(0, 0, 0, 0, 0, 0), group);
            CHECK_EQ(after(0, 0, 0, 0, 0, 0), group);
            CHECK_EQ(read_gs(), 0x5eed);
        }
        unsigned long base = 0;
        CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0);
        CHECK_EQ(base, (long)gs_data);
        CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0) == 0);
        for (int i = 0; i < OFTEN; i++) {
            CHECK_EQ(before(0, 0, 0, 0, 0, 0), group);
            CHECK_EQ(after(0, 0, 0, 0, 0, 0), group);
        }
    }
}

TEST(the_guest_writes_the_base_of_gs_itself)
{
    if (!(getauxval(26) & 2))           /* AT_HWCAP2: HWCAP2_FSGSBASE */
        SKIP("no FSGSBASE");
    site_function sites[FORMS];
    for (int f = 0; f < FORMS; f++)
        make_hot(sites[f] = new_site(forms[f], SYS_getpgrp));
    IN_CHILD {
        long group = getpgrp();
        gs_data[1] = 0x5eed;
        for (int i = 0; i < OFTEN; i++) {
            /* an address where nothing can be read, then our own data, which is no context either */
            unsigned long bases[] = {0x5000, (unsigned long)gs_data, (unsigned long)(gs_data + i % 8)};
            for (int b = 0; b < LENGTH(bases); b++) {
                unsigned long base = 0;
                __asm__ volatile("wrgsbase %0" : : "r"(bases[b]));
                for (int f = 0; f < FORMS; f++)
                    CHECK_EQ(sites[f](0, 0, 0, 0, 0, 0), group);
                __asm__ volatile("rdgsbase %0" : "=r"(base));
                CHECK_EQ(base, bases[b]);
            }
        }
    }
}
