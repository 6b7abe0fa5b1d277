/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector registers, mask registers, mxcsr and the x87 control word across everything that enters the sandbox's kernel: trapped
 * calls, orders to map, signals, forks, new threads. By what the processor has: xmm, ymm or zmm.
 *
 * Runs natively too, which proves the test.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct vectors {
    uint8_t v[32][64];                  /* 0: as many registers and bytes of each as there are */
    uint64_t k[8];                      /* 2048 */
    uint32_t mxcsr;                     /* 2112 */
    uint16_t control;                   /* 2116 */
} __attribute__((aligned(64)));

typedef long vector_call(long number, const struct vectors *in, struct vectors *out, long a, long b, long c);
vector_call call_xmm, call_ymm, call_zmm;

#define EACH8(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define EACH16(M) EACH8(M) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define EACH32(M) EACH16(M) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define LOAD_X(n) " movdqu " #n "*64(%rbx), %xmm" #n "\n"
#define SAVE_X(n) " movdqu %xmm" #n ", " #n "*64(%rbp)\n"
#define LOAD_Y(n) " vmovdqu " #n "*64(%rbx), %ymm" #n "\n"
#define SAVE_Y(n) " vmovdqu %ymm" #n ", " #n "*64(%rbp)\n"
#define LOAD_Z(n) " vmovdqu64 " #n "*64(%rbx), %zmm" #n "\n"
#define SAVE_Z(n) " vmovdqu64 %zmm" #n ", " #n "*64(%rbp)\n"
#define LOAD_K(n) " kmovq 2048+" #n "*8(%rbx), %k" #n "\n"
#define SAVE_K(n) " kmovq %k" #n ", 2048+" #n "*8(%rbp)\n"

/* long call_*(number, in, out, a, b, c): all of `in` live, one raw system call, then what is there goes to `out` */
#define CALLER(name, loads, saves) \
    asm(".text\n.globl " #name "\n" #name ":\n push %rbx\n push %rbp\n sub $24, %rsp\n stmxcsr (%rsp)\n fnstcw 8(%rsp)\n" \
        " mov %rdi, %rax\n mov %rsi, %rbx\n mov %rdx, %rbp\n mov %rcx, %rdi\n mov %r8, %rsi\n mov %r9, %rdx\n" \
        " xor %r10d, %r10d\n xor %r8d, %r8d\n xor %r9d, %r9d\n" loads " ldmxcsr 2112(%rbx)\n fldcw 2116(%rbx)\n syscall\n" saves \
        " stmxcsr 2112(%rbp)\n fnstcw 2116(%rbp)\n ldmxcsr (%rsp)\n fldcw 8(%rsp)\n add $24, %rsp\n pop %rbp\n pop %rbx\n ret\n")

CALLER(call_xmm, EACH16(LOAD_X), EACH16(SAVE_X));
CALLER(call_ymm, EACH16(LOAD_Y), EACH16(SAVE_Y) " vzeroupper\n");
CALLER(call_zmm, EACH32(LOAD_Z) EACH8(LOAD_K), EACH32(SAVE_Z) EACH8(SAVE_K) " vzeroupper\n");

static vector_call *call = call_xmm;
static int nr_registers = 16, width = 16, nr_masks = 0;

#define CHECK(cond) \
    do { \
        if (!(cond)) { \
            printf("FAIL %s:%d: %s\n", __func__, __LINE__, #cond); \
            fflush(stdout); \
            _exit(1); \
        } \
    } while (0)

static void choose_width(void)
{
    if (__builtin_cpu_supports("avx512bw")) {
        call = call_zmm;
        nr_registers = 32;
        width = 64;
        nr_masks = 8;
    } else if (__builtin_cpu_supports("avx2")) {
        call = call_ymm;
        width = 32;
    }
}

static void fill(struct vectors *v, unsigned seed)
{
    uint8_t *bytes = (uint8_t *)v;

    for (unsigned i = 0; i < sizeof *v; i++)
        bytes[i] = rand_r(&seed);
    v->mxcsr = 0x1f80 | (seed & 0x6000);                /* a rounding mode */
    v->control = 0x37f | (seed & 0xc00);
}

static int same(const struct vectors *a, const struct vectors *b)
{
    for (int i = 0; i < nr_registers; i++)
        if (memcmp(a->v[i], b->v[i], width))
            return 0;
    return !memcmp(a->k, b->k, 8 * nr_masks) && a->mxcsr == b->mxcsr && a->control == b->control;
}

static void trapped_calls(void)
{
    struct vectors in, out;
    pid_t parent = getppid();

    for (int i = 0; i < 500; i++) {
        fill(&in, i);
        CHECK(call(SYS_getppid, &in, &out, 0, 0, 0) == parent);
        CHECK(same(&in, &out));
    }
}

static void local_calls(void)
{
    struct vectors in, out;
    uint32_t word = 0;

    for (int i = 0; i < 200; i++) {
        fill(&in, i);
        CHECK(call(SYS_futex, &in, &out, (long)&word, 1, 1) == 0);
        CHECK(same(&in, &out));
        CHECK(call(SYS_sched_yield, &in, &out, 0, 0, 0) == 0);
        CHECK(same(&in, &out));
    }
}

static void mapping_orders(void)
{
    struct vectors in, out;
    long where = (long)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    fill(&in, 3);
    for (int i = 0; i < 100; i++) {
        CHECK(call(SYS_mprotect, &in, &out, where, 1 << 20, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE) == 0);
        CHECK(same(&in, &out));
    }
}

static void forks(void)
{
    struct vectors in, out;
    int status;

    for (int i = 0; i < 50; i++) {
        fill(&in, 100 + i);
        memset(&out, 0, sizeof out);
        pid_t child = call(SYS_fork, &in, &out, 0, 0, 0);
        CHECK(child >= 0);
        if (child == 0)
            _exit(same(&in, &out) ? 3 : 4);
        CHECK(same(&in, &out));
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
}

static volatile int nr_handled;
static struct vectors handler_in, handler_out;

/* Other vectors than those of the interrupted code; and a handler starts with mxcsr and control word as after execve. */
static void handler(int signo)
{
    uint32_t mxcsr;
    uint16_t control;

    (void)signo;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    CHECK(mxcsr == 0x1f80 && control == 0x37f);
    fill(&handler_in, 999);
    call(SYS_getppid, &handler_in, &handler_out, 0, 0, 0);
    CHECK(same(&handler_in, &handler_out));
    nr_handled++;
}

static void signals(void)
{
    struct vectors in, out;
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction action = {.sa_handler = handler};

    CHECK(sigaltstack(&stack, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        action.sa_flags = i & 1 ? SA_ONSTACK : 0;
        CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
        fill(&in, i);
        CHECK(call(SYS_tkill, &in, &out, syscall(SYS_gettid), SIGUSR1, 0) == 0);
        CHECK(nr_handled == i + 1);
        CHECK(same(&in, &out));
    }
}

static volatile int done;
static pid_t target;

static void *shoot(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        int before = nr_handled;
        CHECK(syscall(SYS_tgkill, getpid(), target, SIGUSR1) == 0);
        while (nr_handled == before)
            ;
    }
    done = 1;
    return NULL;
}

/* Signals that arrive while the vectors are in use, in and between calls. */
static void signals_from_another_thread(void)
{
    struct vectors in, out;
    pthread_t thread;
    pid_t parent = getppid();

    nr_handled = 0;
    target = syscall(SYS_gettid);
    fill(&in, 5);
    CHECK(pthread_create(&thread, NULL, shoot, NULL) == 0);
    while (!done) {
        CHECK(call(SYS_getppid, &in, &out, 0, 0, 0) == parent);
        CHECK(same(&in, &out));
    }
    pthread_join(thread, NULL);
    CHECK(nr_handled == 300);
}

static void *in_thread(void *seed)
{
    struct vectors in, out;

    for (int i = 0; i < 300; i++) {
        fill(&in, (long)seed * 1000 + i);
        call(SYS_getppid, &in, &out, 0, 0, 0);
        CHECK(same(&in, &out));
    }
    return NULL;
}

static void threads(void)
{
    pthread_t thread[6];

    for (long i = 0; i < 6; i++)
        CHECK(pthread_create(&thread[i], NULL, in_thread, (void *)i) == 0);
    for (int i = 0; i < 6; i++)
        pthread_join(thread[i], NULL);
}

static void run(const char *name, void (*test)(void))
{
    test();
    printf("ok %s\n", name);
    fflush(stdout);
}

int main(void)
{
    choose_width();
    printf("%d registers of %d bytes\n", nr_registers, width);
    run("trapped calls", trapped_calls);
    run("local calls", local_calls);
    run("mapping orders", mapping_orders);
    run("forks", forks);
    run("signals", signals);
    run("signals from another thread", signals_from_another_thread);
    run("threads", threads);
    puts("PASS");
    return 0;
}
