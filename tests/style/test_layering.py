# SPDX-License-Identifier: Apache-2.0
"""Imports run one way between the rooms of the tree."""

import re

import pytest
from sources import PACKAGES, text, tracked

# Room -> what it may know besides itself and kernel.abi. The longest matching room decides; a room that is not named knows all.
KNOWS = {
    "kernel.abi": [],
    "net.wire": ["net"],
    "net.tcp": ["net"],
    "net.stack": ["net"],
    "fs": ["kernel.mm", "kernel.sync", "kernel.task", "kernel.time", "gofer"],
    "gofer": [],
    "oci": ["kernel.boot", "gofer.main", "gofer.jail"],
}
NOBODY_KNOWS = ("oci", "runsc", "tests")  # from below
STATEMENT = re.compile(
    r"^(?P<indent>[ \t]*)"
    r"(?:from[ \t]+(?P<origin>[\w.]+)[ \t]+c?import[ \t]+(?P<names>\([^)]*\)|[^\n#]+)|c?import[ \t]+(?P<plain>[\w., \t]+))",
    re.M,
)


def room_of(module):
    """The longest room of KNOWS that holds the module, or None."""
    return max((room for room in KNOWS if inside(module, room)), key=len, default=None)


def inside(module, room):
    return module == room or module.startswith(room + ".")


def imports(name):
    """(module, at module level) for all that a source imports of our packages, names of `from` imports included."""
    package = name.rpartition("/")[0].replace("/", ".")
    for match in STATEMENT.finditer(text(name)):
        top = not match["indent"]
        if match["plain"]:
            modules = [word.split()[0] for word in match["plain"].split(",") if word.split()]
        else:
            origin = f"{package}.{match['origin'][1:]}".rstrip(".") if match["origin"].startswith(".") else match["origin"]
            modules = [f"{origin}.{word.split()[0]}" for word in match["names"].strip("() \n").split(",") if word.split()]
        yield from ((module, top) for module in modules if module.partition(".")[0] in (*PACKAGES, *NOBODY_KNOWS))


def breaches(name):
    """Imports of a source that its room may not make."""
    module = name.rpartition(".")[0].replace("/", ".")
    room = room_of(module)
    for target, top in imports(name):
        if inside(target, "kernel.abi") or (room and inside(target, room)):
            continue
        if any(inside(target, low) for low in NOBODY_KNOWS) and not inside(module, "oci"):
            yield f"{target}: nobody below knows it"
        elif room and not any(inside(target, known) for known in KNOWS[room]) and (top or room != "oci"):
            yield f"{target}: not among what {room} may know"


def package_sources():
    return [
        name
        for name in tracked()
        if name.startswith(tuple(f"{package}/" for package in PACKAGES)) and name.endswith((".py", ".pyx", ".pxd"))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package):
    found = {name: list(breaches(name)) for name in package_sources() if name.startswith(package + "/")}
    assert not [f"{name} imports {breach}" for name, several in found.items() for breach in several]


def test_registers_stay_in_the_platform():
    """Nothing outside kernel/platform/ names a machine register."""
    register = re.compile(r"\b(r1[0-5]|r[89]|rax|rbx|rcx|rdx|rsi|rdi|rbp|rsp|rip|orig_rax|eflags|fs_base|gs_base)\b")
    strangers = [
        name for name in package_sources() if name.startswith("kernel/") and not name.startswith(("kernel/platform/", "kernel/abi/"))
    ]
    named = {
        name: sorted({match[0] for line in text(name).splitlines() for match in register.finditer(line.partition("#")[0])})
        for name in strangers
    }
    assert not {name: registers for name, registers in named.items() if registers and "ptrace" not in name}
