/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim answers without the sentry: questions whose answers the sentry has laid down before, notes that concern the thread itself
 * only, and futexes on the guest's own memory. A guest that forges any of it deceives itself.
 */
#include "shim.h"

/* Who the caller is, if that is the question: the sentry keeps these numbers up to date, and forging them deceives the forger only. */
static const volatile uint32_t *identity(const struct context *c)
{
    static const unsigned char numbers[NR_IDS] = {39, 186, 110, 102, 107, 104, 108};    /* in the order of ids */

    for (unsigned i = 0; i < NR_IDS; i++)
        if ((uint32_t)c->machine.regs[RAX] == numbers[i])
            return c->ids[0] ? &c->ids[i] : 0;
    return 0;
}

static int native_futex_call(const uint64_t *r)
{
    uint32_t op = r[RSI] & FUTEX_OP;

    return (uint32_t)r[RAX] == SYS_futex
        && (op == FUTEX_WAIT || op == FUTEX_WAKE || op == FUTEX_WAIT_BITSET || op == FUTEX_WAKE_BITSET);
}

/* A site that traps for calls which never reach the sentry would never be rewritten: now and then it is shown one, before the
   call is made. */
static void show_site(struct context *c)
{
    uint32_t n = ++c->site_hits;

    if (n < 4 || n & (n - 1))
        return;
    c->machine.regs[RIP] -= 2;
    serve(c, K_SITE);
}

/* rt_sigprocmask, while no signal waits. The sentry takes `mask_is_local` away and then looks at the mask; we change the mask and
   then look at `mask_is_local`: one of the two sees the other (tests/unit/models/masks.pml). False: the sentry is to be asked. */
static int change_mask(struct context *c)
{
    uint64_t *r = c->machine.regs, old = c->mask, mask = old, set;
    uint32_t how = r[RDI];

    if (r[R10] != SIGSET_BYTES || r[RSI] >= GUEST_END - SIGSET_BYTES || r[RDX] >= GUEST_END - SIGSET_BYTES || !c->mask_is_local)
        return 0;
    if (r[RSI]) {
        if (how > SIG_SETMASK || copy(&set, (const void *)r[RSI], sizeof set))
            return 0;
        set &= ~UNBLOCKABLE;
        mask = how == SIG_BLOCK ? old | set : how == SIG_UNBLOCK ? old & ~set : set;
    }
    if (mask != old) {
        c->mask_changed = 1;
        __atomic_store_n(&c->mask, mask, __ATOMIC_SEQ_CST);
        if (!c->mask_is_local) {
            c->mask = old;
            return 0;
        }
    }
    r[RAX] = r[RDX] && copy((void *)r[RDX], &old, sizeof old) ? -EFAULT : 0;
    return 1;
}

/* Calls that only note something which concerns the thread itself. */
static int note_locally(struct context *c)
{
    uint64_t *r = c->machine.regs;

    if ((uint32_t)r[RAX] == SYS_rt_sigprocmask)
        return change_mask(c);
    if (r[RSI] != ROBUST_LIST_BYTES || !r[RDI])
        return 0;
    c->robust_list = r[RDI];
    r[RAX] = 0;
    return 1;
}

/* Calls that need no sentry: getpid and its kin, the native futex on the guest's own memory, sched_yield, and notes. */
HIDDEN void answer_locally(struct context *c)
{
    uint64_t *r = c->machine.regs;
    const volatile uint32_t *id = identity(c);
    uint32_t number = r[RAX];
    int futex = native_futex_call(r), yield = number == SYS_sched_yield;
    int note = (number == SYS_rt_sigprocmask && c->mask_is_local) || (number == SYS_set_robust_list && c->ids[0]);

    if (!id && !futex && !yield && !note)
        return;
    if (c->origin & IS_TRAPPED)
        show_site(c);
    if (note) {
        if (!note_locally(c))
            return;
    } else if (futex) {
        long result = futex_native(c);
        if (result == -EINTR)
            serve(c, K_FUTEX);
        r[RAX] = result;
    } else
        r[RAX] = id ? *id : host_call(&(struct host_call){SYS_sched_yield, {0}, 0});
    leave(c);
}
