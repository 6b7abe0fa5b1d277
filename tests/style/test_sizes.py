# SPDX-License-Identifier: Apache-2.0
"""Files of at most 500 lines and functions of at most 60. What is longer stands in baseline.json with its size, which only shrinks."""

import json
import re

from sources import ROOT, text, with_suffix

FILE_LIMIT = 500
FUNCTION_LIMIT = 60
# Nothing but a list (a table, a set of messages, constants), where length is no burden.
LISTS = {"kernel/abi/errno.pxd"}
BASELINE = json.loads((ROOT / "tests/style/baseline.json").read_text())
HEADER = re.compile(r"[ \t]*(?:async +def|def|cdef|cpdef)\b(?! +class)[^=(]*?(?P<name>\w+)\(")


def long_files():
    lines = {name: text(name).count("\n") for name in with_suffix(".py", ".pyx", ".pxd", ".c", ".h", ".S")}
    return {name: count for name, count in lines.items() if count > FILE_LIMIT and name not in LISTS}


def python_functions(name):
    """(function, lines) by indentation; serves Cython as well."""
    lines = text(name).splitlines()
    for start, line in enumerate(lines):
        if not HEADER.match(line):
            continue
        indent = len(line) - len(line.lstrip())
        body = next((i for i in range(start, len(lines)) if lines[i].split("#")[0].rstrip().endswith(":")), None)
        if body is None:
            continue
        end = body + 1
        while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
            end += 1
        while not lines[end - 1].strip():
            end -= 1
        yield HEADER.match(line)["name"], end - start


def c_functions(name):
    """(function, lines): from a brace in the first column, or at the end of a line that starts there, to its closing one."""
    header, start = "", None
    for number, line in enumerate(text(name).splitlines()):
        if start is None and re.match(r"[A-Za-z_].*\(", line):
            header = line
        if start is None and (line.startswith("{") or (re.match(r"[A-Za-z_]", line) and line.rstrip().endswith("{") and ")" in line)):
            start = number
        elif start is not None and line.startswith("}"):
            found = re.search(r"(\w+)\s*\(", header)
            yield (found[1] if found else header), number - start + 1
            start = None


def long_functions():
    found = {}
    for name in with_suffix(".py", ".pyx", ".c"):
        functions = c_functions(name) if name.endswith(".c") else python_functions(name)
        found |= {f"{name}:{function}": count for function, count in functions if count > FUNCTION_LIMIT}
    return found


def compare(found, allowed):
    """Both ways, so that the baseline shrinks with the code."""
    grown = {name: f"{count} lines, allowed {allowed.get(name, 'none')}" for name, count in found.items() if count > allowed.get(name, 0)}
    shrunk = {
        name: f"now {found.get(name, 'short')}: lower it in tests/style/baseline.json"
        for name in allowed
        if found.get(name, 0) < allowed[name]
    }
    return grown | shrunk


def test_files_are_short():
    assert not compare(long_files(), BASELINE["files"])


def test_functions_are_short():
    assert not compare(long_functions(), BASELINE["functions"])
