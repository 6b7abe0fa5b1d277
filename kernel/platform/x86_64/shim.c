/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim: all of our code that lives in a stub, beside the guest. It saves a guest thread's state when it traps, asks the
 * sentry, carries out the order and goes back. It decides nothing, and nothing it says is believed (DESIGN 2.1).
 *
 * Freestanding, general registers only (the guest's vectors are live until the signal frame holds them), no writable data:
 * what a thread owns is in its slot. No recursion: gcc makes no tail calls to noreturn functions, and the stack is 32 KiB.
 */
#include "shim.h"

static long sys(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct host_call call = {number, {a, b, c, d, e, 0}, 0};
    return host_call(&call);
}

static NORETURN void die(int why)
{
    for (;;)
        sys(SYS_exit_group, why, 0, 0, 0, 0);
}

/* pthread_join waits on this word with the shared kind of futex, as Linux wakes it */
static void clear_and_wake(uint64_t address)
{
    if (!address)
        return;
    clear_word(address);
    sys(SYS_futex, address, FUTEX_WAKE, 1, 0, 0);
}

static long make_host_call(struct host_call *call)
{
    if (call->number == HOST_CMPXCHG)
        return cmpxchg_word(call->args[0], call->args[1], call->args[2]);
    if (call->number == HOST_CMPXCHG8)
        return cmpxchg_code(call->args[0], call->args[1], call->args[2]);
    return host_call(call);
}

/* How many calls were made; the last of them failed if it is not the last of all. EINTR means that SIG_INTR took the call's
   notification away; there is at most one such signal before the next request, so this ends. */
static unsigned make_host_calls(struct context *c, int *failed)
{
    unsigned i = 0;

    *failed = 0;
    while (i < c->nr_host_calls && i < MAX_HOST_CALLS && !*failed) {
        struct host_call *call = &c->host[i++];
        do
            call->result = make_host_call(call);
        while (call->result == -EINTR);
        *failed = (uint64_t)call->result > -4096UL;
    }
    return i;
}

/* Carries out one order; returns when the sentry must be asked again. */
static void obey(struct context *c)
{
    int failed = 0;

    switch (c->answer.order) {
    case ORDER_RESUME:
        empty_window(c);
        leave(c);
    case ORDER_HOST:
        c->report.result = make_host_calls(c, &failed);
        break;
    case ORDER_FORK:
        c->report.result = make_process(c, c->nonce);
        failed = c->report.result < 0;
        break;
    case ORDER_THREAD:
        c->report.result = make_thread(c, c->nonce, c->child);
        failed = c->report.result < 0;
        break;
    case ORDER_CLEAR:
        clear_and_wake(c->clear_tid);
        return;
    case ORDER_EXIT:
        clear_and_wake(c->clear_tid);
        for (;;)
            sys(SYS_exit, 0, 0, 0, 0, 0);
    default:
        die(112);
    }
    if (c->answer.then_resume && !failed)
        leave(c);
}

static uint64_t ticks(void)
{
    uint32_t low, high;

    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Linux keeps the processor's number in the limit of a segment, as getcpu of its vDSO reads it. */
static uint32_t this_cpu(void)
{
    uint32_t limit = 0;

    asm volatile("lsl %1, %0" : "+r"(limit) : "r"(0x7b) : "cc");
    return limit & 0xfff;
}

/* HOT: the sentry looks at the request, so no bell is needed if it answers while we spin. It may end that at any time. */
static void spin(struct context *c, uint32_t seq, uint32_t what)
{
    uint64_t began = ticks();

    __atomic_store_n(&c->request.posted, (uint64_t)what << 32 | seq, __ATOMIC_RELEASE);
    while (c->answer.rep != seq && ticks() - began < c->answer.spin)
        asm volatile("pause");
}

/* From a rewritten site the vectors come in their registers, where they stay: nothing here uses them. The sentry may want to see
   or to change them. */
static void save_vectors(struct context *c)
{
    uint64_t image = (uint64_t)c + SLOT_XSAVE;

    asm volatile("xsaveopt64 (%0)" : : "r"(image), "a"(-1), "d"(-1) : "memory");
    c->machine.xsave = image;
    c->live = 2;
}

static uint32_t describe(struct context *c, long kind)
{
    const uint64_t *r = c->machine.regs;

    if (c->mask_changed) {
        c->mask_changed = 0;
        kind |= HAS_MASK;
    }
    if ((kind & KIND_MASK) == K_SITE)
        return kind | c->origin;
    if ((kind & KIND_MASK) != K_SYSCALL)
        return kind;
    c->request.number = r[RAX];
    c->request.args[0] = r[RDI];
    c->request.args[1] = r[RSI];
    c->request.args[2] = r[RDX];
    c->request.args[3] = r[R10];
    c->request.args[4] = r[R8];
    c->request.args[5] = r[R9];
    return kind | c->origin | (c->origin & IS_FOREIGN ? 0 : fill_window(c));
}

/* Asks until answered, then obeys, for ever. A signal may take the bell away (EINTR), an answer may get lost: the sequence
   number tells the sentry what happened. */
HIDDEN NORETURN void serve(struct context *c, long kind)
{
    if (c->live == 1)
        save_vectors(c);
    for (;; kind = K_DONE) {
        c->interrupted = 0;
        uint32_t seq = ++c->seq, what = describe(c, kind);
        if (c->answer.spin)
            spin(c, seq, what);
        if (c->answer.rep != seq) {
            c->cpu = this_cpu();
            c->rang = ticks();
        }
        while (c->answer.rep != seq)
            if (ring(seq, what) == -ENOSYS)
                die(113);
        if (c->answer.plain)
            c->machine.regs[RAX] = c->answer.result;
        else
            c->tail = 0;                /* it may go on elsewhere; at the comparison itself there is a fault, which makes it */
        obey(c);
    }
}

/* A new process or thread: its first order is in its context already. From `ready` on the sentry may send SIG_INTR; before, it
   sets `interrupted`. The fence makes sure that one of the two is seen. */
HIDDEN NORETURN void child_main(struct context *c)
{
    c->stack = (uint64_t)c + SLOT_TOP;
    c->canary = CANARY;
    c->ready = 1;
    __sync_synchronize();
    obey(c);
    serve(c, K_DONE);
}

static void save_registers(struct context *c, const uint64_t *g, uint64_t fpstate, uint64_t sp)
{
    uint64_t *r = c->machine.regs, gs;

    r[RAX] = g[G_RAX]; r[RDI] = g[G_RDI]; r[RSI] = g[G_RSI]; r[RDX] = g[G_RDX]; r[R10] = g[G_R10]; r[R8] = g[G_R8];
    r[R9] = g[G_R9]; r[RCX] = g[G_RCX]; r[R11] = g[G_R11]; r[RBX] = g[G_RBX]; r[RBP] = g[G_RBP]; r[R12] = g[G_R12];
    r[R13] = g[G_R13]; r[R14] = g[G_R14]; r[R15] = g[G_R15]; r[RSP] = g[G_RSP]; r[RIP] = g[G_RIP]; r[RFL] = g[G_RFL];
    asm volatile("rdfsbase %0" : "=r"(c->machine.fs));
    asm volatile("rdgsbase %0" : "=r"(gs));
    if (gs != (uint64_t)c)              /* else the guest does not use it, and what it had last stands */
        c->machine.gs = gs;
    c->machine.xsave = fpstate;
    c->live = 0;
    c->tail = 0;
    c->origin = IS_TRAPPED;
    c->stack = (sp & -64) - 64;
}

static void report_fault(struct context *c, int signo, const struct siginfo *info, const uint64_t *g)
{
    c->report.signo = signo;
    c->report.code = info->code;
    c->report.address = info->address;
    c->report.trap = g[G_TRAP];
    c->report.error = g[G_ERROR];
}

/* The first SIG_INTR, which the zygote sends to itself, shows how large this host's frames are. */
static void measure_frame(struct context *c, uint64_t fpstate)
{
    const char *image = (const char *)fpstate;

    c->mxcsr_mask = *(const uint32_t *)(image + 28);
    if (*(const uint32_t *)(image + 464) == FP_XSTATE_MAGIC1) {
        c->xfeatures = *(const uint64_t *)(image + 472);
        c->xstate_size = *(const uint32_t *)(image + 480);
    }
}

/* An access to guest memory failed: go on behind it, with -EFAULT. */
static int skip_guest_access(uint64_t *g)
{
    for (const int32_t *row = guest_accesses; *row; row += 2) {
        uint64_t begin = (uint64_t)row + row[0], end = (uint64_t)(row + 1) + row[1];

        if (g[G_RIP] >= begin && g[G_RIP] < end) {
            g[G_RIP] = end;
            g[G_RAX] = -EFAULT;
            return 1;
        }
    }
    return 0;
}

/* A signal that hit the shim itself. */
static NORETURN void nested_signal(int signo, const struct siginfo *info, struct ucontext *u, struct context *c)
{
    uint64_t *g = u->gregs, ip = g[G_RIP];
    int leaving = ip >= (uint64_t)leave && ip < (uint64_t)leave_end;

    if (leaving && c->live && signo != SIGSYS)
        load_vectors(u->fpstate);
    if (signo == SIG_INTR) {
        if (leaving)
            start_over(c, K_INTERRUPT);
        if (ip >= (uint64_t)futex_begin && ip < (uint64_t)futex_end) {
            g[G_RIP] = (uint64_t)futex_end;
            g[G_RAX] = -EINTR;
        } else {
            c->interrupted = 1;
            if (!c->listener && c == (struct context *)CTX_BASE && !c->ready)
                measure_frame(c, u->fpstate);
        }
        nested_return(g, u->fpstate);
    }
    if ((signo == SIGSEGV || signo == SIGBUS) && skip_guest_access(g))
        nested_return(g, u->fpstate);
    if (leaving && signo != SIGSYS) {   /* a non-canonical rip, a bad vector image: the guest's fault */
        report_fault(c, signo, info, g);
        start_over(c, K_FAULT);
    }
    die(signo);                         /* SIGSYS here: someone jumped to a site with registers that the filter refuses */
}

/* A rewritten call site: fast_entry has saved the registers. The record may be anything, it is in guest memory. */
HIDDEN NORETURN void on_fast(struct context *c, uint32_t number)
{
    const struct site *site = (const struct site *)SITE_RECORDS + number % NSITE;
    uint64_t *r = c->machine.regs;

    if (r[RFL] & ~(uint64_t)PLAIN_FLAGS)                /* leaving by iretq would fault with NT, and stop at each step with TF */
        asm volatile("pushq $2; popfq" : : : "cc", "memory");
    r[RIP] = r[RCX] = site->back;
    r[R11] = r[RFL];
    if (site->number >= 0)
        r[RAX] = site->number;
    c->tail = site->compare ? site->back + COMPARISON_BYTES : 0;
    c->compared = site->compare;
    asm volatile("rdfsbase %0" : "=r"(c->machine.fs));
    c->live = 1;
    c->origin = 0;
    c->stack = (uint64_t)c + SLOT_TOP;
    answer_locally(c);
    serve(c, K_SYSCALL);
}

/* A signal hit the way in from a rewritten site, where all registers but three are still the guest's: as if the call had not
   begun, or, if it can't begin here (the base of %gs is the guest's, or it single-steps), as if it had trapped. True: it trapped. */
static int undo_fast_entry(int signo, uint64_t *g, struct context *c)
{
    uint64_t stub = g[G_RIP] - SITE_STUBS;
    const struct site *site = (const struct site *)SITE_RECORDS + (stub < NSITE * SITE_STUB ? stub / SITE_STUB : g[G_R11]) % NSITE;
    int trapped = signo != SIG_INTR;

    if (g[G_RSP] - (uint64_t)c < SLOT)
        g[G_RSP] = c->machine.regs[RSP];
    g[G_RFL] &= ~(uint64_t)RESUME_FLAG;
    g[G_RIP] = site->back;
    if (!trapped) {
        g[G_RIP] -= site->number >= 0 ? SITE_LENGTH : 2;
        return 0;
    }
    if (site->number >= 0)
        g[G_RAX] = site->number;
    return 1;
}

static int in_fast_entry(uint64_t ip)
{
    return ip - SITE_STUBS < NSITE * SITE_STUB || (ip >= (uint64_t)fast_entry && ip < (uint64_t)fast_saved);
}

HIDDEN NORETURN void on_signal(int signo, struct siginfo *info, struct ucontext *u, struct context *c, uint64_t sp)
{
    uint64_t *g = u->gregs, *r = c->machine.regs;
    int call = signo == SIGSYS;

    if (in_fast_entry(g[G_RIP]))
        call = undo_fast_entry(signo, g, c);
    else if (g[G_RIP] - SHIM_BASE < SHIM_SIZE)
        nested_signal(signo, info, u, c);
    save_registers(c, g, u->fpstate, sp);
    if (call) {
        if (signo == SIGSYS && info->sys.arch != AUDIT_ARCH_X86_64)
            c->origin |= IS_FOREIGN;
        else {
            r[RCX] = r[RIP];                            /* as the syscall instruction leaves them */
            r[R11] = r[RFL];
            answer_locally(c);
        }
        serve(c, K_SYSCALL);
    }
    if (signo == SIG_INTR)
        serve(c, K_INTERRUPT);
    report_fault(c, signo, info, g);
    serve(c, K_FAULT);
}

/* ---- the zygote's bootstrap, before any guest exists ---- */

static void read_auxv(struct context *c, uint64_t *stack)
{
    uint64_t *v = stack + *stack + 2;                   /* argc, argv, 0, envp, 0, auxv */

    while (*v)
        v++;
    for (v++; *v; v += 2)
        if (*v == AT_SYSINFO_EHDR)
            c->vdso = v[1];
        else if (*v == AT_HWCAP)
            c->hwcap = v[1];
        else if (*v == AT_HWCAP2)
            c->hwcap2 = v[1];
        else if (*v == AT_MINSIGSTKSZ)
            c->minsigstksz = v[1];
}

static void set_handlers(uint64_t handler)
{
    static const unsigned char handled[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIG_INTR};
    uint64_t action[4] = {handler, SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER, handler, 0};

    for (unsigned i = 0; i < sizeof handled; i++)
        if (sys(SYS_rt_sigaction, handled[i], (uint64_t)action, 0, 8, 0))
            die(105);
}

/* Empties the address space, installs the filter last, hands over the listener, and becomes a shim that forks by order. */
HIDDEN NORETURN void zygote_main(uint64_t *exec_stack)
{
    struct context *c = (struct context *)CTX_BASE;
    uint64_t stack[3] = {CTX_BASE + SLOT_STACK, 0, SLOT - SLOT_STACK};
    struct host_call seccomp = c->host[0];              /* the sentry wrote its arguments */

    c->stack = CTX_BASE + SLOT_TOP;
    read_auxv(c, exec_stack);
    if (sys(SYS_madvise, CTX_BASE, CTX_SIZE, MADV_DONTFORK, 0, 0))
        die(101);
    if (sys(SYS_mmap, RO_PAGE, 4096, PROT_READ, MAP_SHARED_FIXED, FD_RO_PAGE) != RO_PAGE)
        die(102);
    sys(SYS_close, FD_CONTEXTS, 0, 0, 0, 0);
    sys(SYS_close, FD_RO_PAGE, 0, 0, 0, 0);
    if (sys(SYS_munmap, STACK_LOW, STACK_HIGH - STACK_LOW, 0, 0, 0) || sys(SYS_munmap, 0, CTX_BASE, 0, 0, 0))
        die(103);
    if (sys(SYS_sigaltstack, (uint64_t)stack, 0, 0, 0, 0) == -EINVAL)
        die(104);
    set_handlers((uint64_t)signal_entry);
    sys(SYS_kill, sys(SYS_getpid, 0, 0, 0, 0, 0), SIG_INTR, 0, 0, 0);
    sys(SYS_membarrier, MEMBARRIER_CMD_REGISTER_SYNC_CORE, 0, 0, 0, 0);    /* every stub inherits it */
    sys(SYS_prctl, PR_SET_NAME, (uint64_t)"runsc-stub", 0, 0, 0);
    if (sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        die(106);
    long listener = host_call(&seccomp);
    if (listener < 0)
        die(107);
    c->listener = listener + 1;
    sys(SYS_futex, (uint64_t)&c->listener, FUTEX_WAKE, 1, 0, 0);
    if (sys(NR_HELLO, c->nonce, 0, 0, 0, 0))
        die(108);
    sys(SYS_close, listener, 0, 0, 0, 0);               /* gone before the first fork */
    c->ready = 1;
    serve(c, K_DONE);
}
