/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a request reaches the sentry, and its answer the guest's thread: serve() and spin() of shim.c on one side, on the other
 * on_bell(), serve_hot() and new_request() of systrap.pyx, answer() and interrupt() of thread.pyx, heat(), cool() and hurry() of
 * handover.pyx. One thread, which makes a few requests and then computes until it is interrupted, or nobody wants that any more.
 *
 * The host is hostile within its rules: a signal may take the bell away before or after the sentry has received it, so that an answer goes
 * nowhere. Time is not modelled: spinning may end, and the sentry may heat and cool, at any moment. Mishaps and
 * changes of temperature are bounded, so that a request which waits for ever shows as a state in which nothing can happen.
 *
 * Properties: no request waits for ever, and no interrupt (no invalid end state); none is carried out twice, and an answer is taken
 * only by the request that it answers (assertions).
 *
 * A MUTANT_ breaks one line of the protocol; test_models.py wants each of them to be found.
 */
#define REQUESTS 3
#define MISHAPS 2       /* bells that are taken away */
#define HEATS 2
#define KICKS 1
#define NUMBERS 8       /* more than there are requests, interrupts included */

/* the context */
byte rep;               /* answer.rep */
byte posted;            /* request.posted */
byte argument;          /* stands for the registers: the number of the request, so that a mix-up shows */
byte result;            /* in the answer */
bool spin;              /* answer.spin */
bool interrupted;

/* the notification, as the host keeps it while the thread is in its bell */
byte bell;              /* the number that it rings with; 0: it does not */
byte ticket;            /* its identity: an answer to an older one goes nowhere */
bool received;          /* by the sentry */
bool over;              /* answered, or a signal ended it */
bool signal;            /* SIG_INTR is on its way */

/* the sentry */
mtype = { GUEST, SERVING };
mtype state = GUEST;
byte last;              /* thread.seq */
byte notification;      /* thread.notification */
byte taken;             /* what the request at hand asks for */
bool hot, kicked;
bool pending;           /* a guest signal that the thread must be interrupted for */

byte carried_out[NUMBERS];
byte mishaps, heats, kicks;
bool done;

/* ---- the shim ---- */

inline request()                                /* one turn of serve() */
{
    interrupted = false;
    seq++;
    argument = seq;
    if
    :: spin ->
#ifdef MUTANT_POSTS_TOO_EARLY
        argument = 0;
        posted = seq;
        argument = seq;
#else
        posted = seq;
#endif
        do
        :: rep == seq -> break
        :: rep != seq -> break                  /* the time is up */
        od
    :: !spin
    fi;
    do
    :: rep == seq -> break
    :: rep != seq ->
        atomic { ticket++; bell = seq; received = false; over = false };
        atomic { over -> bell = 0 }
    od;
    assert(result == seq)
#ifdef MUTANT_FORGETS_INTERRUPTS
    ; interrupted = false
#endif
}

active proctype shim()
{
    byte seq;

    do
    :: seq < REQUESTS -> request()
    :: interrupted -> request()                 /* leave(), or on_signal() in the guest's code: K_INTERRUPT */
    :: seq >= REQUESTS && !pending && !interrupted && !signal -> break
    od;
    done = true
}

/* ---- the host ---- */

active proctype host()
{
    do
    :: atomic { bell && !over && mishaps < MISHAPS -> mishaps++; over = true }      /* a stop, the freezer, another signal */
    :: atomic { signal ->                       /* takes the bell away, if it rings */
        signal = false; interrupted = true;
        if
        :: bell -> over = true
        :: else
        fi }
    :: done -> break
    od
}

/* ---- the sentry ---- */

inline answer_bell(id)                          /* listener.answer() */
{
    atomic {
        if
        :: bell && received && ticket == id && !over -> over = true
        :: else                                 /* ENOENT is no error */
        fi
    }
}

inline answer()
{
    kicked = false;
    answered = notification;
    notification = 0;
#ifdef MUTANT_NUMBER_BEFORE_RESULT
    rep = last;
    result = taken;
#else
    result = taken;
    rep = last;
#endif
    state = GUEST;
    if
    :: answered -> answer_bell(answered)
    :: else
    fi;
    answered = 0
}

inline cool()
{
    hot = false;
    spin = false
}

inline new_request(seq, id)
{
    last = seq;
    notification = id;
    state = SERVING;
    taken = argument;
    pending = false;                            /* signals are looked at before it blocks, and before it is answered */
    assert(taken == seq);
    carried_out[taken]++;
    assert(carried_out[taken] == 1);
    if
    :: !hot && heats < HEATS -> heats++; hot = true; spin = true
    :: true
    fi;
    if
    :: answer()                                 /* at once */
    :: hot -> cool()                            /* it must wait: hurry() */
    :: !hot
    fi
}

inline on_bell(seq, id)
{
    if
#ifdef MUTANT_TAKES_IT_AGAIN
    :: state == GUEST && seq >= last -> new_request(seq, id)
#else
    :: seq == last + 1 && state == GUEST -> new_request(seq, id)
#endif
    :: else ->
        assert(seq == last);                    /* else a breach, and the thread has kept to the protocol */
        if
        :: state == SERVING ->
#ifdef MUTANT_IGNORES_THE_SAME_NUMBER
            skip
#else
            notification = id
#endif
        :: state == GUEST ->
#ifdef MUTANT_ANSWERS_ONCE
            skip
#else
            answer_bell(id)
#endif
        fi
    fi
}

active proctype sentry()
{
    byte number, from, answered;

    do
    :: atomic { bell && !received && !over -> received = true; number = bell; from = ticket };
       on_bell(number, from); number = 0; from = 0
#ifdef MUTANT_LOOKS_FOR_ANY_REQUEST
    :: hot && state == GUEST && posted -> new_request(posted, 0)
#else
    :: hot && state == GUEST && posted == last + 1 -> number = last + 1; new_request(number, 0); number = 0
#endif
    :: state == SERVING -> answer()             /* what it waited for has happened */
    :: hot -> cool()
    :: atomic { state == GUEST && !kicked && kicks < KICKS -> kicks++; pending = true; kicked = true; signal = true }
    :: done -> break
    od
}
