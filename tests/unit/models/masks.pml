/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changes a thread's signal mask, and who looks at it: change_mask() of local.c on one side, on the other send() of signal/send.pyx with
 * take_mask() of thread.pyx, and tell_mask() of kernel.pyx. One thread, which blocks and unblocks a signal and is sent it meanwhile.
 *
 * Each side writes its word and then reads the other's, with a fence between; memory is sequentially consistent here.
 *
 * Properties: whatever the thread asks for, the sentry then knows the mask that the thread believes to have; at the end no signal waits
 * that the thread does not block (assertions); nobody waits for ever (no invalid end state).
 *
 * A MUTANT_ breaks one line of the protocol; test_models.py wants each of them to be found.
 */
#define CALLS 4
#define SIGNALS 3

mtype = { SET, LOOK };

/* the context */
bool mask;              /* does it block the signal? */
bool is_local;          /* mask_is_local */

/* the thread */
bool wanted;            /* the mask that it believes to have, or is just asking for */
bool kick;              /* SIG_INTR is on its way */

/* the sentry */
bool blocked;           /* task.blocked */
bool told;              /* thread.mask_is_local */
bool pending;
byte sent;

chan request = [0] of { mtype, bool };  /* what, and HAS_MASK */
chan answer = [0] of { bool };

inline ask(what)
{
    request ! what, changed;
    changed = false;
    answer ? _
}

active proctype shim()
{
    byte calls = 0;
    bool changed = false, old;

    do
    :: calls < CALLS ->
        calls++;
        wanted = !wanted;
        old = mask;
        if
        :: is_local ->
            changed = true;
            mask = wanted;
            if
            :: is_local -> skip
#ifdef MUTANT_NO_SECOND_LOOK
            :: !is_local -> skip
#else
            :: !is_local ->
                mask = old;
                ask(SET)
#endif
            fi
        :: else -> ask(SET)
        fi
    :: kick ->
        kick = false;
        ask(LOOK)
    :: calls == CALLS && sent == SIGNALS && !kick ->
        break
    od;
    assert(!pending || wanted)
}

active proctype sentry()
{
    mtype what;
    bool has_mask, waits;

end:
    do
    :: sent < SIGNALS ->
        if
        :: told ->
            told = false;
#ifdef MUTANT_LOOK_FIRST
            blocked = mask;
            is_local = false
#else
            is_local = false;
            blocked = mask
#endif
        :: else
        fi;
        pending = true;
        if
        :: !blocked -> kick = true
        :: else
        fi;
        sent++
    :: request ? what, has_mask ->
        if
        :: has_mask ->
#ifndef MUTANT_NOT_TAKEN
            blocked = mask
#endif
        :: else
        fi;
        if
        :: what == SET -> blocked = wanted
        :: else
        fi;
        assert(blocked == wanted);
        if
        :: pending && !blocked -> pending = false
        :: else
        fi;
        waits = pending;
#ifdef MUTANT_LOCAL_WHILE_ONE_WAITS
        waits = false;
#endif
        if
        :: !waits ->
            mask = blocked;
            is_local = true;
            told = true
        :: waits && told ->
            told = false;
            is_local = false
        :: else
        fi;
        answer ! true
    od
}
