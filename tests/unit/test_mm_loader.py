# SPDX-License-Identifier: Apache-2.0
"""The loader: real programs laid out by it run natively, hostile ones only raise Errno, scripts follow Linux's rules."""

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.abi.errno import E2BIG, ELOOP, ENOENT, ENOEXEC, Errno
from kernel.loader import elf, script, stack
from kernel.loader.load import load
from tests.unit.mm_world import HIGH, LIMITS, HostFile, World

HERE = Path(__file__).resolve().parent
WRITE, START = 1000, 1001
KINDS = {"static": ["-static", "-no-pie"], "pie": ["-pie", "-fPIE"], "dynamic": ["-no-pie"], "static-pie": ["-static-pie", "-fPIE"]}
GUEST = r"""
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
static char big[100000];
static int initial = 42;
int main(int argc, char **argv, char **envp)
{
    for (int i = 0; i < sizeof big; i++)
        if (big[i]) return 3;
    printf("argc %d argv0 %s last %s\n", argc, argv[0], argv[argc - 1]);
    printf("env %s execfn %s platform %s\n", getenv("X"), (char *)getauxval(AT_EXECFN), (char *)getauxval(AT_PLATFORM));
    printf("random %d phnum %d ", getauxval(AT_RANDOM) != 0, (int)getauxval(AT_PHNUM) > 3);
    printf("initial %d secure %d\n", initial, (int)getauxval(AT_SECURE));
    fflush(stdout);
    char *p = malloc(1 << 20); memset(p, 1, 1 << 20);
    return ((unsigned long)&argc & 0) + 7;
}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    where = tmp_path_factory.mktemp("loader")
    (where / "guest.c").write_text(GUEST)
    low = ["-static", "-no-pie", "-Wl,-Ttext-segment=0x20000000"]
    subprocess.run(["gcc", "-O1", *low, "-o", where / "launch", HERE / "launch.c"], check=True)
    for name, flags in KINDS.items():
        subprocess.run(["gcc", "-w", "-o", where / name, where / "guest.c", *flags], check=True)
    return where


def open_exec(path):
    return HostFile(path)


def run_image(work, image):
    """The Image as a native process."""
    records, held = [], []
    for call in image.calls:
        arguments = list(call[1:7])
        if len(call) > 7 and call[7] >= 0:
            held.append(os.dup(call[7]))
            os.set_inheritable(held[-1], True)
            arguments[4] = held[-1]
        arguments += [0] * (6 - len(arguments))
        records.append(struct.pack("<8Q", call[0], *[value & (1 << 64) - 1 for value in arguments], 0))
    for address, data in image.writes:
        records.append(struct.pack("<8Q", WRITE, address, len(data), 0, 0, 0, 0, 0) + data)
    records.append(struct.pack("<8Q", START, image.entry, image.sp, 0, 0, 0, 0, 0))
    plan = work / "plan"
    plan.write_bytes(b"".join(records))
    done = subprocess.run(["setarch", "-R", work / "launch", plan], capture_output=True, text=True, pass_fds=held, timeout=20)
    for fd in held:
        os.close(fd)
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_runs_as_laid_out(work, kind):
    task = World()
    path = os.fsencode(work / kind)
    image = load(task, open_exec, path, HostFile(path), [b"zero", b"one", b"two"], [b"X=y", b"PATH=/bin"], LIMITS)
    done = run_image(work, image)
    assert done.stdout == (
        f"argc 3 argv0 zero last two\nenv y execfn {work / kind} platform x86_64\nrandom 1 phnum 1 initial 42 secure 0\n"
    ), done
    assert done.returncode == 7
    assert image.sp % 16 == 0
    assert image.comm == kind.encode()
    image.mm.drop()


def test_busybox_runs(work):
    image = load(World(), open_exec, b"/bin/busybox", HostFile("/bin/busybox"), [b"echo", b"hello"], [], LIMITS)
    assert run_image(work, image).stdout == "hello\n"
    assert all(vma.end <= HIGH for vma in image.mm.vmas)


def test_a_script_gives_its_interpreter_one_argument(tmp_path, work):
    path = tmp_path / "script"
    path.write_text("#! /bin/busybox  echo a b \t\nrest\n")
    image = load(World(), open_exec, os.fsencode(path), HostFile(path), [b"gone", b"last"], [], LIMITS)
    assert image.comm == b"script"
    assert run_image(work, image).stdout == ""  # busybox: "echo a b" is no applet
    path.write_text("#!/bin/busybox echo")
    image = load(World(), open_exec, os.fsencode(path), HostFile(path), [b"gone", b"last"], [], LIMITS)
    assert run_image(work, image).stdout == f"{path} last\n"


def test_scripts_of_scripts_end(tmp_path):
    path = tmp_path / "loop"
    path.write_text(f"#!{path}\n")
    assert error_of(loads(path)) == ELOOP
    path.write_text("#!/does/not/exist\n")
    assert error_of(loads(path)) == ENOENT


def test_nested_scripts_up_to_five(tmp_path, work):
    names = [tmp_path / f"s{i}" for i in range(6)]
    for i, name in enumerate(names):
        name.write_text(f"#!{names[i + 1]}\n" if i < 5 else "#!/bin/busybox echo\n")
    image = load(World(), open_exec, os.fsencode(names[1]), HostFile(names[1]), [b"x"], [], LIMITS)
    assert run_image(work, image).stdout.split() == [str(name) for name in reversed(names[1:])]
    assert error_of(loads(names[0])) == ELOOP


def test_no_program_is_enoexec(tmp_path):
    for content in (b"", b"hello", b"\x7fELF", b"\x7fELF" + bytes(200), b"#!", b"#! \t \n", b"#!" + b"x" * 300):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert error_of(loads(path)) == ENOEXEC, content


def test_script_lines():
    assert script.parse(b"#!/bin/sh\n") == (b"/bin/sh", None)
    assert script.parse(b"#! \t/bin/sh -e x  \nmore") == (b"/bin/sh", b"-e x")
    assert script.parse(b"#!/bin/sh") == (b"/bin/sh", None)
    assert script.parse(b"#!/bin/sh\0-e\n") == (b"/bin/sh", None)
    assert script.parse(b"#!/bin/sh " + b"y" * 400) == (b"/bin/sh", b"y" * 245)


def test_strings_have_limits():
    assert error_of(lambda: stack.check_strings([b"x" * 131072], [], b"p", 8 << 20)) == E2BIG
    stack.check_strings([b"x" * 131071], [], b"p", 8 << 20)
    assert error_of(lambda: stack.check_strings([b"x" * 1000] * 2200, [], b"p", 8 << 20)) == E2BIG
    stack.check_strings([b"x" * 1000] * 2000, [], b"p", 8 << 20)
    assert error_of(lambda: stack.check_strings([b"x" * 1000] * 131, [], b"p", 4096)) == E2BIG


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8))
def test_broken_headers_raise_only_errno(changes):
    content = bytearray(Path("/bin/busybox").read_bytes()[:1024])
    for at, value in changes:
        content[at] = value
    try:
        parsed = elf.parse(bytes(content), lambda offset, length: bytes(content[offset : offset + length]), HIGH)
    except Errno:
        return
    for segment in parsed.segments:
        assert segment.filesz <= segment.memsz
        assert segment.vaddr + segment.memsz < HIGH
        assert parsed.low <= segment.vaddr
        assert segment.vaddr + segment.memsz <= parsed.high


@pytest.mark.fuzz
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 5), max_size=5))
def test_random_segments_raise_only_errno(tmp_path_factory, values):
    table = b"".join(struct.pack("<II6Q", 1, v[0] % 8, v[0], v[1], v[1], v[2] % v[3] if v[3] else 0, v[3], v[4]) for v in values)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0x1000, 64, 0, 0, 64, 56, len(values), 0, 0, 0)
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(head + table)
    try:
        load(World(), open_exec, b"p", HostFile(path), [b"x"], [], LIMITS).mm.drop()
    except Errno:
        pass


def loads(path):
    return lambda: load(World(), open_exec, os.fsencode(path), HostFile(path), [b"x"], [], LIMITS)


def error_of(function):
    with pytest.raises(Errno) as caught:
        function()
    return caught.value.number
