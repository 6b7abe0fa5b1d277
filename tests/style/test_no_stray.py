# SPDX-License-Identifier: Apache-2.0
"""What must stand in every source, and what must stand in none."""

import re

import pytest
from sources import SOURCE_SUFFIXES, text, tracked

SELF = "tests/style/test_no_stray.py"
LICENCE = "SPDX-License-Identifier: Apache-2.0"
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BINARY = {".png", ".gz", ".elf", ".bin"}


def sources():
    scripts = [name for name in tracked() if "." not in name.rpartition("/")[2] and name.startswith(("build/", ".ci/"))]
    return scripts + [name for name in tracked() if name[name.rfind(".") :] in SOURCE_SUFFIXES]


def test_licence_on_every_source():
    bare = [name for name in sources() if text(name).strip() and LICENCE not in "\n".join(text(name).splitlines()[:3])]
    assert not bare


def test_nothing_left_to_do():
    assert not [f"{name}: {mark[0]}" for name in sources() if name != SELF for mark in MARKS.finditer(text(name))]


@pytest.mark.parametrize("pattern", ["/wo" + "rk/", "/fa" + "rm/", "/ho" + "me/[a-z]+/", ".lib" + "rary/"])
def test_no_path_of_one_machine(pattern):
    assert not [name for name in tracked() if name[name.rfind(".") :] not in BINARY and re.search(pattern, text(name))]


def test_conflict_markers():
    assert not [name for name in sources() if re.search(r"^(<{7}|>{7}) ", text(name), re.M)]
