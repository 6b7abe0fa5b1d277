# SPDX-License-Identifier: Apache-2.0
"""The seccomp section of config.json as a program for kernel.task.seccomp (OCI runtime specification, "Seccomp").

Rules with argument conditions come first, since only they are asked at every call: what depends on the number alone is asked once.
Names that Linux does not have on x86-64 are passed over, as runc does. Conditions on other architectures' calls do not arise.
"""

from kernel.syscalls.table import rows
from kernel.task.seccomp import Filter, pack

ACTIONS = {
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x30000,
    "SCMP_ACT_ERRNO": 0x50000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
WITH_DATA = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
EPERM = 1
LD, AND, JA, JEQ, JGT, JGE, RET = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
NR, ARGS = 0, 16
LOW = 0xFFFFFFFF


class Assembler:
    """Instructions with jumps to labels that come later."""

    def __init__(self):
        self.code = []  # (code, yes, no, k); yes and no: a label, or None for the next instruction
        self.labels = {}

    def emit(self, code, k, yes=None, no=None):
        """One instruction."""
        self.code.append((code, yes, no, k))

    def here(self, label):
        """A label for the next instruction."""
        self.labels[label] = len(self.code)

    def distance(self, label, at):
        """Instructions to pass over; None is the next one."""
        return 0 if label is None else self.labels[label] - at - 1

    def program(self):
        """As struct sock_filter. The label of a JA is its k."""
        done = []
        for at, (code, yes, no, k) in enumerate(self.code):
            done.append((code, self.distance(yes, at), self.distance(no, at), self.distance(k, at) if code == JA else k))
        return pack(done)


def action_of(name, errno):
    """SECCOMP_RET_* of an action's name."""
    value = ACTIONS[name]
    return value | ((EPERM if errno is None else errno) & 0xFFFF) if name in WITH_DATA else value


def compile_profile(profile):
    """A Filter, or None if there is nothing to apply. KeyError: an action or operator that does not exist."""
    if not profile:
        return None
    numbers = {row.name: row.number for row in rows()}
    default = action_of(profile["defaultAction"], profile.get("defaultErrnoRet"))
    plain, conditional = {}, {}
    for rule in profile.get("syscalls") or ():
        action = action_of(rule["action"], rule.get("errnoRet"))
        for number in [numbers[name] for name in rule.get("names") or () if name in numbers]:
            if rule.get("args"):
                conditional.setdefault(number, []).extend((action, conditions) for conditions in alternatives(rule["args"]))
            else:
                plain.setdefault(number, action)
    return Filter(assemble(plain, conditional, default))


def alternatives(conditions):
    """All conditions hold at once; but several on one argument mean any of them, as in libseccomp's use by runc."""
    indices = [condition["index"] for condition in conditions]
    return [[condition] for condition in conditions] if len(set(indices)) < len(indices) else [conditions]


def assemble(plain, conditional, default):
    """The program: conditional rules, then numbers, then the default."""
    out = Assembler()
    out.emit(LD, NR)
    for number, rules in conditional.items():
        out.emit(JEQ, number, f"rules of {number}")
        out.emit(JA, f"after {number}")
        out.here(f"rules of {number}")
        for which, (action, conditions) in enumerate(rules):
            failed = f"{number} not {which}"
            for condition in conditions:
                add_condition(out, condition, failed)
            out.emit(RET, action)
            out.here(failed)
        out.emit(RET, plain.get(number, default))
        out.here(f"after {number}")
    for number, action in plain.items():
        if number not in conditional:
            out.emit(JEQ, number, None, f"not {number}")
            out.emit(RET, action)
            out.here(f"not {number}")
    out.emit(RET, default)
    return out.program()


def add_condition(out, condition, failed):
    """Falls through if an argument compares as asked, all 64 bits; otherwise goes to the label `failed`."""
    operator, value = condition["op"], condition.get("value", 0)
    low, high = ARGS + 8 * condition["index"], ARGS + 8 * condition["index"] + 4
    passed = f"passed {len(out.code)}"
    if operator == "SCMP_CMP_MASKED_EQ":
        wanted = condition.get("valueTwo", 0)
        for offset, shift in ((high, 32), (low, 0)):
            out.emit(LD, offset)
            out.emit(AND, value >> shift & LOW)
            out.emit(JEQ, wanted >> shift & LOW, None, failed)
        return
    at_high, at_low = COMPARISONS[operator]
    for offset, steps, part in ((high, at_high, value >> 32 & LOW), (low, at_low, value & LOW)):
        out.emit(LD, offset)
        for code, yes, no in steps:
            targets = {"pass": passed, "fail": failed, "": None}
            out.emit(code, part, targets[yes], targets[no])
    out.here(passed)


# What to do at the high half and, if that decides nothing, at the low half: (jump, if it holds, if not).
COMPARISONS = {
    "SCMP_CMP_EQ": (((JEQ, "", "fail"),), ((JEQ, "", "fail"),)),
    "SCMP_CMP_NE": (((JEQ, "", "pass"),), ((JEQ, "fail", ""),)),
    "SCMP_CMP_GT": (((JGT, "pass", ""), (JEQ, "", "fail")), ((JGT, "", "fail"),)),
    "SCMP_CMP_GE": (((JGT, "pass", ""), (JEQ, "", "fail")), ((JGE, "", "fail"),)),
    "SCMP_CMP_LT": (((JGT, "fail", ""), (JEQ, "", "pass")), ((JGE, "fail", ""),)),
    "SCMP_CMP_LE": (((JGT, "fail", ""), (JEQ, "", "pass")), ((JGT, "fail", ""),)),
}
