# SPDX-License-Identifier: Apache-2.0
"""The gofer's seccomp filter: the host calls it may make, each with its reason, and the program made from them.

Rule: it names files only below descriptors that it holds, makes no socket, no process, no executable memory. What is not
listed fails with EPERM, so that a traceback may try to open a source file; another architecture ends the process.
"""

ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
EPERM = 1
AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
PROT_EXEC = 4

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
AT_NUMBER, AT_ARCH, AT_THIRD_ARGUMENT = 0, 4, 32

# (number, name, reason)
ALLOWED = (
    (47, "recvmsg", "requests, with a descriptor for Treopen"),
    (46, "sendmsg", "replies"),
    (257, "openat", "walks, opens"),
    (332, "statx", "attributes"),
    (5, "fstat", "attributes"),
    (3, "close", "fids that are gone"),
    (217, "getdents64", "Treaddir"),
    (8, "lseek", "Treaddir"),
    (17, "pread64", "Tread"),
    (18, "pwrite64", "Twrite"),
    (267, "readlinkat", "Treadlink"),
    (258, "mkdirat", "new objects"),
    (259, "mknodat", "new objects"),
    (266, "symlinkat", "new objects"),
    (265, "linkat", "Tlink"),
    (263, "unlinkat", "Tunlinkat"),
    (264, "renameat", "Trenameat: what the C library makes of renameat2 without flags"),
    (316, "renameat2", "Trenameat"),
    (268, "fchmodat", "Tsetattr"),
    (260, "fchownat", "Tsetattr, new objects"),
    (280, "utimensat", "Tsetattr"),
    (77, "ftruncate", "Tsetattr"),
    (74, "fsync", "Tfsync"),
    (75, "fdatasync", "Tfsync"),
    (306, "syncfs", "Tsyncfs"),
    (138, "fstatfs", "Tstatfs"),
    (191, "getxattr", "extended attributes"),
    (188, "setxattr", "extended attributes"),
    (197, "removexattr", "extended attributes"),
    (194, "listxattr", "extended attributes"),
    (72, "fcntl", "Tlock"),
    (1, "write", "a last word on stderr"),
    (11, "munmap", "heap"),
    (12, "brk", "heap"),
    (25, "mremap", "heap"),
    (28, "madvise", "heap"),
    (202, "futex", "the interpreter's lock"),
    (228, "clock_gettime", "the interpreter, when the vDSO can't"),
    (318, "getrandom", "the interpreter"),
    (13, "rt_sigaction", "the interpreter's end"),
    (14, "rt_sigprocmask", "abort"),
    (15, "rt_sigreturn", "signals"),
    (131, "sigaltstack", "the interpreter's end"),
    (39, "getpid", "abort"),
    (186, "gettid", "abort"),
    (234, "tgkill", "abort"),
    (219, "restart_syscall", "a stopped and continued call"),
    (60, "exit", "the end"),
    (231, "exit_group", "the end"),
)

# Allowed without PROT_EXEC in the third argument.
ALLOWED_NOT_EXECUTABLE = ((9, "mmap", "heap"), (10, "mprotect", "heap"))


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One struct sock_filter."""
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")


def gofer_filter() -> bytes:
    """The program, as an array of struct sock_filter."""
    program = [
        instruction(LOAD, AT_ARCH),
        instruction(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1),
        instruction(RETURN, KILL_PROCESS),
        instruction(LOAD, AT_NUMBER),
        instruction(JUMP_GREATER_EQUAL, X32_BIT, 0, 1),
        instruction(RETURN, KILL_PROCESS),
    ]
    for number, _, _ in ALLOWED:
        program += [
            instruction(JUMP_EQUAL, number, 0, 1),
            instruction(RETURN, ALLOW),
        ]
    for number, _, _ in ALLOWED_NOT_EXECUTABLE:
        program += [
            instruction(JUMP_EQUAL, number, 0, 4),
            instruction(LOAD, AT_THIRD_ARGUMENT),
            instruction(JUMP_SET, PROT_EXEC, 1),
            instruction(RETURN, ALLOW),
            instruction(RETURN, ERRNO | EPERM),
        ]
    program.append(instruction(RETURN, ERRNO | EPERM))
    return b"".join(program)
