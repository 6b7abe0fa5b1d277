# SPDX-License-Identifier: Apache-2.0
"""import_tree.py PROFILE [--keep-going]: builds out/PROFILE/lib for tests and prints its path; for debug, out/debug/runsc as well."""

import sys
from pathlib import Path

import compiler
import setup

DEBUG_COMMAND = """#!/bin/sh
# The command of the debug build: Debian's Python with our instrumented extensions. Guests of `do` must not inherit the sanitizers:
# some of Debian's programs hang with them (ps, in textdomain).
. {root}/build/sanitizers
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
exec {root}/out/venv/bin/python -S -c '
import os, sys
for name in "LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS PYTHONMALLOC".split():
    del os.environ[name]
sys.path[0:0] = ["{lib}", "{site}"]
import runsc
runsc.main(["runsc"] + sys.argv[1:])' "$@"
"""


def main(name: str, *options: str) -> None:
    try:
        lib = compiler.import_tree(setup.PROFILES[name], keep_going="--keep-going" in options)
    except compiler.BuildFailed as failure:
        sys.exit(f"import_tree.py: {failure}: did not compile")
    if name == "debug":
        command = Path(compiler.ROOT, "out/debug/runsc")
        site = Path(compiler.ROOT, "out/venv/lib/python3.11/site-packages")
        command.write_text(DEBUG_COMMAND.format(root=compiler.ROOT, lib=lib, site=site))
        command.chmod(0o755)
    print(lib)


main(*sys.argv[1:])
