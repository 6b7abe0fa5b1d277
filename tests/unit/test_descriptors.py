# SPDX-License-Identifier: Apache-2.0
"""Descriptor tables against a dict, and references of open files."""

import errno

from hypothesis import given, settings
from hypothesis import strategies as st
from vfs_world import AT_FDCWD, FakeTask, fails

from fs.vfs.fdtable import FdTable
from fs.vfs.file import File
from fs.vfs.operations import do_open, open_exec
from kernel.abi.errno import Errno
from kernel.abi.fs import O_CREAT, O_RDWR, O_WRONLY

STEPS = st.lists(
    st.tuples(st.sampled_from(["install", "at_least", "install_at", "close", "cloexec"]), st.integers(0, 12), st.booleans()),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_as_a_dict(steps):
    table, model, limit = FdTable(10), {}, 10
    for kind, number, cloexec in steps:
        file = File()
        try:
            if kind in ("install", "at_least"):
                at_least = number if kind == "at_least" else 0
                expected = next(fd for fd in range(at_least, 100) if fd not in model)
                assert table.install(file, cloexec, at_least) == expected < limit
                model[expected] = (file, cloexec)
            elif kind == "install_at":
                table.install_at(number, file, cloexec)
                assert number < limit
                model[number] = (file, cloexec)
            elif kind == "close":
                table.close(number)
                del model[number]
            else:
                table.set_cloexec(number, cloexec)
                model[number] = (model[number][0], cloexec)
        except Errno as error:
            assert error.number in (errno.EBADF, errno.EMFILE)
        assert table.descriptors() == sorted(model)
        for fd, (file, marked) in model.items():
            assert table.get(fd) is file and table.cloexec(fd) == marked and file.refs == 1
    copy = table.clone()
    assert all(file.refs == 2 for file, _ in model.values())
    copy.close_on_exec()
    assert copy.descriptors() == sorted(fd for fd, (_, marked) in model.items() if not marked)
    copy.release_user()
    assert all(file.refs == 1 for file, _ in model.values())


def test_a_program_that_runs_cannot_be_written():
    task = FakeTask()
    writer = do_open(task, AT_FDCWD, b"/program", O_CREAT | O_RDWR, 0o755)
    with fails(errno.ETXTBSY):
        open_exec(task, AT_FDCWD, b"/program")
    writer.put()
    program = open_exec(task, AT_FDCWD, b"/program")
    with fails(errno.ETXTBSY):
        do_open(task, AT_FDCWD, b"/program", O_WRONLY)
    program.put()
    do_open(task, AT_FDCWD, b"/program", O_WRONLY).put()


def test_events_reach_the_file_and_its_directory():
    class Watch:
        def __init__(self):
            self.seen = []

        def event(self, mask, cookie, name):
            self.seen.append((mask, name))

    task = FakeTask()
    directory, own = Watch(), Watch()
    task.fs.root.inode().watches = [directory]
    file = do_open(task, AT_FDCWD, b"/f", O_CREAT | O_RDWR, 0o644)
    file.inode.watches = [own]
    file.put()
    assert directory.seen == [(0x100, b"f"), (0x20, b"f"), (0x8, b"f")]
    assert own.seen == [(0x8, None)]
