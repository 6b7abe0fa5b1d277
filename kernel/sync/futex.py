# SPDX-License-Identifier: Apache-2.0
"""futex(2) operations that the shim doesn't answer by itself: requeueing and wake operations. (Waiting and waking are native.)

Where the platform lets the guest's thread make them natively (limits: futex_requeue) the host does all of it. Else REQUEUE wakes
whom it should move: a waiter that is woken too early looks at its word again. What a call compares and changes is done by the
guest's thread with one atomic instruction (HOST_CMPXCHG), never by copying.
"""

from kernel.abi.errno import EAGAIN, EFAULT, EINVAL, ENOSYS, Errno
from kernel.abi.mm import FUTEX_PRIVATE_FLAG, FUTEX_WAKE, HOST_CMPXCHG, HOST_FUTEX, MAP_SHARED

INT_MAX = 0x7FFFFFFF
SHIFTED_ARGUMENT = 8
OPERATIONS = (
    lambda old, arg: arg,
    lambda old, arg: old + arg,
    lambda old, arg: old | arg,
    lambda old, arg: old & ~arg,
    lambda old, arg: old ^ arg,
)
COMPARISONS = (
    lambda old, arg: old == arg,
    lambda old, arg: old != arg,
    lambda old, arg: old < arg,
    lambda old, arg: old >= arg,
    lambda old, arg: old <= arg,
    lambda old, arg: old > arg,
)


def check_address(task, address):
    """EINVAL if it is not a word's address, EFAULT if it is no guest memory."""
    if address % 4:
        raise Errno(EINVAL)
    if not task.mm.accessible(address, 4, 1):
        raise Errno(EFAULT)


def word_at(task, address):
    """The 32-bit word."""
    return int.from_bytes(task.copy_in(address, 4), "little")


def key_of(task, address, private):
    """What makes two futexes the same: the address space and address, or the shared object and the place in it."""
    check_address(task, address)
    if not private:
        vma = task.mm.find(address)
        if vma.flags & MAP_SHARED and vma.file is not None:
            return (vma.file.inode, vma.offset + address - vma.start)
    return (task.mm, address)


def can(task, what):
    """The platform offers `what` (its limits)."""
    return bool(task.kernel.platform.limits().get(what))


def wake_call(address, private, count):
    """The host's FUTEX_WAKE."""
    return (HOST_FUTEX, address, FUTEX_WAKE | (FUTEX_PRIVATE_FLAG if private else 0), count)


def native(task, arguments):
    """The whole call by the host."""
    return task.host_calls([(HOST_FUTEX, *arguments)], 0, last_result)


def last_result(task, results):
    """What the last call answered."""
    return results[-1][1]


def requeue(task, address, private, nr_wake, nr_requeue, address2, expected):
    """FUTEX_REQUEUE (expected None) and FUTEX_CMP_REQUEUE without the host's help: wake them all."""
    check_address(task, address)
    check_address(task, address2)
    if nr_wake < 0 or nr_requeue < 0:
        raise Errno(EINVAL)
    if expected is not None and word_at(task, address) != expected:
        raise Errno(EAGAIN)
    return task.host_calls([wake_call(address, private, min(nr_wake + nr_requeue, INT_MAX))], 0, last_result)


def signed12(bits):
    """A signed 12-bit field."""
    return (bits & 0xFFF) - ((bits & 0x800) << 1)


def signed32(word):
    """A word as an int."""
    return word - (1 << 32) if word & 0x80000000 else word


def wake_op(task, address, private, nr_wake, nr_wake2, address2, encoded):
    """FUTEX_WAKE_OP: change word 2 atomically, wake on word 1, and on word 2 if its old value says so."""
    check_address(task, address)
    check_address(task, address2)
    operation, comparison = encoded >> 28 & 7, encoded >> 24 & 15
    argument, compared = signed12(encoded >> 12), signed12(encoded)
    if encoded >> 28 & SHIFTED_ARGUMENT:
        argument = 1 << (argument & 31)
    if operation >= len(OPERATIONS) or comparison >= len(COMPARISONS) or not can(task, "cmpxchg"):
        raise Errno(ENOSYS)

    def change():
        old = word_at(task, address2)
        new = OPERATIONS[operation](signed32(old), argument) & 0xFFFFFFFF
        return task.host_calls([(HOST_CMPXCHG, address2, old, new)], 0, lambda task, results: changed(old, results[-1][1]))

    def changed(old, found):
        if found < 0:
            return found
        if found != old:
            return change()
        calls = [wake_call(address, private, nr_wake)]
        if COMPARISONS[comparison](signed32(old), compared):
            calls.append(wake_call(address2, private, nr_wake2))
        return task.host_calls(calls, 0, total)

    return change()


def total(task, results):
    """How many were woken by all calls, or the first error."""
    return next((result for _, result in results if result < 0), None) or sum(result for _, result in results)
