/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system, random numbers, processors, segment bases, and numbers that are no system call. */
#include "../check.h"
#include <asm/prctl.h>
#include <sys/random.h>
#include <sys/utsname.h>

TEST(uname_)
{
    struct utsname uts;
    int major, minor;
    CHECK(uname(&uts) == 0);
    CHECK(strcmp(uts.sysname, "Linux") == 0 && strcmp(uts.machine, "x86_64") == 0);
    CHECK_EQ(sscanf(uts.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 4 && uts.version[0] == '#');
    CHECK_ERR(syscall(SYS_uname, BAD_POINTER), EFAULT);
}

TEST(host_and_domain_name)
{
    char before[65], after[65];
    CHECK(gethostname(before, sizeof before) == 0);
    if (geteuid() != 0)
        SKIP("needs root");
    if (sethostname(before, strlen(before)) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    IN_CHILD {
        if (unshare(CLONE_NEWUTS) == 0) {
            CHECK(sethostname("check", 5) == 0);
            CHECK(gethostname(after, sizeof after) == 0 && strcmp(after, "check") == 0);
            CHECK(setdomainname("example", 7) == 0);
            struct utsname uts;
            CHECK(uname(&uts) == 0 && strcmp(uts.nodename, "check") == 0);
        }
    }
    CHECK(gethostname(after, sizeof after) == 0 && strcmp(before, after) == 0);
    CHECK_ERR(sethostname(before, 65), EINVAL);
    CHECK_ERR(syscall(SYS_sethostname, before, -1), EINVAL);
    CHECK_ERR(syscall(SYS_sethostname, BAD_POINTER, 5), EFAULT);
    IN_CHILD {
        CHECK(setuid(1000) == 0);
        CHECK_ERR(sethostname("x", 1), EPERM);
    }
}

TEST(random)
{
    unsigned char a[32] = {0}, b[32] = {0};
    CHECK_EQ(getrandom(a, 32, 0), 32);
    CHECK_EQ(getrandom(b, 32, GRND_NONBLOCK | GRND_RANDOM), 32);
    CHECK(memcmp(a, b, 32) != 0);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    CHECK_ERR(getrandom(a, 32, 0x100), EINVAL);
    CHECK_ERR(getrandom(a, 32, GRND_RANDOM | GRND_INSECURE), EINVAL);
    CHECK_ERR(getrandom(BAD_POINTER, 32, 0), EFAULT);
    static unsigned char big[1 << 20];
    CHECK_EQ(getrandom(big, sizeof big, 0), sizeof big);
    int counts[256] = {0};
    for (size_t i = 0; i < sizeof big; i++)
        counts[big[i]]++;
    for (int i = 0; i < 256; i++)
        CHECK(counts[i] > 3500 && counts[i] < 4700);
}

TEST(processor_number)
{
    unsigned cpu = 9999, node = 9999;
    CHECK(getcpu(&cpu, &node) == 0);
    CHECK(cpu < 4096 && node < 64);
    CHECK(sched_getcpu() >= 0);
    CHECK(syscall(SYS_getcpu, NULL, NULL, NULL) == 0);
    CHECK_ERR(syscall(SYS_getcpu, BAD_POINTER, NULL, NULL), EFAULT);
}

TEST(segment_bases)
{
    unsigned long fs = 0, gs = 99, inside = 0;
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
    __asm__("mov %%fs:0, %0" : "=r"(inside));
    CHECK_EQ(inside, fs);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0);
    CHECK_EQ(gs, 0);
    static unsigned long words[2] = {0x1234, 0x5678};
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, words) == 0);
    __asm__("mov %%gs:8, %0" : "=r"(inside));
    CHECK_EQ(inside, 0x5678);
    IN_CHILD {
        __asm__ volatile("mov %%gs:0, %0" : "=r"(inside));
        CHECK_EQ(inside, 0x1234);
    }
    sched_yield();
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == (unsigned long)words);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0) == 0);
    CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 63), EPERM);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_FS, BAD_POINTER), EFAULT);
}

TEST(unknown_calls)
{
    long numbers[] = {1000, 335 + 100000, 0x7fffffff, -1, 500, 0x40000000 + 39};
    for (size_t i = 0; i < LENGTH(numbers); i++)
        CHECK_ERR(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
    long removed[] = {SYS_uselib, SYS_create_module, SYS_nfsservctl, SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall,
                      SYS_security, SYS_vserver, SYS_set_thread_area, SYS_get_thread_area, SYS_epoll_ctl_old};
    for (size_t i = 0; i < LENGTH(removed); i++)
        CHECK_ERR(syscall(removed[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(upper_halves_of_registers)
{
    char c = 0;
    int fd = open("/dev/zero", O_RDONLY);
    CHECK_EQ(syscall(SYS_read, 0xdead00000000L + fd, &c, 1L), 1);
    CHECK_EQ(syscall(SYS_close, 0xffffffff00000000L | fd), 0);
    CHECK_ERR(syscall(SYS_close, 0x1ffffffffL), EBADF);
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(0x100000000L | SYS_getpid) : "rcx", "r11", "memory");
    CHECK(result == getpid() || result == -ENOSYS);
}

TEST(registers_survive_calls)
{
    long in[6] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66}, out[6], result;
    __asm__ volatile("mov %[in], %%rax\n\t"
                     "mov 0(%%rax), %%rbx\n\tmov 8(%%rax), %%r12\n\tmov 16(%%rax), %%r13\n\tmov 24(%%rax), %%r14\n\t"
                     "mov 32(%%rax), %%r8\n\tmov 40(%%rax), %%r9\n\t"
                     "mov %[nr], %%eax\n\tsyscall\n\t"
                     "mov %%rbx, 0(%[out])\n\tmov %%r12, 8(%[out])\n\tmov %%r13, 16(%[out])\n\tmov %%r14, 24(%[out])\n\t"
                     "mov %%r8, 32(%[out])\n\tmov %%r9, 40(%[out])"
                     : "=&a"(result)
                     : [in] "r"(in), [out] "D"(out), [nr] "i"(SYS_getppid)
                     : "rbx", "r12", "r13", "r14", "r8", "r9", "rcx", "r11", "memory");
    CHECK_EQ(result, getppid());
    CHECK(memcmp(in, out, sizeof in) == 0);
}

TEST(refused_to_everybody_or_to_containers)
{
    IN_CHILD {
        if (geteuid() == 0)
            CHECK(setuid(1000) == 0);
        CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, NULL), EPERM);
        CHECK_ERR(syscall(SYS_swapon, "/x", 0), EPERM);
        CHECK_ERR(syscall(SYS_acct, "/x"), EPERM);
        CHECK_ERR(syscall(SYS_settimeofday, &(struct timeval){1, 0}, NULL), EPERM);
        CHECK_ERR(syscall(SYS_pivot_root, "/", "/"), EPERM);
    }
}
