# SPDX-License-Identifier: Apache-2.0
"""seccomp(2) inside the guest: classic BPF programs that judge a task's system calls before they are served.

Rule: what a program answers from the number alone is computed once and kept, so that a call whose arguments nobody looks at costs one
array access. All programs of a task are asked, the newest first, and the strictest answer counts.
Deliberately absent: user notification (no listener: ENOSYS) and TRACE (no tracer: ENOSYS). The shim answers futex and sched_yield itself,
so they pass every filter; a call of another architecture is answered ENOSYS before any filter.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from kernel.abi.errno cimport EINVAL, ENOMEM, ENOSYS, Errno
from kernel.abi.signal cimport SIGKILL, SIGSYS
from kernel.signal.pending cimport SigInfo, seccomp_info
from kernel.signal.send cimport force
from kernel.task.exit cimport group_exit, task_exit
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport DEAD

cdef enum:
    MODE_STRICT = 1
    MODE_FILTER = 2
    MAX_INSTRUCTIONS = 4096
    MAX_TOTAL = 32768
    PENALTY = 4                          # what Linux adds to each older program's length
    WORDS = 16                           # struct seccomp_data
    NR_WORD = 0
    ARCH_WORD = 1
    SCRATCH = 16
    NR_READ = 0
    NR_WRITE = 1
    NR_SIGRETURN = 15
    NR_EXIT = 60
    MAX_ERRNO = 4095

cdef unsigned int AUDIT_ARCH_X86_64 = 0xC000003E
cdef unsigned int KILL_PROCESS = 0x80000000, KILL_THREAD = 0, TRAP = 0x30000, ERRNO = 0x50000, USER_NOTIF = 0x7fc00000
cdef unsigned int TRACE = 0x7ff00000, LOG = 0x7ffc0000, ALLOW = 0x7fff0000, ACTION = 0xffff0000, DATA = 0xffff

# linux/bpf_common.h: class, then mode, source or operation
cdef enum:
    LD_ABS = 0x20
    LD_IMM = 0x00
    LD_MEM = 0x60
    LD_LEN = 0x80
    LDX_IMM = 0x01
    LDX_MEM = 0x61
    LDX_LEN = 0x81
    ST = 0x02
    STX = 0x03
    RET_K = 0x06
    RET_A = 0x16
    TAX = 0x07
    TXA = 0x87
    JA = 0x05
    NEG = 0x84
    CLASS = 0x07
    ALU = 0x04
    JMP = 0x05
    X = 0x08
    OP = 0xf0

cdef tuple ALU_OPS = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0)      # ADD SUB MUL DIV OR AND LSH RSH XOR
cdef tuple JMP_OPS = (0x10, 0x20, 0x30, 0x40)                                   # JEQ JGT JGE JSET
cdef tuple PLAIN = (LD_ABS, LD_IMM, LD_MEM, LD_LEN, LDX_IMM, LDX_MEM, LDX_LEN, ST, STX, RET_K, RET_A, TAX, TXA, JA, NEG)


cdef class Filter:
    """One program and, behind it, those installed before; never changed once a task has it."""

    def __init__(self, bytes program, Filter older=None, int mode=MODE_FILTER):
        cdef int i
        self.length = len(program) // sizeof(sock_filter)
        if not 0 < self.length <= MAX_INSTRUCTIONS:
            raise Errno(EINVAL)
        self.older, self.mode = older, mode
        self.total = self.length + (older.total + PENALTY if older is not None else 0)
        if self.total > MAX_TOTAL:
            raise Errno(ENOMEM)
        self.program = <sock_filter *> malloc(self.length * sizeof(sock_filter))
        if self.program == NULL:
            raise MemoryError
        memcpy(self.program, <const char *> program, self.length * sizeof(sock_filter))
        for i in range(self.length):
            check(&self.program[i], self.length - i - 1)
        if self.program[self.length - 1].code & CLASS != RET_K:
            raise Errno(EINVAL)

    def __dealloc__(self):
        free(self.program)

    def __len__(self):
        """How many programs there are."""
        count, older = 1, self.older
        while older is not None:
            count, older = count + 1, older.older
        return 0 if self.mode == MODE_STRICT else count

    def __bool__(self):
        return True

    def descends_from(self, Filter other):
        """other is among the programs of this chain; None is among all."""
        cdef Filter one = self
        while one is not None and one is not other:
            one = one.older
        return one is other

    cdef unsigned int verdict(self, Task task) noexcept:
        """What all programs say of the call that the task makes."""
        cdef unsigned int data[WORDS]
        cdef unsigned long ip
        cdef unsigned int answer
        cdef bint only_number = True
        cdef bint small = 0 <= task.number < NR_CACHED
        if small and self.known[task.number] == 1:
            return self.verdicts[task.number]
        ip = task.thread.instruction_pointer()
        data[NR_WORD], data[ARCH_WORD] = <unsigned int> task.number, AUDIT_ARCH_X86_64
        memcpy(&data[2], &ip, 8)
        memcpy(&data[4], task.args, 48)
        answer = self.ask_all(data, &only_number)
        if small and not self.known[task.number]:
            self.known[task.number] = 1 if only_number else 2
            self.verdicts[task.number] = answer
        return answer

    cdef unsigned int ask_all(self, const unsigned int *data, bint *only_number) noexcept:
        """The strictest answer; the newest program's among equals."""
        cdef Filter one = self
        cdef unsigned int answer = ALLOW, other
        while one is not None:
            other = one.run(data, only_number)
            if <int> (other & ACTION) < <int> (answer & ACTION):
                answer = other
            one = one.older
        return answer

    cdef unsigned int run(self, const unsigned int *data, bint *only_number) noexcept:
        """One program on one struct seccomp_data. It only jumps forward, so it ends."""
        cdef unsigned int a = 0, x = 0, operand
        cdef unsigned int memory[SCRATCH]
        cdef sock_filter *at = self.program
        memset(memory, 0, sizeof(memory))
        while True:
            if at.code & CLASS == ALU and at.code != NEG:
                operand = x if at.code & X else at.k
                if at.code & OP == 0x30 and operand == 0:
                    return KILL_THREAD
                a = compute(at.code & OP, a, operand)
            elif at.code & CLASS == JMP and at.code != JA:
                at += at.jt if holds(at.code & OP, a, x if at.code & X else at.k) else at.jf
            elif at.code == LD_ABS:
                a = data[at.k // 4]
                if at.k > 4:
                    only_number[0] = False
            elif at.code == RET_K:
                return at.k
            elif at.code == RET_A:
                return a
            elif at.code == JA:
                at += at.k
            elif at.code == LD_IMM:
                a = at.k
            elif at.code == LDX_IMM:
                x = at.k
            elif at.code == LD_MEM:
                a = memory[at.k]
            elif at.code == LDX_MEM:
                x = memory[at.k]
            elif at.code == LD_LEN:
                a = 4 * WORDS
            elif at.code == LDX_LEN:
                x = 4 * WORDS
            elif at.code == ST:
                memory[at.k] = a
            elif at.code == STX:
                memory[at.k] = x
            elif at.code == TAX:
                x = a
            elif at.code == TXA:
                a = x
            else:
                a = -a
            at += 1


cdef unsigned int compute(int op, unsigned int a, unsigned int operand) noexcept:
    if op == 0x00:
        return a + operand
    if op == 0x10:
        return a - operand
    if op == 0x20:
        return a * operand
    if op == 0x30:
        return a // operand
    if op == 0x40:
        return a | operand
    if op == 0x50:
        return a & operand
    if op == 0x60:
        return a << (operand & 31)
    if op == 0x70:
        return a >> (operand & 31)
    return a ^ operand


cdef bint holds(int op, unsigned int a, unsigned int operand) noexcept:
    if op == 0x10:
        return a == operand
    if op == 0x20:
        return a > operand
    if op == 0x30:
        return a >= operand
    return a & operand != 0


cdef int check(sock_filter *one, int behind) except -1:
    """An instruction that a program may hold, `behind` others following it; EINVAL."""
    cdef int operation = one.code & OP
    cdef int code = one.code
    if code not in PLAIN:
        if code & CLASS == ALU and code & ~(OP | X | CLASS) == 0 and operation in ALU_OPS:
            if not code & X and (operation == 0x30 and one.k == 0 or operation in (0x60, 0x70) and one.k > 31):
                raise Errno(EINVAL)
        elif code & CLASS != JMP or code & ~(OP | X | CLASS) or operation not in JMP_OPS or max(one.jt, one.jf) >= behind:
            raise Errno(EINVAL)
    elif code == LD_ABS and (one.k & 3 or one.k >= 4 * WORDS):
        raise Errno(EINVAL)
    elif code in (LD_MEM, LDX_MEM, ST, STX) and one.k >= SCRATCH:
        raise Errno(EINVAL)
    elif code == JA and one.k >= <unsigned int> behind:
        raise Errno(EINVAL)
    return 0


cdef bint passes(Task task) except? False:
    """Ask the filters. True: serve the call. Otherwise the task has its result, its signal or its end."""
    cdef Filter filter = task.seccomp
    cdef unsigned int answer = filter.verdict(task), action
    cdef Kernel kernel = task.kernel
    action = answer & ACTION
    if action == ALLOW:
        return True
    if action == LOG:
        kernel.log("[%d] seccomp: system call %d" % (task.tid, task.number))
        return True
    if action == ERRNO:
        kernel.finish(task, -<long> min(answer & DATA, <unsigned int> MAX_ERRNO))
    elif action == TRACE or action == USER_NOTIF:
        kernel.finish(task, -ENOSYS)
    elif action == TRAP:
        trap(kernel, task, answer & DATA)
    elif action == KILL_THREAD:
        end_thread(task, SIGKILL if filter.mode == MODE_STRICT else SIGSYS)
    else:
        group_exit(task.group, SIGSYS)
    return False


cdef int trap(Kernel kernel, Task task, int data) except -1:
    """SIGSYS that says which call it was, with the registers as they were at the call."""
    cdef SigInfo info = seccomp_info(task.thread.instruction_pointer(), task.number, AUDIT_ARCH_X86_64, data)
    task.thread.set_result(task.number)
    force(task, info)
    if task.state != DEAD:
        kernel.back_to_guest(task, False)
    return 0


cdef int end_thread(Task task, int signo) except -1:
    """This thread ends as if the signal had killed it alone."""
    group = task.group
    if len(group.tasks) == 1:
        return group_exit(group, signo)
    task_exit(task, 0)
    if task is group.leader:
        group.exit_status = signo
    return 0


def strict():
    """SECCOMP_MODE_STRICT as a program: read, write, exit, rt_sigreturn."""
    program = [(LD_ABS, 0, 0, 0)]
    program += [(0x15, 4 - i, 0, number) for i, number in enumerate((NR_READ, NR_WRITE, NR_SIGRETURN, NR_EXIT))]
    program += [(RET_K, 0, 0, KILL_THREAD), (RET_K, 0, 0, ALLOW)]
    return Filter(pack(program), None, MODE_STRICT)


def pack(program):
    """(code, jt, jf, k) as struct sock_filter."""
    return b"".join([code.to_bytes(2, "little") + bytes((jt, jf)) + k.to_bytes(4, "little") for code, jt, jf, k in program])
