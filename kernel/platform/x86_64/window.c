/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window: what a call reads travels with its request, what it writes with the answer, so that the sentry seldom has to reach
 * into the guest's memory. Which pieces these are says a table that the sentry derives from the handlers' signatures.
 */
#include "shim.h"

static struct window *window_of(struct context *c)
{
    return (struct window *)((char *)c + SLOT_WINDOW);
}

/* What the call will read comes with the request, and room for what it will write is probed: afterwards is too late to say EFAULT.
   A piece that does not fit or can't be reached is left out: the sentry reaches for it by itself, and finds what is wrong. */
HIDDEN uint32_t fill_window(struct context *c)
{
    static const unsigned char registers[6] = {RDI, RSI, RDX, R10, R8, R9};
    struct window *w = window_of(c);
    const uint64_t *r = c->machine.regs;
    uint64_t todo = (uint32_t)r[RAX] < NR_DESCRIBED ? ((const uint64_t *)RO_PAGE)[(uint32_t)r[RAX]] : 0;
    uint64_t used = sizeof *w, length;

    if (!todo)
        return 0;
    w->nr_in = w->nr_out = 0;
    for (; todo; todo >>= 16) {
        unsigned kind = todo & 7;
        uint64_t address = r[registers[(todo >> 3 & 7) % 6]];
        long failed;

        length = todo >> 6 & 0x3ff;
        if (kind == COPY_IN_COUNTED || kind == COPY_OUT_COUNTED) {
            length = r[registers[(length & 7) % 6]];
            if (length > WINDOW_SIZE)
                continue;
            length *= todo >> 9 & 0x7f;
        }
        if (kind == COPY_STRING)
            length = STRING_ROOM < WINDOW_SIZE - used ? STRING_ROOM : WINDOW_SIZE - used;
        if (!address || !length || length > WINDOW_SIZE - used || address >= GUEST_END)
            continue;
        if (kind == COPY_STRING) {
            failed = copy_string((char *)w + used, (const void *)address, length);
            length = failed > 0 ? (uint64_t)failed : 0;
            failed = failed < 0 ? failed : 0;
        } else if (kind == COPY_IN || kind == COPY_IN_COUNTED)
            failed = copy((char *)w + used, (const void *)address, length);
        else
            failed = probe(address, length);
        if (failed)
            continue;
        if (kind == COPY_OUT || kind == COPY_OUT_COUNTED)
            w->outgoing[w->nr_out++ % NR_PIECES] = (struct piece){address, length, used};
        else
            w->incoming[w->nr_in++ % NR_PIECES] = (struct piece){address, length, used | (kind == COPY_STRING ? IS_STRING : 0)};
        used += (length + 7) & ~7UL;
    }
    return HAS_PIECES;
}

/* What the sentry has written for the guest; it fails only if another thread took the memory away since it was probed. */
HIDDEN void empty_window(struct context *c)
{
    struct window *w = window_of(c);

    for (unsigned i = 0; i < NR_PIECES; i++) {
        const struct piece *p = &w->outgoing[i];
        uint32_t length = c->answer.filled[i];

        if (length && copy((void *)p->address, (const char *)w + p->offset % WINDOW_SIZE, length))
            c->machine.regs[RAX] = -EFAULT;
    }
}
