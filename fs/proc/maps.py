# SPDX-License-Identifier: Apache-2.0
"""/proc/[pid]/maps, smaps, smaps_rollup and numa_maps from the VMA tree."""

from fs.dev.devices import major, minor
from kernel.abi.mm import MAP_GROWSDOWN, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE

NAME_COLUMN = 73
VDSO_SIZE = 8192
SMAPS_FIELDS = (
    "Pss",
    "Pss_Dirty",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Referenced",
    "Anonymous",
    "LazyFree",
    "AnonHugePages",
    "ShmemPmdMapped",
    "FilePmdMapped",
    "Shared_Hugetlb",
    "Private_Hugetlb",
    "Swap",
    "SwapPss",
    "Locked",
)
RESIDENT_FIELDS = ("Pss", "Pss_Dirty", "Private_Dirty", "Referenced", "Anonymous")


def maps(target, root):
    """A line for each VMA."""
    if target.mm is None:
        return b""
    return b"".join(line(target.mm, vma, root) for vma in list(target.mm.vmas)) + vdso_line(target.mm)


def line(mm, vma, root):
    """start-end perms offset dev inode name."""
    flags = "".join(letter if vma.prot & bit else "-" for letter, bit in (("r", PROT_READ), ("w", PROT_WRITE), ("x", PROT_EXEC)))
    flags += "s" if vma.flags & MAP_SHARED else "p"
    number, ino = 0, 0
    if vma.file is not None:
        number, ino = vma.file.inode.fs.dev, vma.file.inode.ino
    head = f"{vma.start:08x}-{vma.end:08x} {flags} {vma.offset if vma.file else 0:08x} {major(number):02x}:{minor(number):02x} {ino} "
    name = name_of(mm, vma, root)
    return head.encode() + b"\n" if not name else head.ljust(NAME_COLUMN).encode() + name + b"\n"


def name_of(mm, vma, root):
    """The file, or what the memory is used for."""
    if vma.file is not None:
        path = vma.file.path
        return b"/dev/zero (deleted)" if path is None else path.text(root).replace(b"\n", b"\\012")
    if mm.start_brk < mm.brk and vma.start <= mm.brk and vma.end >= mm.start_brk:
        return b"[heap]"
    if vma.start <= mm.start_stack <= vma.end:
        return b"[stack]"
    return b"[anon:%s]" % vma.name.encode() if vma.name else b""


def vdso_line(mm):
    if not mm.vdso:
        return b""
    return f"{mm.vdso:08x}-{mm.vdso + VDSO_SIZE:08x} r-xp 00000000 00:00 0 ".ljust(NAME_COLUMN).encode() + b"[vdso]\n"


def smaps(target, root):
    """maps with figures for each VMA; what is resident is an estimate."""
    if target.mm is None:
        return b""
    return b"".join(line(target.mm, vma, root) + figures(vma, vma.end - vma.start) for vma in list(target.mm.vmas))


def smaps_rollup(target):
    """The sums."""
    mm = target.mm
    if mm is None or not mm.vmas:
        return b""
    head = f"{mm.vmas[0].start:08x}-{mm.vmas[-1].end:08x} ---p 00000000 00:00 0 ".ljust(NAME_COLUMN) + "[rollup]\n"
    resident = sum(resident_bytes(vma) for vma in mm.vmas) >> 10
    return (head + f"Rss:            {resident:8} kB\n" + sized(SMAPS_FIELDS, resident)).encode()


def resident_bytes(vma):
    return (vma.end - vma.start) // 8 if vma.prot & PROT_WRITE and not vma.file else 0


def figures(vma, size):
    resident = resident_bytes(vma) >> 10
    text = f"Size:           {size >> 10:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:            {resident:8} kB\n"
    text += sized(SMAPS_FIELDS, resident) + "THPeligible:           0\n"
    flags = [name for name, bit in (("rd", PROT_READ), ("wr", PROT_WRITE), ("ex", PROT_EXEC)) if vma.prot & bit]
    flags += ["sh"] if vma.flags & MAP_SHARED else []
    flags += ["mr", "mw", "me"]
    flags += [name for name, holds in (("gd", vma.flags & MAP_GROWSDOWN), ("lo", vma.locked), ("dc", vma.dontfork)) if holds]
    return (text + "VmFlags: " + " ".join(flags) + " \n").encode()


def sized(names, resident):
    return "".join(f"{name + ':':15} {resident if name in RESIDENT_FIELDS else 0:8} kB\n" for name in names)
