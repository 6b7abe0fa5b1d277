# SPDX-License-Identifier: Apache-2.0
"""From a path to an Image: the address space of a program that is about to run, and what has to be done to bring it about.

load() changes nothing that exists: the new MM has no stub yet. execve then has the host calls of `calls` made in a fresh stub, then
writes `writes`, then starts at `entry` with the stack at `sp`. Every error is the error of execve(2).
"""

from fs.vfs.file cimport File
from kernel.abi.errno cimport EINVAL, ELIBBAD, ELOOP, ENOEXEC, Errno
from kernel.abi.mm cimport (
    HOST_MADVISE, MADV_NOHUGEPAGE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_PRIVATE, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE,
)
from kernel.abi.task cimport RLIMIT_STACK
from kernel.loader.elf cimport Elf, Segment
from kernel.mm.layout cimport Layout
from kernel.mm.mm cimport MM, VMA
from kernel.mm.order cimport map_call, put_files
from kernel.mm.userbuffer cimport KernelBuffer
from kernel.task.task cimport Task

from kernel.loader import elf, script, stack
from kernel.loader.privileges import credentials

cdef enum:
    BINPRM_BUF_SIZE = 256
    HEAD_SIZE = 1024                     # program headers and the linker's name usually lie within
    MAX_INTERPRETERS = 5
    COMM_LENGTH = 15
    STACK_SIZE = 8 << 20
    MIN_STACK_SIZE = 128 << 10


cdef class Image:
    """A program ready to run; see load()."""

    cdef public list calls               # for the host, to be made first
    cdef public list writes              # (address, bytes), afterwards
    cdef public MM mm
    cdef public File exe
    cdef public bytes comm
    cdef public object creds
    cdef public bint secure              # AT_SECURE
    cdef public bint creds_raised
    cdef public unsigned long entry
    cdef public unsigned long sp


cdef class Source:
    """A file to be loaded, and its first bytes: most of what is asked for is there."""

    cdef object task
    cdef readonly object file
    cdef readonly bytes head

    def __init__(self, task, file):
        self.task, self.file = task, file
        self.head = read(task, file, 0, HEAD_SIZE)

    def read(self, unsigned long offset, unsigned long length):
        """Bytes of the file; shorter at its end."""
        if offset <= <unsigned long> len(self.head) and length <= len(self.head) - offset:
            return self.head[offset:offset + length]
        return read(self.task, self.file, offset, length)


def load(task, open_exec, path, file, argv, envp, limits):
    """The Image of the program in `file`, whose reference it takes.

    task: whose credentials, limits and personality count. open_exec(path) -> File finds interpreters. path: what AT_EXECFN says. limits: of
    the platform, and `vdso`. ENOEXEC, E2BIG, ELOOP, ELIBBAD, EPERM, and whatever opening and reading the files answers.
    """
    argv = list(argv) or [b""]
    stack.check_strings(argv, envp, path, task.group.limits.soft(RLIMIT_STACK))
    held = [file]
    try:
        source = follow_scripts(task, open_exec, path, held, argv)
        stack.check_strings(argv, envp, path, task.group.limits.soft(RLIMIT_STACK))
        return load_elf(task, open_exec, path, held, source, argv, envp, limits)
    finally:
        for file in held:
            file.put()


cdef Source follow_scripts(task, open_exec, path, held, argv):
    """While held[0] is a script put its interpreter in its place and into argv. Returns the Source of the program."""
    cdef Source source
    name = path
    for _ in range(MAX_INTERPRETERS + 1):
        source = Source(task, held[0])
        head = source.head[:BINPRM_BUF_SIZE]
        if not script.is_script(head):
            return source
        interpreter, argument = script.parse(head)
        argv[:1] = [interpreter, *([] if argument is None else [argument]), name]
        held.insert(0, open_exec(interpreter))
        held.pop().put()
        name = interpreter
    raise Errno(ELOOP)


cdef Image load_elf(task, open_exec, bytes path, list held, Source source, list argv, list envp, dict limits):
    """The program, its dynamic linker, its stack."""
    cdef Image image = Image.__new__(Image)
    cdef File file = held[0]
    cdef Elf program, linker = None
    cdef MM mm
    if not elf.is_elf(source.head):
        raise Errno(ENOEXEC)
    program = elf.parse(source.head, source.read, limits["guest_end"])
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


cdef Elf parse_linker(task, File file, dict limits):
    """PT_INTERP's file: an ELF file too, or ELIBBAD."""
    cdef Source source
    try:
        source = Source(task, file)
        linker = elf.parse(source.head, source.read, limits["guest_end"])
    except Errno as error:
        raise Errno(ELIBBAD if error.number == ENOEXEC else error.number) from None
    allow_writers(file)
    return linker


cdef allow_writers(File file):
    """A dynamic linker may be written while it runs; only the program itself may not (ETXTBSY)."""
    if file.denies_writers:
        file.denies_writers = False
        file.inode.writers += 1


cdef fill(Image image, Task task, bytes path, Elf program, File file, Elf linker, File linker_file, list argv, list envp, dict limits):
    """The MM's mappings and addresses, and the host calls and writes that make them."""
    cdef MM mm = image.mm
    cdef unsigned long stack_limit = task.group.limits.soft(RLIMIT_STACK), bias, base, entry, phdr
    cdef Layout layout
    image.calls, image.writes = [], []
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
        stack.build(layout.stack_top, argv, envp, path, auxv, layout.random, layout.stack_shift),
    )


cdef unsigned long program_bias(MM mm, Layout layout, Elf program, Elf linker) except? 1:
    """What is added to the program's addresses: nothing, a random base, or without a dynamic linker a place as mmap chooses it."""
    cdef unsigned long base
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


cdef unsigned long linker_bias(MM mm, Elf linker) except? 1:
    """Where the dynamic linker goes; one linked for fixed addresses must not meet the program."""
    cdef unsigned long base
    if not linker.dynamic:
        if linker.low < mm.low or mm.find_intersection(linker.low, linker.high) is not None:
            raise Errno(EINVAL)
        return 0
    base = mm.find_gap(linker.high - linker.low, linker.align)
    if not base:
        raise Errno(EINVAL)
    return base - linker.low


cdef map_segments(Image image, Elf program, File file, unsigned long bias):
    """Each PT_LOAD: pages of the file, then a cleared tail and fresh pages up to memsz."""
    cdef Segment segment
    cdef unsigned long address, start, file_end, mapped_end, end
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


cdef add(Image image, VMA vma):
    """One VMA with its host call, over whatever a broken program put there before."""
    try:
        image.calls.append(map_call(vma))
    except BaseException:
        put_files([vma])
        raise
    put_files(image.mm.cut(vma.start, vma.end))
    image.mm.insert(vma)


cdef set_code_and_data(MM mm, Elf program, unsigned long bias):
    """start_code and the like, for /proc/PID/stat and for brk."""
    cdef Segment segment
    cdef unsigned long start, end
    mm.start_code = 0xffffffffffffffff
    for segment in program.segments:
        start, end = segment.vaddr + bias, segment.vaddr + segment.filesz + bias
        mm.start_code, mm.start_data, mm.end_data = min(mm.start_code, start), max(mm.start_data, start), max(mm.end_data, end)
        if segment.prot & PROT_EXEC:
            mm.end_code = max(mm.end_code, end)


cdef set_brk(MM mm, Layout layout, Elf program, unsigned long bias, Elf linker):
    """The heap begins behind the program; behind nothing, far from mmap_base, for a static position-independent one."""
    cdef unsigned long start = program.high + bias
    if program.dynamic and linker is None:
        start = layout.program_base
    mm.start_brk = mm.brk = start + layout.brk_gap


cdef add_stack(Image image, Layout layout, bint executable, unsigned long limit, made):
    """The stack's pages and first contents."""
    cdef MM mm = image.mm
    cdef unsigned long used = layout.stack_top - made.sp
    cdef unsigned long size = round_up(max(min(limit, <unsigned long> STACK_SIZE), used + MIN_STACK_SIZE))
    cdef int prot = PROT_READ | PROT_WRITE | (PROT_EXEC if executable else 0)
    cdef unsigned long start = layout.stack_top - size
    add(image, VMA(start, layout.stack_top, prot, MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE))
    if HUGE_PAGES:
        image.calls.append((HOST_MADVISE, start, size, MADV_NOHUGEPAGE))
    image.writes.append((made.sp, made.data))
    image.sp = mm.start_stack = made.sp
    mm.arg_start, mm.arg_end, mm.env_start, mm.env_end, mm.auxv = made.arg_start, made.arg_end, made.env_start, made.env_end, made.auxv


cdef unsigned long round_up(unsigned long address) noexcept:
    """To a page."""
    return (address + PAGE_SIZE - 1) & ~<unsigned long> (PAGE_SIZE - 1)


cdef bytes read(task, File file, unsigned long offset, unsigned long length):
    """Bytes of a file in the kernel's memory; shorter at its end."""
    cdef KernelBuffer buffer = KernelBuffer(length)
    cdef long count
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
