# SPDX-License-Identifier: Apache-2.0
"""The extensions and the one set of compiler directives and flags they are built with.

Two profiles, chosen by RUNSC_PROFILE: `release`, and `debug` with all of Cython's checks, ASan and UBSan. Everything that is
built lies under out/PROFILE; only `build_ext --inplace`, for developers, puts shared objects beside their sources.
How a module is compiled, and when again, is build/compiler.py's business.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
PACKAGES = ("kernel", "fs", "net", "gofer", "oci")
DEBUG_ONLY = "kernel/platform/ptrace"  # python-ptrace needs dlopen, which a static executable has not
TEST_SOURCES = "tests/unit"
GENERATORS = ("kernel/platform/x86_64/build_shim.py",)  # run before compiling; they write into out/shim
CFFI_BUILDERS = ("oci/build_host.py",)  # `build_host.py --emit OUTPUT.c` writes the C code of oci/_host


class Profile(NamedTuple):
    """How C code is made from Cython, and object code from C."""

    name: str
    directives: dict[str, bool | str]
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]


COMMON_DIRECTIVES: dict[str, bool | str] = {
    "language_level": "3",
    "binding": True,
    "embedsignature": False,
    "auto_pickle": False,  # nothing pickles; the methods for it cost every start
    "freethreading_compatible": False,
}
WARNINGS = ("-Wall", "-Wno-unused-function", "-Wno-unused-variable", "-Wno-unused-result")  # Cython leaves helpers unused
HARDENING = ("-Wl,-z,relro,-z,now",)

# Without checks that cost a fifth of the compile time for what ASan sees as well. What they find ends the process: UBSAN_OPTIONS alone
# doesn't reach a runtime that ASan has loaded.
SANITIZERS = "-fsanitize=address,undefined"
UNSANITIZED = "-fno-sanitize=alignment,null,object-size,nonnull-attribute,returns-nonnull-attribute,return,vptr"
FATAL = "-fno-sanitize-recover=all"

PROFILES = {
    "release": Profile(
        "release",
        # Bounds checks stay on: an index that the guest chose must not leave its array. UNCHECKED names the exceptions.
        # So do None checks: a field of None is a read of foreign memory.
        COMMON_DIRECTIVES
        | {"boundscheck": True, "wraparound": True, "initializedcheck": True, "nonecheck": True, "emit_code_comments": False},
        ("-O2", "-g0", "-DNDEBUG", "-fwrapv", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"),
        HARDENING,
    ),
    "debug": Profile(
        "debug",
        # No overflowcheck: sequence numbers and hashes wrap on purpose. UBSan sees the signed ones.
        COMMON_DIRECTIVES | {"boundscheck": True, "wraparound": True, "initializedcheck": True, "nonecheck": True},
        ("-O1", "-g", "-fwrapv", "-fno-omit-frame-pointer", SANITIZERS, UNSANITIZED, FATAL),
        (*HARDENING, SANITIZERS),
    ),
}
CPPFLAGS = ("-D_GNU_SOURCE", "-I.", "-Iout", "-Iout/shim", "-Ikernel/platform")

# Inner loops over memory whose length was checked just before; each name is a decision.
UNCHECKED: frozenset[str] = frozenset()
UNCHECKED_DIRECTIVES = {"boundscheck": False, "wraparound": False}
# Code without the GIL that changes its own fields: Cython refuses it when it must be able to raise.
WITHOUT_NONECHECK = frozenset({"kernel/platform/notify.pyx"})


def directives(profile: Profile, source: str) -> dict[str, bool | str]:
    """Those of one module."""
    exceptions = UNCHECKED_DIRECTIVES if source in UNCHECKED else {}
    return profile.directives | exceptions | ({"nonecheck": False} if source in WITHOUT_NONECHECK else {})


def package_files(suffix: str, debug: bool) -> list[Path]:
    """Files of our packages, sorted; those of DEBUG_ONLY with debug."""
    found = [path for package in PACKAGES for path in ROOT.joinpath(package).rglob(f"*{suffix}")]
    return sorted(path for path in found if debug or not path.is_relative_to(ROOT / DEBUG_ONLY))


def sources(tests: bool = True, debug: bool = False) -> dict[str, Path]:
    """Dotted name of each Cython module, with its source relative to the root."""
    found = package_files(".pyx", debug)
    found += ROOT.glob("*.pyx")
    if tests:
        found += ROOT.joinpath(TEST_SOURCES).rglob("*.pyx")
    relative = sorted(path.relative_to(ROOT) for path in found)
    return {".".join(path.with_suffix("").parts): path for path in relative}


class BuildExt(build_ext):  # type: ignore[misc]
    """All extensions at once, through build/compiler.py."""

    def run(self) -> None:
        sys.path.insert(0, str(ROOT / "build"))
        import compiler

        built = compiler.shared_objects(PROFILES[os.environ.get("RUNSC_PROFILE", "release")], tests=bool(self.inplace))
        if not self.inplace:
            built = {name: path for name, path in built.items() if not name.startswith("tests.")}
        for name, path in built.items():
            self.copy_file(str(path), str(ROOT if self.inplace else self.build_lib) + "/" + name.replace(".", "/") + compiler.SUFFIX)


def main() -> None:
    out = ROOT / "out" / os.environ.get("RUNSC_PROFILE", "release")
    setup(
        name="runsc",
        version="0.1",
        packages=find_packages(
            include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")], exclude=[DEBUG_ONLY.replace("/", ".")]
        ),
        ext_modules=[Extension(name, [str(path)]) for name, path in sources(tests=False).items()],
        cmdclass={"build_ext": BuildExt},
        options={"build": {"build_base": str(out / "setuptools")}, "egg_info": {"egg_base": "out"}},
    )


if __name__ == "__main__":
    main()
