# SPDX-License-Identifier: Apache-2.0
"""From a path to an Image: the address space of a program that is about to run, and what has to be done to bring it about.

load() changes nothing that exists: the new MM has no stub yet. execve then has the host calls of `calls` made in a fresh stub, then
writes `writes`, then starts at `entry` with the stack at `sp`. Every error is the error of execve(2).
"""

import posix

from kernel.abi.errno import EINVAL, ELIBBAD, ELOOP, ENOEXEC, Errno
from kernel.abi.mm import (
    HOST_MADVISE,
    MADV_NOHUGEPAGE,
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAP_PRIVATE,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from kernel.abi.task import RLIMIT_STACK
from kernel.loader import elf, script, stack
from kernel.loader.privileges import credentials
from kernel.mm.layout import Layout
from kernel.mm.mm import MM, VMA
from kernel.mm.order import map_call, put_files
from kernel.mm.userbuffer import KernelBuffer

BINPRM_BUF_SIZE = 256
MAX_INTERPRETERS = 5
COMM_LENGTH = 15
STACK_SIZE = 8 << 20
MIN_STACK_SIZE = 128 << 10


class Image:
    """A program ready to run; see load()."""

    __slots__ = ("calls", "comm", "creds", "creds_raised", "entry", "exe", "mm", "secure", "sp", "writes")


def load(task, open_exec, path, file, argv, envp, limits):
    """The Image of the program in `file`, whose reference it takes.

    task: whose credentials, limits and personality count. open_exec(path) -> File finds interpreters. path: what AT_EXECFN says. limits: of
    the platform, and `vdso`. ENOEXEC, E2BIG, ELOOP, ELIBBAD, EPERM, and whatever opening and reading the files answers.
    """
    argv = list(argv) or [b""]
    stack.check_strings(argv, envp, path, task.group.limits.soft(RLIMIT_STACK))
    held = [file]
    try:
        head = follow_scripts(task, open_exec, path, held, argv)
        stack.check_strings(argv, envp, path, task.group.limits.soft(RLIMIT_STACK))
        return load_elf(task, open_exec, path, held, head, argv, envp, limits)
    finally:
        for file in held:
            file.put()


def follow_scripts(task, open_exec, path, held, argv):
    """While held[0] is a script put its interpreter in its place and into argv. Returns the first bytes of the program."""
    name = path
    for _ in range(MAX_INTERPRETERS + 1):
        head = read(task, held[0], 0, BINPRM_BUF_SIZE)
        if not script.is_script(head):
            return head
        interpreter, argument = script.parse(head)
        argv[:1] = [interpreter, *([] if argument is None else [argument]), name]
        held.insert(0, open_exec(interpreter))
        held.pop().put()
        name = interpreter
    raise Errno(ELOOP)


def load_elf(task, open_exec, path, held, head, argv, envp, limits):
    """The program, its dynamic linker, its stack."""
    image = Image()
    file = held[0]
    if not elf.is_elf(head):
        raise Errno(ENOEXEC)
    program = elf.parse(head, lambda offset, length: read(task, file, offset, length), limits["guest_end"])
    linker = None
    if program.interpreter is not None:
        held.append(open_exec(program.interpreter))
        linker = parse_linker(task, held[1], limits)
    image.creds, image.secure, image.creds_raised = credentials(task, file)
    mm = image.mm = MM(limits["min_address"], limits["guest_end"])
    mm.users = 0
    try:
        fill(image, task, path, program, file, linker, held[-1], argv, envp, limits)
    except BaseException:
        mm.drop()
        raise
    mm.exe = file.get()
    image.exe = file
    image.comm = path.rsplit(b"/", 1)[-1][:COMM_LENGTH]
    return image


def parse_linker(task, file, limits):
    """PT_INTERP's file: an ELF file too, or ELIBBAD."""
    try:
        linker = elf.parse(read(task, file, 0, 64), lambda offset, length: read(task, file, offset, length), limits["guest_end"])
    except Errno as error:
        raise Errno(ELIBBAD if error.number == ENOEXEC else error.number) from None
    allow_writers(file)
    return linker


def allow_writers(file):
    """A dynamic linker may be written while it runs; only the program itself may not (ETXTBSY)."""
    if file.denies_writers:
        file.denies_writers = False
        file.inode.writers += 1


def fill(image, task, path, program, file, linker, linker_file, argv, envp, limits):
    """The MM's mappings and addresses, and the host calls and writes that make them."""
    mm = image.mm
    image.calls, image.writes = [], []
    stack_limit = task.group.limits.soft(RLIMIT_STACK)
    layout = Layout(mm.high, stack_limit, task.personality)
    mm.mmap_base = layout.mmap_base
    mm.vdso = limits.get("vdso", 0)
    bias = program_bias(mm, layout, program, linker)
    map_segments(image, program, file, bias)
    set_code_and_data(mm, program, bias)
    set_brk(mm, layout, program, bias, linker)
    base, entry = 0, program.entry + bias
    if linker is not None:
        base = linker_bias(mm, linker)
        map_segments(image, linker, linker_file, base)
        entry = linker.entry + base
    if entry >= mm.high:
        raise Errno(EINVAL)
    image.entry = entry
    phdr = program.phdr + bias if program.phdr else 0
    auxv = stack.auxiliary(limits, image.creds, image.secure, phdr, program.phnum, base, program.entry + bias)
    add_stack(
        image,
        layout,
        program.executable_stack,
        stack_limit,
        stack.build(layout.stack_top, argv, envp, path, auxv, posix.urandom(16), layout.stack_shift),
    )


def program_bias(mm, layout, program, linker):
    """What is added to the program's addresses: nothing, a random base, or without a dynamic linker a place as mmap chooses it."""
    if not program.dynamic:
        if program.low < mm.low:
            raise Errno(EINVAL)
        return 0
    if linker is not None:
        base = layout.program_base // program.align * program.align
    else:
        base = mm.find_gap(program.high - program.low, program.align)
    if not mm.low <= base <= mm.high - (program.high - program.low):
        raise Errno(EINVAL)
    return base - program.low


def linker_bias(mm, linker):
    """Where the dynamic linker goes; one linked for fixed addresses must not meet the program."""
    if not linker.dynamic:
        if linker.low < mm.low or mm.find_intersection(linker.low, linker.high) is not None:
            raise Errno(EINVAL)
        return 0
    base = mm.find_gap(linker.high - linker.low, linker.align)
    if not base:
        raise Errno(EINVAL)
    return base - linker.low


def map_segments(image, program, file, bias):
    """Each PT_LOAD: pages of the file, then a cleared tail and fresh pages up to memsz."""
    for segment in program.segments:
        address = segment.vaddr + bias
        start = address - address % PAGE_SIZE
        file_end = address + segment.filesz
        mapped_end = start
        if segment.filesz:
            mapped_end = round_up(file_end)
            add(image, VMA(start, mapped_end, segment.prot, MAP_PRIVATE, file.get(), segment.offset - address % PAGE_SIZE))
        end = address + segment.memsz
        if end > file_end and segment.filesz and segment.prot & PROT_WRITE and file_end < mapped_end:
            image.writes.append((file_end, bytes(mapped_end - file_end)))
        if round_up(end) > mapped_end:
            add(image, VMA(mapped_end, round_up(end), PROT_READ | PROT_WRITE | segment.prot & PROT_EXEC, MAP_PRIVATE))


def add(image, vma):
    """One VMA with its host call, over whatever a broken program put there before."""
    try:
        image.calls.append(map_call(vma))
    except BaseException:
        put_files([vma])
        raise
    put_files(image.mm.cut(vma.start, vma.end))
    image.mm.insert(vma)


def set_code_and_data(mm, program, bias):
    """start_code and the like, for /proc/PID/stat and for brk."""
    starts = [segment.vaddr + bias for segment in program.segments]
    ends = [segment.vaddr + segment.filesz + bias for segment in program.segments]
    code = [i for i, segment in enumerate(program.segments) if segment.prot & PROT_EXEC]
    mm.start_code = min(starts)
    mm.end_code = max((ends[i] for i in code), default=0)
    mm.start_data = max(starts)
    mm.end_data = max(ends)


def set_brk(mm, layout, program, bias, linker):
    """The heap begins behind the program; behind nothing, far from mmap_base, for a static position-independent one."""
    start = program.high + bias
    if program.dynamic and linker is None:
        start = layout.program_base
    mm.start_brk = mm.brk = start + layout.brk_gap


def add_stack(image, layout, executable, limit, made):
    """The stack's pages and first contents."""
    mm = image.mm
    used = layout.stack_top - made.sp
    size = round_up(max(min(limit, STACK_SIZE), used + MIN_STACK_SIZE))
    prot = PROT_READ | PROT_WRITE | (PROT_EXEC if executable else 0)
    start = layout.stack_top - size
    add(image, VMA(start, layout.stack_top, prot, MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE))
    if HUGE_PAGES:
        image.calls.append((HOST_MADVISE, start, size, MADV_NOHUGEPAGE))
    image.writes.append((made.sp, made.data))
    image.sp = mm.start_stack = made.sp
    mm.arg_start, mm.arg_end, mm.env_start, mm.env_end, mm.auxv = made.arg_start, made.arg_end, made.env_start, made.env_end, made.auxv


def round_up(address):
    """To a page."""
    return (address + PAGE_SIZE - 1) // PAGE_SIZE * PAGE_SIZE


def read(task, file, offset, length):
    """Bytes of a file in the kernel's memory; shorter at its end."""
    buffer = KernelBuffer(length)
    while buffer.left():
        count = file.read(task, buffer, offset + buffer.done)
        if count < 0:
            raise Errno(-count)
        if count == 0:
            break
    return bytes(buffer.data)


def host_has_huge_pages():
    """The host may back untouched memory with huge pages, which a stack is too small for."""
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="utf-8") as file:
            return "[never]" not in file.read()
    except OSError:
        return False


HUGE_PAGES = host_has_huge_pages()
