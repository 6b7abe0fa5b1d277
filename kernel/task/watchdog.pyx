# SPDX-License-Identifier: Apache-2.0
"""The watchdog: after every few seconds of the sandbox process's own processor time, has the loop made a turn since the last look?

If not, a line that names the system call and the kernel's Python stack go to the log. The clock is one of processor time, so an idle
sandbox is never woken. Deliberately absent: a handler that sleeps in the host without using the processor is not noticed.
"""

cdef extern from *:
    """
    #include <signal.h>
    #include <stdio.h>
    #include <sys/time.h>
    #include <unistd.h>

    extern void _Py_DumpTraceback(int fd, PyThreadState *tstate);   /* what faulthandler uses: safe in a signal handler */
    static int watchdog_fd = -1;
    static unsigned long watchdog_seen;
    static unsigned long *watchdog_turns;
    static long *watchdog_serving;
    static int *watchdog_caller;

    static void watchdog_look(int signo)
    {
        char line[128];
        unsigned long turns = *(volatile unsigned long *)watchdog_turns;
        PyThreadState *state = PyGILState_GetThisThreadState();

        if (turns != watchdog_seen) {
            watchdog_seen = turns;
            return;
        }
        int n = snprintf(line, sizeof line, "watchdog: no turn of the loop for seconds; system call %ld of task %d\\n",
                         *watchdog_serving, *watchdog_caller);
        if (write(watchdog_fd, line, n) > 0 && state)
            _Py_DumpTraceback(watchdog_fd, state);
    }

    static int watchdog_listen(int fd, int period_ms, unsigned long *turns, long *serving, int *caller)
    {
        struct itimerval clock = {{period_ms / 1000, period_ms % 1000 * 1000}, {period_ms / 1000, period_ms % 1000 * 1000}};
        struct sigaction action = {.sa_handler = watchdog_look, .sa_flags = SA_RESTART | SA_ONSTACK};

        watchdog_fd = fd;
        watchdog_turns = turns;
        watchdog_serving = serving;
        watchdog_caller = caller;
        return sigaction(SIGPROF, &action, NULL) < 0 ? -1 : setitimer(ITIMER_PROF, &clock, NULL);
    }
    """
    int watchdog_listen(int fd, int period_ms, unsigned long *turns, long *serving, int *caller)

cdef enum:
    PERIOD_MS = 3000


def start(int fd, int period_ms=PERIOD_MS):
    """Write to this descriptor from now on."""
    if watchdog_listen(fd, period_ms, &turns, &serving, &caller) < 0:
        raise OSError("watchdog")
