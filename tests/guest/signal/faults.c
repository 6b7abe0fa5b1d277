/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of faulting instructions: number, si_code, si_addr; and what blocking or ignoring them does. */
#include "../check.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile siginfo_t last;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    last = *info;
    siglongjmp(back, signal);
}

static void catch(int signal)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

#define CHECK_FAULT(statement, signal, code, address) \
    do { \
        memset((void *)&last, 0, sizeof last); \
        volatile int caught_ = sigsetjmp(back, 1); \
        if (caught_ == 0) { \
            statement; \
        } \
        CHECK_EQ(caught_, signal); \
        CHECK_EQ(last.si_signo, signal); \
        CHECK_EQ(last.si_code, code); \
        if (address) \
            CHECK_EQ((uintptr_t)last.si_addr, (uintptr_t)(address)); \
    } while (0)

TEST(unmapped)
{
    volatile char *nowhere = (char *)0x123456789000;
    catch(SIGSEGV);
    CHECK_FAULT((void)nowhere[5], SIGSEGV, SEGV_MAPERR, nowhere + 5);
    CHECK_FAULT(nowhere[7] = 1, SIGSEGV, SEGV_MAPERR, nowhere + 7);
    volatile char *null = BAD_POINTER;
    CHECK_FAULT(null[0] = 1, SIGSEGV, SEGV_MAPERR, null);
    volatile char *canonical = check_opaque((void *)0x8000000000000000);
    CHECK_FAULT((void)*canonical, SIGSEGV, SI_KERNEL, 0);
    CHECK_EQ((uintptr_t)last.si_addr, 0);
}

TEST(protections)
{
    volatile char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    catch(SIGSEGV);
    CHECK_EQ(page[9], 0);
    CHECK_FAULT(page[9] = 1, SIGSEGV, SEGV_ACCERR, page + 9);
    CHECK(mprotect((void *)page, PAGE, PROT_NONE) == 0);
    CHECK_FAULT((void)page[100], SIGSEGV, SEGV_ACCERR, page + 100);
    CHECK(mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) == 0);
    page[0] = (char)0xc3;
    CHECK_FAULT(((void (*)(void))page)(), SIGSEGV, SEGV_ACCERR, page);
    CHECK(munmap((void *)page, PAGE) == 0);
    CHECK_FAULT((void)page[0], SIGSEGV, SEGV_MAPERR, page);
}

TEST(handler_repairs_and_instruction_repeats)
{
    volatile int tries = 0;
    volatile char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    catch(SIGSEGV);
    if (sigsetjmp(back, 1)) {
        tries++;
        CHECK(mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) == 0);
    }
    page[3] = 5;
    CHECK_EQ(tries, 1);
    CHECK_EQ(page[3], 5);
}

TEST(file_shorter_than_its_mapping)
{
    char name[] = "/tmp/faults.XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0);
    CHECK(ftruncate(fd, 2 * PAGE) == 0);
    volatile char *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    catch(SIGBUS);
    map[PAGE] = 1;
    CHECK_FAULT((void)map[2 * PAGE + 4], SIGBUS, BUS_ADRERR, map + 2 * PAGE + 4);
    CHECK(ftruncate(fd, 10) == 0);
    CHECK_FAULT(map[PAGE] = 2, SIGBUS, BUS_ADRERR, map + PAGE);
    map[11] = 3;
    CHECK(ftruncate(fd, 2 * PAGE) == 0);
    CHECK_EQ(map[PAGE], 0);
    close(fd);
    CHECK(munmap((void *)map, 3 * PAGE) == 0);
}

TEST(arithmetic_and_instructions)
{
    volatile int zero = 0, one = 1;
    catch(SIGFPE);
    catch(SIGILL);
    catch(SIGTRAP);
    CHECK_FAULT(one = one / zero, SIGFPE, FPE_INTDIV, 0);
    CHECK_FAULT(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN, 0);
    CHECK(last.si_addr != NULL);
    CHECK_FAULT(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0);
    catch(SIGSEGV);
    CHECK_FAULT(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL, 0);
}

static void skip_instruction(int signal, siginfo_t *info, void *data)
{
    ucontext_t *context = data;
    last = *info;
    context->uc_mcontext.gregs[REG_RIP] += 2;
    context->uc_mcontext.gregs[REG_RBX] = 99;
}

TEST(handler_may_step_over)
{
    struct sigaction action = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGILL, &action, NULL) == 0);
    long rbx = 1;
    __asm__ volatile("ud2" : "+b"(rbx));
    CHECK_EQ(rbx, 99);
}

static volatile long long trap_number, error_code, fault_address;

static void note_context(int signal, siginfo_t *info, void *data)
{
    ucontext_t *context = data;
    trap_number = context->uc_mcontext.gregs[REG_TRAPNO];
    error_code = context->uc_mcontext.gregs[REG_ERR];
    fault_address = context->uc_mcontext.gregs[REG_CR2];
    siglongjmp(back, 1);
}

TEST(context_names_the_trap)
{
    struct sigaction action = {.sa_sigaction = note_context, .sa_flags = SA_SIGINFO};
    volatile char *nowhere = (char *)0x123456789000;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    if (sigsetjmp(back, 1) == 0)
        nowhere[1] = 2;
    CHECK_EQ(trap_number, 14);
    CHECK_EQ(error_code & 7, 6);
    CHECK_EQ(fault_address, (uintptr_t)nowhere + 1);
}

TEST(blocked_or_ignored_faults_kill)
{
    int signals[] = {SIGSEGV, SIGILL, SIGFPE};
    for (size_t i = 0; i < LENGTH(signals); i++) {
        for (int ignored = 0; ignored < 2; ignored++) {
            pid_t pid = check_fork();
            if (pid == 0) {
                sigset_t set;
                sigemptyset(&set);
                sigaddset(&set, signals[i]);
                catch(signals[i]);
                if (ignored)
                    signal(signals[i], SIG_IGN);
                else
                    sigprocmask(SIG_BLOCK, &set, NULL);
                volatile int zero = 0, many = 1000;
                if (signals[i] == SIGSEGV)
                    *(volatile char *)BAD_POINTER = 1;
                if (signals[i] == SIGILL)
                    __asm__ volatile("ud2");
                many = many / zero;
                _exit(0);
            }
            CHECK_KILLED(pid, signals[i]);
        }
    }
}

static void *fault_in_thread(void *arg)
{
    static __thread sigjmp_buf *unused;
    (void)unused;
    *(volatile char *)BAD_POINTER = 1;
    return NULL;
}

TEST(fault_of_a_thread_kills_all)
{
    pid_t pid = check_fork();
    if (pid == 0) {
        pthread_t thread;
        signal(SIGSEGV, SIG_DFL);
        pthread_create(&thread, NULL, fault_in_thread, NULL);
        sleep_ms(5000);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
}
