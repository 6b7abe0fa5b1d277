# SPDX-License-Identifier: Apache-2.0
"""The hand-over policy: WARM, where both sides sleep at once, and HOT, where both spin for a moment first.

Spinning beats any wake-up when the two run on different processors and the next request is near; otherwise it burns a processor
or, with both on one, a whole time slice. So HOT needs all of: the last calls of the thread came in short gaps; more processors than
guest threads that want one; no sign that this thread is preempted. A sign costs a pause in which nobody becomes hot, doubled each time.

Correctness does not rest on any of this: a request that is not taken while its thread spins is rung for, with the same number, and the
bell's protocol (systrap.pyx) takes care of both orders. While a thread is hot our thread keeps off its processor, and
SYNC_WAKE_UP, which would pull the two together, is off.
"""

from libc.stdint cimport uint64_t

from kernel.platform.thread cimport GUEST, SystrapThread

cdef extern from *:
    """
    #include <sched.h>
    #include <stdint.h>
    #include <time.h>
    #include <x86intrin.h>
    static inline uint64_t time_stamp(void) { return __rdtsc(); }
    static inline long long now_ns(void) {
        struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }
    static inline int get_affinity(unsigned long *mask) {
        cpu_set_t set; CPU_ZERO(&set); int got = sched_getaffinity(0, sizeof set, &set);
        __builtin_memcpy(mask, &set, sizeof set); return got ? 1 : CPU_COUNT(&set); }
    static inline void run_on_all_but(const unsigned long *mask, unsigned cpu) {
        cpu_set_t set; __builtin_memcpy(&set, mask, sizeof set); if (cpu < CPU_SETSIZE) CPU_CLR(cpu, &set);
        sched_setaffinity(0, sizeof set, &set); }
    """
    uint64_t time_stamp() nogil
    long long now_ns() nogil
    int get_affinity(unsigned long *mask) nogil
    void run_on_all_but(const unsigned long *mask, unsigned int cpu) nogil

cdef enum:
    SPIN_US = 20                         # how long a guest's thread spins before it rings
    LISTEN_US = 60                       # how long we wait for its next request: hypervisors take a processor away for 20 to 60 us
    GAP_US = 12                          # between an answer and the next request of a thread, a sleeping wake-up included
    MANY = 12                            # points: a short gap gives one, a long one takes three
    ENOUGH = 8
    WAKE_UP_US = 100                     # the answer that makes a thread hot wakes it on a sleeping processor
    LOOK_US = 50                         # how long other events may be left waiting
    PREEMPTED_US = 30                    # a pause in our own spinning that nothing else explains
    LOOKS = 8                            # at a thread's request, before the clock is looked at
    MAX_HOT = 4
    MAX_THREADS = 64                     # with more of them nobody counts who runs
    LATE_US = 100                        # between a bell and its notification, or to get to another processor: others want it
    BUSY_US = 20000                      # how long a late bell is remembered
    FIRST_PENALTY_US = 500
    MAX_PENALTY_US = 10000
    FIRST_BUSY_PENALTY_US = 2000
    MAX_BUSY_PENALTY_US = 1000000
    WORTH_US = 400                       # after which becoming hot has paid
    NO_CPU = 0xffff


cdef uint64_t ticks() noexcept nogil:
    return time_stamp()


cdef class Handover:
    """One per platform."""

    def __cinit__(self, Listener listener, bint sync_wake_up, bint allowed):
        self.listener = listener
        self.sync_wake_up = sync_wake_up
        self.hot = []
        self.nr_cpus = get_affinity(self.cpus)
        self.allowed = allowed and self.nr_cpus > 1
        self.born_ticks = ticks()
        self.born_ns = now_ns()

    cdef void came(self, SystrapThread thread, bint by_bell, dict threads):
        """A new request of the thread."""
        cdef uint64_t now = ticks()
        if not self.allowed:
            return
        if by_bell and self.us and <long> (now - thread.stub.area.says_rang(thread.slot)) > <long> (LATE_US * self.us):
            self.busy_until = now + BUSY_US * self.us
        if self.hot and not thread.hot and not self.has_room(threads):
            self.cool()
            self.back_off()
        if self.us and now - thread.answered > GAP_US * self.us:
            thread.short_gaps = max(thread.short_gaps - 3, 0)
        elif thread.short_gaps < MANY:
            thread.short_gaps += 1
        if (thread.short_gaps >= ENOUGH and not thread.hot and now > self.cold_until and now > self.busy_until
                and self.may_heat(thread, threads)):
            self.heat(thread)

    cdef SystrapThread next_request(self):
        """Spins until a hot thread has laid down a request: that thread, with `hot_what` set. None: they have cooled down."""
        cdef SystrapThread thread
        cdef uint64_t now = ticks(), before
        while self.hot:
            for thread in self.hot:
                if thread.state == GUEST and thread.stub.area.hot_request(thread.slot, thread.seq + 1, LOOKS, &thread.hot_what):
                    self.last = now
                    self.nr_hot_requests += 1
                    return thread
            before = now
            now = ticks()
            if now - before > PREEMPTED_US * self.us:
                self.preempted()
            elif <long> (now - self.last) > <long> (LISTEN_US * self.us):
                if now - self.heated < WORTH_US * self.us:
                    self.back_off()
                self.cool()
        return None

    cdef bint time_to_look(self) noexcept:
        """While requests come hot, other events wait for this."""
        cdef uint64_t now = ticks()
        if now - self.looked < LOOK_US * self.us:
            return False
        self.looked = now
        return True

    cdef void hurry(self, SystrapThread thread) noexcept:
        """Its request will not be answered at once, or needs a notification: let it ring instead of spinning."""
        if thread.hot:
            thread.stub.area.set_spin(thread.slot, 0)
            thread.short_gaps = 0
            self.gone(thread)

    cdef void gone(self, SystrapThread thread):
        if thread.hot:
            thread.hot = False
            self.hot.remove(thread)
            if not self.hot:
                self.cool()

    cdef void cool(self):
        """Back to WARM, for all."""
        cdef SystrapThread thread
        for thread in self.hot:
            thread.hot = False
            thread.short_gaps = 0
            thread.stub.area.set_spin(thread.slot, 0)
        self.hot.clear()
        run_on_all_but(self.cpus, NO_CPU)
        if self.sync_wake_up:
            self.listener.set_sync_wake_up(True)

    cdef bint learn_speed(self):
        """Ticks in a microsecond, from our own life so far; False while that is too short."""
        cdef long long lived = now_ns() - self.born_ns
        if lived < 2000000:
            return False
        self.us = (ticks() - self.born_ticks) // <uint64_t> (lived // 1000)
        return self.us > 0

    cdef bint may_heat(self, SystrapThread thread, dict threads):
        if self.us == 0 and not self.learn_speed():
            return False
        return len(self.hot) < MAX_HOT and self.has_room(threads)

    cdef bint has_room(self, dict threads):
        """Are there more processors than guest threads that want one? The caller itself is held."""
        cdef SystrapThread other
        cdef int running = 1
        if len(threads) > MAX_THREADS:
            return False
        for other in threads.values():
            if other.state == GUEST and not other.stub.area.says_waiting(other.slot):
                running += 1
        return running < self.nr_cpus

    cdef void heat(self, SystrapThread thread):
        cdef uint64_t began
        if not self.hot:
            if self.sync_wake_up:
                self.listener.set_sync_wake_up(False)
            self.heated = ticks()
        began = ticks()
        run_on_all_but(self.cpus, thread.stub.area.says_cpu(thread.slot))
        thread.hot = True
        self.hot.append(thread)
        self.nr_heated += 1
        if ticks() - began > LATE_US * self.us:
            self.preempted()
            return
        thread.stub.area.set_spin(thread.slot, SPIN_US * self.us)
        self.looked = ticks()
        self.last = self.looked + WAKE_UP_US * self.us

    cdef void back_off(self):
        """It ended too soon to have paid."""
        if ticks() - self.heated >= WORTH_US * self.us:
            self.penalty = 0
        self.penalty = min(max(2 * self.penalty, FIRST_PENALTY_US * self.us), MAX_PENALTY_US * self.us)
        self.cold_until = ticks() + self.penalty

    cdef void preempted(self):
        """Others want our processor: it is long before this is tried again, the longer the more often it happens."""
        cdef uint64_t now = ticks()
        self.nr_preempted += 1
        if now - self.preempted_at > 2 * MAX_BUSY_PENALTY_US * self.us:
            self.busy_penalty = 0
        self.preempted_at = now
        self.busy_penalty = min(max(4 * self.busy_penalty, FIRST_BUSY_PENALTY_US * self.us), MAX_BUSY_PENALTY_US * self.us)
        self.cool()
        self.cold_until = now + self.busy_penalty
