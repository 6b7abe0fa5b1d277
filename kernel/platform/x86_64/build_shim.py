# SPDX-License-Identifier: Apache-2.0
"""Builds the shim: compiles it, checks it, and writes out/shim/shim_image.h for kernel/platform/zygote.pyx.

Run by setup.py and by hand (`python3 kernel/platform/x86_64/build_shim.py`). What is checked: no byte pair that enters the host
kernel exists outside the named sites, at any offset; no writable data; the text fits SHIM_SIZE.
"""

import ast
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
OUT = ROOT / "out" / "shim"
CFLAGS = """-Os -Wall -Wextra -Wno-implicit-fallthrough -ffreestanding -fno-stack-protector -fpie -fvisibility=hidden -mgeneral-regs-only
    -fcf-protection=none -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-jump-tables -std=gnu11""".split()
LDFLAGS = "-static -nostdlib --no-dynamic-linker -z noexecstack -z max-page-size=4096 --build-id=none".split()
ENTERS_HOST = {b"\x0f\x05": "syscall", b"\x0f\x34": "sysenter", b"\xcd\x80": "int 0x80"}


def run(*argv: str | Path) -> str:
    return subprocess.run([str(a) for a in argv], check=True, text=True, stdout=subprocess.PIPE).stdout


def abi_constants() -> dict[str, int]:
    """The plain numbers that abi.h defines."""
    text = (HERE / "abi.h").read_text()
    found = re.findall(r"^#define\s+(\w+)\s+(0x[0-9a-f]+|\d+)\b", text, re.M)
    return {name: int(ast.literal_eval(value)) for name, value in found}


def compile_shim() -> Path:
    OUT.mkdir(parents=True, exist_ok=True)
    elf = OUT / "shim.elf"
    run("gcc", "-c", "-D__ASSEMBLER__", HERE / "shim.S", "-o", OUT / "entry.o")
    objects = [OUT / "entry.o"]
    for source in sorted(HERE.glob("*.c")):
        objects.append(OUT / f"{source.stem}.o")
        run("gcc", *CFLAGS, "-c", source, "-o", objects[-1])
    run("ld", *LDFLAGS, "-T", HERE / "shim.ld", *objects, "-o", elf)
    return elf


def symbols(elf: Path) -> dict[str, int]:
    rows = (line.split() for line in run("nm", elf).splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


def loaded_text(image: bytes, base: int) -> bytes:
    """The bytes of the one loadable segment."""
    (phoff,) = struct.unpack_from("<Q", image, 32)
    (count,) = struct.unpack_from("<H", image, 56)
    headers = [struct.unpack_from("<IIQQQQQQ", image, phoff + 56 * i) for i in range(count)]
    loads = [h for h in headers if h[0] == 1]
    if len(loads) != 1 or loads[0][3] != base or loads[0][5] != loads[0][6] or loads[0][1] != 5:
        raise SystemExit(f"shim: expected one read-only executable segment at {base:#x}")
    return image[loads[0][2] : loads[0][2] + loads[0][5]]


def check(text: bytes, base: int, size: int, names: dict[str, int]) -> None:
    if len(text) > size:
        raise SystemExit(f"shim: {len(text)} bytes, limit {size}")
    sites = {address for name, address in names.items() if name.startswith("site_")}
    for pattern, what in ENTERS_HOST.items():
        at = text.find(pattern)
        while at >= 0:
            if what != "syscall" or base + at not in sites:
                raise SystemExit(f"shim: stray {what} at {base + at:#x}")
            at = text.find(pattern, at + 1)


def write_if_new(path: Path, text: str) -> None:
    """Leaves the time stamp alone when nothing changed, so that nothing is rebuilt."""
    if path.exists() and path.read_text() == text:
        return
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    os.replace(scratch, path)


def c_array(name: str, data: bytes) -> str:
    rows = (", ".join(str(b) for b in data[i : i + 24]) for i in range(0, len(data), 24))
    return f"static const unsigned char {name}[{len(data)}] = {{\n" + ",\n".join(rows) + "\n};\n"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from kernel.platform.filter import pack, stub_filter

    abi = abi_constants()
    elf = compile_shim()
    names = symbols(elf)
    run("strip", "-s", elf)
    image = elf.read_bytes()
    check(loaded_text(image, abi["SHIM_BASE"]), abi["SHIM_BASE"], abi["SHIM_SIZE"], names)
    arrays = [c_array("shim_elf", image)]
    arrays += [c_array(f"shim_{name}", pack(stub_filter(abi, strict))) for name, strict in (("filter", False), ("filter_strict", True))]
    write_if_new(OUT / "shim_image.h", "/* made by build_shim.py */\n" + "".join(arrays))
    write_if_new(
        OUT / "shim_symbols.h", "".join(f"#define SHIM_{name} {value:#x}\n" for name, value in sorted(names.items()) if name.isidentifier())
    )
    print(f"shim: {len(image)} bytes, {sum(name.startswith('site_') for name in names)} sites")


if __name__ == "__main__":
    main()
