/* SPDX-License-Identifier: Apache-2.0 */
/* What the shim's own files share. */
#ifndef KERNEL_PLATFORM_X86_64_SHIM_H
#define KERNEL_PLATFORM_X86_64_SHIM_H
#include "abi.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define NORETURN __attribute__((noreturn))

enum { SYS_close = 3, SYS_mmap = 9, SYS_munmap = 11, SYS_rt_sigaction = 13, SYS_rt_sigprocmask = 14, SYS_sched_yield = 24, SYS_madvise = 28, SYS_getpid = 39,
       SYS_exit = 60, SYS_kill = 62, SYS_sigaltstack = 131, SYS_prctl = 157, SYS_futex = 202, SYS_exit_group = 231, SYS_set_robust_list = 273, SYS_seccomp = 317, SYS_membarrier = 324 };
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGSYS = 31 };
enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2, SIGSET_BYTES = 8, ROBUST_LIST_BYTES = 24 };
#define UNBLOCKABLE 0x40100ULL  /* SIGKILL, SIGSTOP */
enum { EINTR = 4, EFAULT = 14, EINVAL = 22, ENOSYS = 38 };
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10, FUTEX_OP = 0x7f };
enum { MADV_DONTFORK = 10, PROT_READ = 1, MAP_SHARED_FIXED = 0x11, PR_SET_NAME = 15, PR_SET_NO_NEW_PRIVS = 38, MEMBARRIER_CMD_REGISTER_SYNC_CORE = 64 };
enum { AT_HWCAP = 16, AT_HWCAP2 = 26, AT_SYSINFO_EHDR = 33, AT_MINSIGSTKSZ = 51 };
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_NODEFER = 0x40000000 };
#define AUDIT_ARCH_X86_64 0xc000003e
#define FP_XSTATE_MAGIC1 0x46505853
#define COMPARISON_BYTES 6      /* of cmp $imm32, %rax */
#define SITE_LENGTH 7           /* of mov $imm32, %eax; syscall */
#define RESUME_FLAG 0x10000     /* in flags that a fault saved */

/* the kernel's signal frame, as far as we read it */
enum { G_R8, G_R9, G_R10, G_R11, G_R12, G_R13, G_R14, G_R15, G_RDI, G_RSI, G_RBP, G_RBX, G_RDX, G_RAX, G_RCX, G_RSP, G_RIP, G_RFL,
       G_SEGMENTS, G_ERROR, G_TRAP, G_MASK, G_CR2, NGREG };
struct ucontext { uint64_t flags, link, stack[3], gregs[NGREG], fpstate; };
struct siginfo { int32_t signo, errnum, code, pad; union { uint64_t address; struct { uint64_t call_addr; int32_t number; uint32_t arch; } sys; }; };

/* shim.S */
HIDDEN long host_call(struct host_call *call);
HIDDEN long ring(long seq, long kind);
HIDDEN long futex_native(struct context *c);
HIDDEN void clear_word(uint64_t address);
HIDDEN long cmpxchg_word(uint64_t address, uint64_t expected, uint64_t desired);
HIDDEN long cmpxchg_code(uint64_t address, uint64_t expected, uint64_t desired);
HIDDEN long copy(void *into, const void *from, uint64_t length);
HIDDEN long copy_string(void *into, const void *from, uint64_t room);
HIDDEN long probe(uint64_t address, uint64_t length);
HIDDEN long make_process(struct context *c, uint64_t nonce);
HIDDEN long make_thread(struct context *c, uint64_t nonce, uint64_t child);
HIDDEN NORETURN void leave(struct context *c);
HIDDEN NORETURN void start_over(struct context *c, long kind);
HIDDEN void load_vectors(uint64_t fpstate);
HIDDEN NORETURN void nested_return(uint64_t *gregs, uint64_t fpstate);
HIDDEN NORETURN void serve(struct context *c, long kind);
HIDDEN extern char futex_begin[], futex_end[], leave_end[], signal_entry[], fast_entry[], fast_saved[];
HIDDEN extern const int32_t guest_accesses[];   /* pairs of distances from the word itself: begin and end of an access */

/* local.c */
HIDDEN void answer_locally(struct context *c);      /* returns if the sentry is to be asked */

/* window.c */
HIDDEN uint32_t fill_window(struct context *c);      /* HAS_PIECES or 0 */
HIDDEN void empty_window(struct context *c);
#endif
