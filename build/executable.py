# SPDX-License-Identifier: Apache-2.0
"""executable.py [--keep-going]: out/runsc, one static-pie file with PyInstaller's bootloader, CPython and every extension in it.

The bootloader is PyInstaller's with bootloader/linked.patch: it binds Python directly, extracts nothing and starts no second
process. Python modules lie uncompressed in the appended archive and are imported as frozen modules.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import compiler
import setup

ROOT = compiler.ROOT
PROFILE = setup.PROFILES["release"]
OUT = ROOT / "out" / PROFILE.name
SOURCES = ROOT / "out" / "sources"
HERE = ROOT / "build" / "bootloader"
LIBPYTHON = Path(sysconfig.get_config_var("LIBPL")) / "libpython3.11-pic.a"
# What Python itself and its C modules import, which the graph of imports does not show.
CODECS = ["encodings", "encodings.aliases", "encodings.utf_8", "encodings.ascii", "encodings.latin_1"]
HIDDEN = [*CODECS, "warnings", "traceback", "linecache", "_strptime", "copyreg", "greenlet"]
FOREIGN_FLAGS = [*PROFILE.cflags, "-w", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fno-semantic-interposition"]
BOOTLOADER_FLAGS = ["-DPYI_LINKED", "-DHAVE_WCSDUP", "-DHAVE_UNSETENV", "-DHAVE_MKDTEMP", "-D_GNU_SOURCE"]
CFFI_FLAGS = ["-DFFI_BUILDING=1", "-DUSE__THREAD", "-DHAVE_SYNC_SYNCHRONIZE"]
IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))", re.M)


def main() -> None:
    options = argparse.ArgumentParser(description="Builds out/runsc.")
    options.add_argument("--keep-going", action="store_true", help="leave out modules that do not compile")
    keep_going = options.parse_args().keep_going
    try:
        own = compiler.objects(PROFILE, keep_going=keep_going)
    except compiler.BuildFailed as failure:
        sys.exit(f"executable.py: {failure}: did not compile")
    linked = {**own, **foreign_extensions()}
    bootloader = link(linked)
    archive(bootloader, linked)


def foreign_extensions() -> dict[str, Path]:
    """greenlet and cffi's backend."""
    OUT.joinpath("foreign").mkdir(parents=True, exist_ok=True)
    greenlet = compile_foreign(SOURCES / "greenlet/src/greenlet/greenlet.cpp", renamed("greenlet._greenlet"))
    backend = SOURCES / "cffi/src/c/_cffi_backend.c"
    return {"greenlet._greenlet": greenlet, "_cffi_backend": compile_foreign(backend, [*CFFI_FLAGS, f"-I{backend.parent}"])}


def renamed(name: str) -> list[str]:
    return [f"-DPyInit_{name.rpartition('.')[2]}={compiler.init_symbol(name)}"]


def compile_foreign(source: Path, flags: list[str]) -> Path:
    """An object in out/release/foreign."""
    output = OUT / "foreign" / (source.stem + ".o")
    ok, said = compiler.compile_c(source, output, [*FOREIGN_FLAGS, *flags])
    if not ok:
        sys.exit(said)
    return output


def link(linked: dict[str, Path]) -> Path:
    """The bootloader with everything in it."""
    table = OUT / "foreign" / "linked_table.c"
    table.write_text(table_of_extensions(list(linked)))
    flags = [*BOOTLOADER_FLAGS, version_text()]
    bootloader = [(path, flags) for path in sorted(SOURCES.glob("pyinstaller/bootloader/src/*.c"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(table, ["-fvisibility=default"]), (HERE / "start.S", []), *bootloader]
        ours = list(pool.map(lambda job: compile_foreign(*job), jobs))
    program, stamp = OUT / "bootloader", OUT / "bootloader.key"
    libraries = ["-lffi_pic", "-lexpat", "-lz", "-lm", "-ldl", "-lpthread", "-lutil"]
    # Relocations as bitmaps: every start reads and applies them, 1.8 MB of them otherwise.
    options = ["-static-pie", "-s", "-Wl,--gc-sections", "-Wl,-O1", "-Wl,--hash-style=gnu", "-Wl,-e,runsc_start"]
    options += ["-Wl,-z,pack-relative-relocs", *PROFILE.ldflags]
    command = ["g++", "-o", str(program), *options, *map(str, [*ours, *linked.values()]), str(LIBPYTHON), *libraries]
    key = compiler.digest(*command, *(compiler.file_digest_now(path) for path in [*ours, *linked.values(), LIBPYTHON]))
    if compiler.remembered(stamp, key, program) is None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        compiler.remember(stamp, key, "")
    return program


def version_text() -> str:
    """The answer to --version, which the bootloader gives before Python is there."""
    version = constant("oci/commands/version.py", "VERSION")
    return f'-DPYI_VERSION_TEXT="runsc version {version}\\nspec: {constant("oci/state.py", "OCI_VERSION")}\\n"'


def constant(path: str, name: str) -> str:
    """The text of a constant in one of our modules."""
    found = re.search(rf'^{name} = "(.*)"$', ROOT.joinpath(path).read_text(), re.M)
    if not found:
        sys.exit(f"executable.py: {path} has no {name}")
    return found[1]


def table_of_extensions(names: list[str]) -> str:
    """C source of the table that the patched bootloader gives to Python."""
    prototypes = "".join(f"PyMODINIT_FUNC {compiler.init_symbol(name)}(void);\n" for name in names)
    rows = "".join(f'    {{"{name}", {compiler.init_symbol(name)}}},\n' for name in names)
    return f"#include <Python.h>\n{prototypes}struct _inittab pyi_linked_extensions[] = {{\n{rows}    {{0}}\n}};\n"


def archive(bootloader: Path, linked: dict[str, Path]) -> None:
    """PyInstaller: finds the Python modules and appends them."""
    sources = setup.package_files(".py", debug=False)
    plan = {"bootloader": str(bootloader), "linked": [*linked], "hidden": hidden_imports(sources, set(linked)), "root": str(ROOT)}
    plan_file = OUT / "plan.json"
    plan_file.write_text(json.dumps(plan, indent=1))
    recipe = [*HERE.glob("*"), ROOT / "build/requirements.txt", plan_file, bootloader]
    key = compiler.digest(*(str(path) + compiler.file_digest_now(path) for path in [*sources, *recipe]))
    final, stamp = ROOT / "out" / "runsc", OUT / "runsc.key"
    if compiler.remembered(stamp, key, final) is None:
        command = [
            sys.executable,
            "-m",
            "PyInstaller",
            "-y",
            "--log-level",
            "ERROR",
            "--distpath",
            f"{OUT}/dist",
            "--workpath",
            f"{OUT}/pyinstaller",
        ]
        environment = os.environ | {"RUNSC_PLAN": str(plan_file), "PYINSTALLER_CONFIG_DIR": str(OUT / "pyinstaller.cache")}
        subprocess.run([*command, f"{HERE}/runsc.spec"], check=True, env=environment, cwd=OUT)
        OUT.joinpath("dist/runsc").rename(final)
        compiler.remember(stamp, key, "")
    print(f"{final}: {final.stat().st_size / 1e6:.1f} MB, {len(linked)} extensions")


def hidden_imports(sources: list[Path], linked: set[str]) -> list[str]:
    """Python's own, all our Python modules, and what the text of our Cython modules imports."""
    ours = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in sources}
    wanted = {name for path in setup.sources(tests=False).values() for name in imports_in(ROOT / path)}
    foreign = {name for name in wanted if name.partition(".")[0] not in {*setup.PACKAGES, "runsc", "cython"} and importable(name)}
    return sorted({*HIDDEN, *ours, *foreign} - linked)


def imports_in(path: Path) -> set[str]:
    """Modules named by import statements in a Cython source."""
    pairs = IMPORT.findall(path.read_text())
    return {name.split()[0] for one, many in pairs for name in [one, *many.split(",")] if name.strip()}


def importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


main()
