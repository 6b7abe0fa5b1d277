# SPDX-License-Identifier: Apache-2.0
"""The sandbox process's own seccomp filter: the host calls that the kernel may still make, each with its reason.

Rule: nothing here names a file, makes a socket or a program, or maps code. Calls that tracebacks and codecs try (openat, stat, readlink)
fail with EPERM; everything else ends the process with SIGSYS and a line in the host's audit log. Conditions see registers only.
"""

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000
EPERM, ENOSYS = 1, 38
AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000

PROT_EXEC = 4
CLONE_PTHREAD = 0x3D0F00  # VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID: a thread as the C library makes it
NOTIFY_IOCTLS = (0xC0502100, 0xC0182101, 0x40082102, 0x40182103, 0x40082104, 0x80082102)
FILE_IOCTLS = (0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x5414, 0x5421, 0x541B, 0x5411, 0x5451, 0x5409, 0x540B, 0x540A, 0x5450, 0x5422)

# (number, name, reason), most frequent first. Allowed with any registers.
ALLOWED = (
    (271, "ppoll", "where the kernel sleeps"),
    (310, "process_vm_readv", "guest memory"),
    (311, "process_vm_writev", "guest memory"),
    (0, "read", "donated files, pipes, timers"),
    (1, "write", "the same"),
    (17, "pread64", "donated files"),
    (18, "pwrite64", "the same"),
    (19, "readv", "donated files"),
    (20, "writev", "the same"),
    (295, "preadv", "donated files"),
    (296, "pwritev", "the same"),
    (327, "preadv2", "donated files, RWF_NOWAIT"),
    (328, "pwritev2", "the same"),
    (202, "futex", "the pool's threads"),
    (281, "epoll_pwait", "where the kernel sleeps"),
    (232, "epoll_wait", "the same"),
    (441, "epoll_pwait2", "the same"),
    (233, "epoll_ctl", "what it waits for"),
    (291, "epoll_create1", "the same"),
    (7, "poll", "the same"),
    (47, "recvmsg", "gofer, control, network"),
    (46, "sendmsg", "the same"),
    (45, "recvfrom", "the same"),
    (44, "sendto", "the same"),
    (299, "recvmmsg", "network"),
    (307, "sendmmsg", "network"),
    (288, "accept4", "control"),
    (48, "shutdown", "connections"),
    (55, "getsockopt", "connections"),
    (54, "setsockopt", "buffer sizes"),
    (51, "getsockname", "connections"),
    (52, "getpeername", "the same"),
    (228, "clock_gettime", "when the vDSO can't"),
    (229, "clock_getres", "the same"),
    (96, "gettimeofday", "the same"),
    (201, "time", "the same"),
    (319, "memfd_create", "shared memory and large tmpfs files"),
    (77, "ftruncate", "the same"),
    (285, "fallocate", "the same"),
    (11, "munmap", "heap"),
    (28, "madvise", "heap"),
    (12, "brk", "heap"),
    (25, "mremap", "heap"),
    (3, "close", "descriptors"),
    (436, "close_range", "descriptors"),
    (32, "dup", "descriptors"),
    (292, "dup3", "descriptors"),
    (5, "fstat", "donated files"),
    (138, "fstatfs", "donated files"),
    (8, "lseek", "donated files"),
    (74, "fsync", "donated files"),
    (75, "fdatasync", "donated files"),
    (306, "syncfs", "donated files"),
    (293, "pipe2", "the pool's bell"),
    (290, "eventfd2", "the pool's bell"),
    (289, "signalfd4", "SIGCHLD"),
    (35, "nanosleep", "the pool"),
    (230, "clock_nanosleep", "the pool"),
    (61, "wait4", "stubs that ended"),
    (62, "kill", "stubs"),
    (234, "tgkill", "interrupts"),
    (200, "tkill", "abort"),
    (434, "pidfd_open", "stubs"),
    (438, "pidfd_getfd", "the stubs' listener"),
    (39, "getpid", "tracebacks, tgkill"),
    (186, "gettid", "the same"),
    (110, "getppid", "the same"),
    (102, "getuid", "Python"),
    (104, "getgid", "Python"),
    (107, "geteuid", "Python"),
    (108, "getegid", "Python"),
    (13, "rt_sigaction", "signals"),
    (14, "rt_sigprocmask", "signals"),
    (15, "rt_sigreturn", "signals"),
    (131, "sigaltstack", "faulthandler"),
    (219, "restart_syscall", "signals"),
    (24, "sched_yield", "hand-over"),
    (203, "sched_setaffinity", "hand-over"),
    (204, "sched_getaffinity", "number of processors"),
    (309, "getcpu", "hand-over"),
    (98, "getrusage", "cpu time"),
    (324, "membarrier", "patched code"),
    (318, "getrandom", "random numbers"),
    (63, "uname", "the host's version"),
    (99, "sysinfo", "memory sizes"),
    (273, "set_robust_list", "the pool's threads"),
    (334, "rseq", "the pool's threads"),
    (218, "set_tid_address", "the pool's threads"),
    (60, "exit", "the pool's threads"),
    (231, "exit_group", "the end"),
    (97, "getrlimit", "Python"),
    (157, "prctl", "names of threads; it can give no right without capabilities"),
)

# With --platform=ptrace only: requests of ptrace(2), whose tracees are our own children.
TRACING_REQUESTS = (
    (0x4202, "GETSIGINFO", "faults"),
    (0x4209, "PEEKSIGINFO", "faults that happen as a stop does"),
    (31, "SYSEMU", "run guest code"),
    (7, "CONT", "make a host call"),
    (12, "GETREGS", "registers"),
    (13, "SETREGS", "registers"),
    (0x420E, "GET_SYSCALL_INFO", "the architecture of a call"),
    (0x4204, "GETREGSET", "vector state"),
    (0x4205, "SETREGSET", "vector state"),
    (0x4207, "INTERRUPT", "stop a running guest"),
    (0x4201, "GETEVENTMSG", "who was born"),
)
PTRACE = 101

# Refused without an end: tried by tracebacks, codecs, libc.
REFUSED = (
    (257, "openat", EPERM),
    (2, "open", EPERM),
    (4, "stat", EPERM),
    (6, "lstat", EPERM),
    (262, "newfstatat", EPERM),
    (332, "statx", EPERM),
    (89, "readlink", EPERM),
    (267, "readlinkat", EPERM),
    (21, "access", EPERM),
    (269, "faccessat", EPERM),
    (439, "faccessat2", EPERM),
    (79, "getcwd", EPERM),
    (217, "getdents64", EPERM),
    (41, "socket", EPERM),
    (42, "connect", EPERM),
    (435, "clone3", ENOSYS),
    (302, "prlimit64", EPERM),
)

LD_W_ABS, JEQ, JSET, JGE, RET, AND = 0x20, 0x15, 0x45, 0x35, 0x06, 0x54
NR, ARCH, ARGS = 0, 4, 16


def instruction(code, yes, no, value):
    """One struct sock_filter."""
    return code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")


def argument(index):
    """Loads the low half of an argument."""
    return instruction(LD_W_ABS, 0, 0, ARGS + 8 * index)


def when(number, *body):
    """A body of instructions for one system call number; it must end in a return."""
    return [instruction(JEQ, 0, len(body), number), *body]


def returning(action):
    """Ends the program."""
    return instruction(RET, 0, 0, action)


def no_bits(index, mask, action):
    """Allows if none of the bits is set in an argument."""
    return [argument(index), instruction(JSET, 0, 1, mask), returning(action), returning(ALLOW)]


def one_of(index, values, action):
    """Allows if an argument is one of the values."""
    tests = [instruction(JEQ, len(values) - i, 0, value) for i, value in enumerate(values)]
    return [argument(index), *tests, returning(action), returning(ALLOW)]


def sandbox_filter(otherwise=KILL_PROCESS, traces=False):
    """The whole program as bytes. otherwise: what happens to a call that is not in the table. traces: for the ptrace platform."""
    kill = returning(otherwise)
    program = [
        instruction(LD_W_ABS, 0, 0, ARCH),
        instruction(JEQ, 1, 0, AUDIT_ARCH_X86_64),
        kill,
        instruction(LD_W_ABS, 0, 0, NR),
        instruction(JGE, 0, 1, X32_BIT),
        kill,
    ]
    program += when(16, *one_of(1, NOTIFY_IOCTLS + FILE_IOCTLS, ERRNO | EPERM))
    program += when(9, *no_bits(2, PROT_EXEC, otherwise))
    program += when(10, *no_bits(2, PROT_EXEC, otherwise))
    program += when(72, *one_of(1, (0, 1, 2, 3, 4, 1030, 5, 6, 7, 36, 37, 38, 1032, 1031, 1033, 1034), ERRNO | EPERM))
    program += when(56, *one_of(0, (CLONE_PTHREAD,), otherwise))  # the pool's threads, made when they are needed first
    if traces:
        program += when(PTRACE, *one_of(0, [number for number, _, _ in TRACING_REQUESTS], otherwise))
    for number, _, error in REFUSED:
        program += when(number, returning(ERRNO | error))
    for number, _, _ in ALLOWED:
        program += when(number, returning(ALLOW))
    return b"".join([*program, kill])
