/* SPDX-License-Identifier: Apache-2.0 */
/* Code whose calls were rewritten is still the guest's code: it is replaced, changed, forked and read-only as ever. */
#include "sites.h"
#include <setjmp.h>

static volatile int stop;

/* ---- new code in the same place ---- */

TEST(other_code_at_the_same_address)
{
    for (int round = 0; round < 20; round++) {
        unsigned char *page = code_page();
        site_function site = write_mov_site(page + 16, SYS_getpgrp);
        seal_code(page);
        make_hot(site);
        CHECK(munmap(page, PAGE) == 0);
        CHECK_EQ(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)page);
        if (round % 3 == 0) {           /* mov $42, %eax; nop; nop; ret */
            emit(emit_number(page + 13, "\xb8", 1, 42), "\x90\x90\xc3", 3);
            seal_code(page);
            CHECK_EQ(((site_function)(page + 13))(0, 0, 0, 0, 0, 0), 42);
        } else {
            site = write_site(forms[round % 2], page + 16 + round % 3, SYS_getsid);
            seal_code(page);
            for (int i = 0; i < OFTEN; i++)
                CHECK_EQ(site(0, 0, 0, 0, 0, 0), getsid(0));
        }
        CHECK(munmap(page, PAGE) == 0);
    }
}

TEST(what_faulted_in_a_rewritten_call_faults_in_new_code)
{
    unsigned char *page = code_page();
    site_function site = write_mov_site(page + 16, SYS_getpgrp);
    seal_code(page);
    make_hot(site);
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
    memset(page, 0x06, PAGE);           /* no instruction */
    seal_code(page);
    pid_t pid = check_fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        long flags;
        go_to(page + 16 + 5, SYS_getpgrp, &flags);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGILL);
}

TEST(advice_that_brings_the_file_back)
{
    long group = getpgrp();
    int fd = memfd_create("code", 0);
    unsigned char text[PAGE];
    memset(text, 0xcc, sizeof text);
    write_mov_site(text + 16, SYS_getpgrp);
    CHECK_EQ(write(fd, text, PAGE), PAGE);
    unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    CHECK(page != MAP_FAILED);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < OFTEN; i++)
            CHECK_EQ(((site_function)(page + 13))(0, 0, 0, 0, 0, 0), group);
        CHECK(madvise(page, PAGE, MADV_DONTNEED) == 0);
        CHECK(memcmp(page, text, PAGE) == 0);
    }
    CHECK(close(fd) == 0);
}

TEST(shared_code_is_left_alone)
{
    long group = getpgrp();
    int fd = memfd_create("code", 0);
    unsigned char text[PAGE], again[PAGE];
    memset(text, 0xcc, sizeof text);
    write_mov_site(text + 16, SYS_getpgrp);
    CHECK_EQ(write(fd, text, PAGE), PAGE);
    unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    CHECK(page != MAP_FAILED);
    for (int i = 0; i < OFTEN; i++)
        CHECK_EQ(((site_function)(page + 13))(0, 0, 0, 0, 0, 0), group);
    CHECK_EQ(pread(fd, again, PAGE, 0), PAGE);
    CHECK(memcmp(again, text, PAGE) == 0);
    CHECK(memcmp(page, text, PAGE) == 0);
}

TEST(text_that_the_guest_changes)
{
    unsigned char *page = code_page();
    for (int round = 0; round < 10; round++) {
        int number = round % 2 ? SYS_getsid : SYS_getpgrp;
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
        site_function site = write_mov_site(page + 16, number);
        seal_code(page);
        for (int i = 0; i < OFTEN; i++)
            CHECK_EQ(site(0, 0, 0, 0, 0, 0), number == SYS_getsid ? getsid(0) : getpgrp());
    }
}

TEST(writable_code_changes_its_number)
{
    unsigned char *page = code_page();
    site_function site = write_mov_site(page + 16, SYS_getpgrp);
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    for (int i = 0; i < 4 * OFTEN; i++) {
        *(volatile int *)(page + 17) = i % 2 ? SYS_getsid : SYS_getpgrp;
        CHECK_EQ(site(0, 0, 0, 0, 0, 0), i % 2 ? getsid(0) : getpgrp());
    }
}

/* ---- what guests can't see ---- */

static sigjmp_buf after_fault;

static void on_fault(int signo)
{
    siglongjmp(after_fault, signo);
}

/* The signal of a write to code, 0 if it succeeds. */
static int write_fault(unsigned char *where)
{
    int signo = sigsetjmp(after_fault, 1);
    if (signo)
        return signo;
    *(volatile unsigned char *)where = 0xcc;
    return 0;
}

TEST(text_stays_read_only)
{
    set_handler(SIGSEGV, on_fault, 0);
    for (int f = 0; f < FORMS; f++) {
        unsigned char *page = code_page();
        site_function site = write_site(forms[f], page + 16, SYS_getpgrp);
        seal_code(page);
        for (int i = 0; i < OFTEN; i++) {
            CHECK_EQ(site(0, 0, 0, 0, 0, 0), getpgrp());
            CHECK_EQ(write_fault(page + 100), SIGSEGV);
        }
    }
}

TEST(low_memory_is_not_there)
{
    char *low = check_opaque((void *)0x10000);
    site_function site = new_site(MOV, SYS_getpgrp);
    make_hot(site);
    CHECK(munmap(low, 0x60000) == 0);
    CHECK_EQ(site(0, 0, 0, 0, 0, 0), getpgrp());
    CHECK_ERR(madvise(low, 0x60000, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(site(0, 0, 0, 0, 0, 0), getpgrp());
    CHECK_ERR(mprotect(low + 0x50000, PAGE, PROT_NONE), ENOMEM);
    CHECK_ERR(mprotect(low + 0x50000, 16 * PAGE, PROT_READ), ENOMEM);
    CHECK_EQ(site(0, 0, 0, 0, 0, 0), getpgrp());
    CHECK_ERR((long)mremap(low + 0x50000, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
    CHECK_EQ(site(0, 0, 0, 0, 0, 0), getpgrp());
}

/* ---- fork, vfork, exec ---- */

static void use_sites(site_function *sites, long group)
{
    for (int i = 0; i < OFTEN; i++)
        for (int f = 0; f < FORMS; f++)
            CHECK_EQ(sites[f](0, 0, 0, 0, 0, 0), group);
}

TEST(children_have_the_sites_too)
{
    site_function sites[FORMS] = {new_site(MOV, SYS_getpgrp), new_site(COMPARE, SYS_getpgrp)};
    use_sites(sites, getpgrp());
    IN_CHILD {
        use_sites(sites, getpgrp());
        IN_CHILD {
            use_sites(sites, getpgrp());
        }
        CHECK(munmap((void *)((unsigned long)sites[0] & -PAGE), PAGE) == 0);
        sites[0] = new_site(MOV, SYS_getpgrp);
        use_sites(sites, getpgrp());
    }
    use_sites(sites, getpgrp());
}

static int clone_in_site(site_function site, int flags)
{
    long pid = site(flags | SIGCHLD, 0, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(7);
    return pid;
}

TEST(fork_by_a_rewritten_call)
{
    for (int f = 0; f < FORMS; f++) {
        site_function site = new_site(forms[f], SYS_clone);
        for (int i = 0; i < OFTEN; i++)
            CHECK_EXIT(clone_in_site(site, 0), 7);
    }
}

PROGRAM(answer)
{
    site_function sites[FORMS] = {new_site(MOV, SYS_getpgrp), new_site(COMPARE, SYS_getpgrp)};
    use_sites(sites, getpgrp());
    _exit(9);
}

TEST(exec_after_rewriting)
{
    for (int i = 0; i < 3; i++) {
        site_function sites[FORMS] = {new_site(MOV, SYS_getpgrp), new_site(COMPARE, SYS_getpgrp)};
        use_sites(sites, getpgrp());
        pid_t pid = i % 2 ? vfork() : fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            execl(check_self, "rewriting", "@answer", NULL);
            _exit(1);
        }
        CHECK_EXIT(pid, 9);
        use_sites(sites, getpgrp());
    }
}

/* ---- threads ---- */

/* Makes code, uses it until it is rewritten, and takes it away again. */
static void *rewrite_for_ever(void *argument)
{
    unsigned char **shown = argument;
    long group = getpgrp();
    for (int round = 0; !stop; round++) {
        unsigned char *page = code_page();
        site_function site = write_site(forms[round % 2], page + 16, SYS_getpgrp);
        seal_code(page);
        __atomic_store_n(shown, page, __ATOMIC_SEQ_CST);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(site(0, 0, 0, 0, 0, 0), group);
        __atomic_store_n(shown, NULL, __ATOMIC_SEQ_CST);
        CHECK(munmap(page, PAGE) == 0);
    }
    return NULL;
}

TEST(fork_while_another_thread_is_rewritten)
{
    unsigned char *shown = NULL;
    pthread_t thread;
    stop = 0;
    set_handler(SIGSEGV, on_fault, 0);
    CHECK(pthread_create(&thread, NULL, rewrite_for_ever, &shown) == 0);
    for (int i = 0; i < 150; i++) {
        unsigned char *page;
        while (!(page = __atomic_load_n(&shown, __ATOMIC_SEQ_CST)))
            sched_yield();
        pid_t pid = check_fork();
        if (pid == 0) {
            page = __atomic_load_n(&shown, __ATOMIC_SEQ_CST);
            if (page && write_fault(page + 200) != SIGSEGV)
                _exit(3);
            site_function site = page ? (site_function)(page + (page[13] == 0x49 ? 13 : 6)) : NULL;
            for (int k = 0; page && k < 20; k++)
                if (site(0, 0, 0, 0, 0, 0) != getpgrp())
                    _exit(4);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

struct busy_page {
    unsigned char *page;
    site_function site[8];
    volatile long calls;
};

static void *use_busy_page(void *argument)
{
    struct busy_page *busy = argument;
    long group = getpgrp();
    while (!stop) {
        for (int i = 0; i < LENGTH(busy->site); i++)
            CHECK_EQ(busy->site[i](0, 0, 0, 0, 0, 0), group);
        busy->calls++;
    }
    return NULL;
}

/* A translator that writes new code into a page in which another thread is. */
TEST(protection_changes_while_a_page_is_rewritten)
{
    for (int round = 0; round < 40; round++) {
        struct busy_page busy = {code_page()};
        pthread_t thread;
        stop = 0;
        for (int i = 0; i < LENGTH(busy.site); i++)
            busy.site[i] = write_site(forms[i % 2], busy.page + 16 + 64 * i, SYS_getpgrp);
        seal_code(busy.page);
        CHECK(pthread_create(&thread, NULL, use_busy_page, &busy) == 0);
        while (busy.calls < 60) {
            CHECK(mprotect(busy.page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
            *(volatile unsigned char *)(busy.page + 2048) = round;
            *(volatile unsigned char *)(busy.page + 2049) = round;
            seal_code(busy.page);
            for (volatile int i = 0; i < 100 * round; i++)
                ;
        }
        stop = 1;
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(munmap(busy.page, PAGE) == 0);
    }
}

static void *use_shared_sites(void *argument)
{
    site_function *sites = argument;
    long group = getpgrp();
    for (int i = 0; i < 200; i++)
        for (int k = 0; k < 32; k++)
            CHECK_EQ(sites[k](0, 0, 0, 0, 0, 0), group);
    return NULL;
}

TEST(many_threads_at_the_same_sites)
{
    unsigned char *page = code_page();
    site_function sites[32];
    pthread_t threads[8];
    for (int k = 0; k < 32; k++)
        sites[k] = write_site(forms[k % 2], page + 16 + 64 * k, SYS_getpgrp);
    seal_code(page);
    for (int i = 0; i < LENGTH(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, use_shared_sites, sites) == 0);
    for (int i = 0; i < LENGTH(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* More sites than anybody keeps a table for. */
TEST(thousands_of_sites)
{
    long group = getpgrp();
    for (int round = 0; round < 24; round++) {
        unsigned char *page = code_page();
        site_function sites[60];
        for (int k = 0; k < LENGTH(sites); k++)
            sites[k] = write_site(forms[k % 2], page + 16 + 64 * k, SYS_getpgrp);
        seal_code(page);
        for (int k = 0; k < LENGTH(sites); k++)
            for (int i = 0; i < 12; i++)
                CHECK_EQ(sites[k](0, 0, 0, 0, 0, 0), group);
    }
}

static int futex_word;

static void *wake_in_site(void *argument)
{
    site_function futex = (site_function)argument;
    for (int i = 0; i < 500; i++) {
        while (__atomic_load_n(&futex_word, __ATOMIC_SEQ_CST) != 1)
            futex((long)&futex_word, 128, 0, 0, 0, 0);
        __atomic_store_n(&futex_word, 0, __ATOMIC_SEQ_CST);
        futex((long)&futex_word, 129, 1, 0, 0, 0);
    }
    return NULL;
}

TEST(futexes_by_rewritten_calls)
{
    for (int f = 0; f < FORMS; f++) {
        site_function futex = new_site(forms[f], SYS_futex);
        pthread_t thread;
        futex_word = 0;
        CHECK(pthread_create(&thread, NULL, wake_in_site, futex) == 0);
        for (int i = 0; i < 500; i++) {
            __atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
            futex((long)&futex_word, 129, 1, 0, 0, 0);
            while (__atomic_load_n(&futex_word, __ATOMIC_SEQ_CST) != 0)
                futex((long)&futex_word, 128, 1, 0, 0, 0);
        }
        CHECK(pthread_join(thread, NULL) == 0);
    }
}
