# SPDX-License-Identifier: Apache-2.0
"""From .pyx to C to object code to shared object, each step only when its inputs changed.

Inputs are compared by content, not by time, so that a fresh checkout of the same text costs nothing. Each module is compiled
once per profile: the object goes into the static executable as it is, and into a shared object for tests.
The init function is called PyInit_a__b in the object, since two packages may hold modules of one name.
Absent on purpose: setuptools' own build, which knows neither cimports nor renamed init functions.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import setup  # noqa: E402

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
INCLUDE = "-I" + sysconfig.get_paths()["include"]
HARMLESS = re.compile(r"warning: .*Unused (argument|entry)")  # of Cython's -Wextra: handlers share a signature
CIMPORT = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+cimport[ \t]+(\([^)]*\)|[^\n#]+)|^[ \t]*cimport[ \t]+([^\n#]+)", re.M)
CYTHON_LIMIT_S = 120


class Unit(NamedTuple):
    """One extension module on its way to an object."""

    name: str
    source: Path  # .pyx or generated .c, relative to ROOT
    profile: setup.Profile

    @property
    def symbol(self) -> str:
        return init_symbol(self.name)

    def file(self, suffix: str) -> Path:
        return ROOT / "out" / self.profile.name / "objects" / (self.name + suffix)


class BuildFailed(Exception):
    """Some modules did not compile; the compilers' complaints are on stderr."""


def objects(profile: setup.Profile, tests: bool = False, keep_going: bool = False) -> dict[str, Path]:
    """Builds what is stale; answers the object of every module. Complaints go to stderr, warnings also to out/PROFILE/warnings."""
    os.chdir(ROOT)
    (ROOT / "out" / profile.name / "objects").mkdir(parents=True, exist_ok=True)
    generate()
    units = [Unit(name, path, profile) for name, path in setup.sources(tests, debug=profile.name == "debug").items()]
    units += [Unit(name, path, profile) for name, path in cffi_sources(profile).items()]
    results = compile_all(units)
    failed = [unit.name for unit, (ok, _) in zip(units, results, strict=True) if not ok]
    said = "".join(text for _, text in results)
    sys.stderr.write(said)
    (ROOT / "out" / profile.name / "warnings").write_text(said)
    if failed:
        print("failed:", *failed, file=sys.stderr)
        if not keep_going:
            raise BuildFailed(*failed)
    return {unit.name: unit.file(".o") for unit in units if unit.name not in failed}


def compile_all(units: list[Unit]) -> list[tuple[bool, str]]:
    """Several at once in processes that stay, since Cython is quicker the second time; one by one if it crashes, to learn on what."""
    try:
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_unit, units))
    except BrokenProcessPool:
        return [compile_alone(unit) for unit in units]


def compile_alone(unit: Unit) -> tuple[bool, str]:
    try:
        with ProcessPoolExecutor(1) as pool:
            return pool.submit(compile_unit, unit).result()
    except BrokenProcessPool:
        return False, f"{unit.source}: the compiler crashed\n"


def shared_objects(profile: setup.Profile, tests: bool = True, keep_going: bool = False) -> dict[str, Path]:
    """The same as shared objects, in out/PROFILE/objects."""
    return {name: link_shared(name, path, profile) for name, path in objects(profile, tests, keep_going).items()}


def import_tree(profile: setup.Profile, keep_going: bool = False) -> Path:
    """out/PROFILE/lib, to be put on PYTHONPATH: links to the Python sources, and to all shared objects where they belong."""
    lib = ROOT / "out" / profile.name / "lib"
    wanted = {Path(name.replace(".", "/") + SUFFIX): path for name, path in shared_objects(profile, True, keep_going).items()}
    wanted |= {path.relative_to(ROOT): path for path in setup.package_files(".py", debug=profile.name == "debug")}
    for old in lib.rglob("*"):
        if old.is_symlink() and old.relative_to(lib) not in wanted:
            old.unlink()
    for place, target in wanted.items():
        link = lib / place
        if not (link.is_symlink() and os.readlink(link) == str(target)):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return lib


def generate() -> None:
    """Headers and programs that C code includes."""
    for script in setup.GENERATORS:
        if Path(script).exists():
            subprocess.run([sys.executable, script], check=True, stdout=subprocess.DEVNULL)


def cffi_sources(profile: setup.Profile) -> dict[str, Path]:
    """Name and C file of each cffi module, written anew."""
    made = {}
    for script in map(Path, setup.CFFI_BUILDERS):
        if script.exists():
            name = ".".join((*script.parent.parts, script.stem.removeprefix("build").strip("_")))
            name = name.rpartition(".")[0] + "._" + name.rpartition(".")[2]
            made[name] = Path("out", profile.name, "objects", name + ".cffi.c")
            subprocess.run([sys.executable, str(script), "--emit", str(made[name])], check=True, stdout=subprocess.DEVNULL)
    return made


def compile_unit(unit: Unit) -> tuple[bool, str]:
    """(built, complaints) of one module; complaints of an earlier build are repeated when nothing had to be done."""
    said = ""
    source = unit.source
    if source.suffix == ".pyx":
        ok, said = translate(unit)
        if not ok:
            return False, said
        source = unit.file(".c")
    ok, more = compile_c(source, unit.file(".o"), unit_flags(unit))
    return ok, said + more


def unit_flags(unit: Unit) -> list[str]:
    """gcc's flags for a module."""
    warnings = setup.WARNINGS if unit.source.suffix == ".pyx" else ()
    rename = f"-DPyInit_{unit.name.rpartition('.')[2]}={unit.symbol}"
    own = [] if rename == f"-D{unit.symbol}={unit.symbol}" else [rename]
    return [*unit.profile.cflags, *warnings, *setup.CPPFLAGS, "-I" + str(unit.source.parent), "-fvisibility=hidden", *own]


def translate(unit: Unit) -> tuple[bool, str]:
    """Cython, when the source, anything it cimports or a directive changed."""
    from Cython import __version__  # type: ignore[attr-defined]
    from Cython.Compiler.Main import compile as cython
    from Cython.Compiler.Options import extra_warnings

    directives = extra_warnings | setup.directives(unit.profile, str(unit.source))
    key = digest(__version__, json.dumps(directives), *(str(path) + file_digest(path) for path in sorted(cython_inputs(unit.source))))
    c, stamp = unit.file(".c"), unit.file(".c.key")
    fresh = remembered(stamp, key, c)
    if fresh is not None:
        return True, fresh
    said = io.StringIO()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(CYTHON_LIMIT_S)
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            result = cython(str(unit.source), output_file=str(c), include_path=["."], compiler_directives=directives)  # type: ignore[no-untyped-call]
    except TimeoutError as error:
        return False, f"{unit.source}: {error}\n"
    finally:
        signal.alarm(0)
    text = "".join(block for block in warning_blocks(said.getvalue()) if not HARMLESS.search(block))
    if result.num_errors:
        return False, text
    remember(stamp, key, text)
    return True, text


def too_long(signo: int, frame: object) -> None:
    raise TimeoutError(f"Cython needs more than {CYTHON_LIMIT_S} s; its type inference does not end on some functions")


def warning_blocks(text: str) -> list[str]:
    """Cython's messages, each with the lines that belong to it."""
    return re.split(r"(?m)^(?=warning: |-{20,}$)", text)


def cython_inputs(pyx: Path) -> set[Path]:
    """The source, its .pxd, and whatever they cimport, near or far."""
    seen: set[Path] = set()
    waiting = [pyx, pyx.with_suffix(".pxd")]
    while waiting:
        path = waiting.pop()
        if path not in seen and path.exists():
            seen.add(path)
            waiting += cimported(path)
    return seen


@cache
def cimported(path: Path) -> list[Path]:
    """The .pxd files that a file may mean by its cimports."""
    modules = []
    for origin, names, plain in CIMPORT.findall(path.read_text()):
        if plain:
            modules += [word.split()[0] for word in plain.split(",") if word.split()]
        else:
            package = ".".join(path.parent.parts) + origin if origin.startswith(".") else origin
            modules += [package, *(f"{package}.{word.split()[0]}" for word in names.strip("() \n").split(",") if word.split())]
    return [
        candidate for name in modules for candidate in (Path(name.replace(".", "/") + ".pxd"), Path(name.replace(".", "/"), "__init__.pxd"))
    ]


def compile_c(source: Path, output: Path, flags: list[str]) -> tuple[bool, str]:
    """gcc or g++, when the source, a header of ours or a flag changed."""
    command = [*driver(source), "-fPIC", INCLUDE, *flags]
    key, stamp, depends = digest(*command, file_digest_now(source)), output.with_suffix(".o.key"), output.with_suffix(".d")
    fresh = remembered(stamp, key + headers_digest(depends), output)
    if fresh is not None:
        return True, fresh
    done = subprocess.run([*command, "-MMD", "-MF", depends, "-c", source, "-o", output], capture_output=True, text=True)
    if done.returncode:
        return False, done.stderr
    remember(stamp, key + headers_digest(depends), done.stderr)
    return True, done.stderr


def driver(source: Path) -> list[str]:
    """The compiler, behind ccache where there is one."""
    compiler = "gcc" if source.suffix == ".c" else "g++"
    return ["ccache", compiler] if shutil.which("ccache") else [compiler]


def headers_digest(depends: Path) -> str:
    """Of the headers of the project that the last compilation read; the system's don't count."""
    if not depends.exists():
        return ""
    words = depends.read_text().replace("\\\n", " ").split()[2:]
    paths = sorted({Path(word) for word in words if not word.startswith(("/usr", ".."))})
    return digest(*(str(path) + file_digest_now(path) for path in paths if path.suffix != ".c"))


def link_shared(name: str, output: Path, profile: setup.Profile) -> Path:
    """name.so beside the object, exporting the init function under the name that Python looks for."""
    shared, stamp = output.with_suffix(".so"), output.with_suffix(".so.key")
    alias = f"-Wl,--defsym=PyInit_{name.rpartition('.')[2]}={init_symbol(name)}"
    command = ["gcc", "-shared", *profile.ldflags, *([] if "." not in name else [alias]), "-o", str(shared), str(output)]
    key = digest(*command, file_digest_now(output))
    if remembered(stamp, key, shared) is None:
        subprocess.run(command, check=True)
        remember(stamp, key, "")
    return shared


def init_symbol(name: str) -> str:
    return "PyInit_" + name.replace(".", "__")


def remembered(stamp: Path, key: str, product: Path) -> str | None:
    """What the step that made the product said, if it was made from these inputs."""
    if not (stamp.exists() and product.exists()):
        return None
    old, _, said = stamp.read_text().partition("\n")
    return said if old == key else None


def remember(stamp: Path, key: str, said: str) -> None:
    stamp.write_text(key + "\n" + said)


@cache
def file_digest(path: Path) -> str:
    """For sources, which do not change while we run."""
    return file_digest_now(path)


def file_digest_now(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
