# SPDX-License-Identifier: Apache-2.0
"""tmpfs: contents against a bytearray, names and link counts, limits, holes, seals."""

import errno
import fcntl
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vfs_world import AT_FDCWD, FakeTask, fails, read, write

from fs.tmpfs import storage
from fs.tmpfs.inode import Tmpfs
from fs.tmpfs.memfd import add_seals, get_seals, new_memfd
from fs.vfs.names import do_link, do_mkdir, do_rename, do_rmdir, do_symlink, do_unlink
from fs.vfs.operations import do_open
from fs.vfs.walk import lookup
from kernel.abi.errno import Errno
from kernel.abi.fs import (
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
    O_APPEND,
    O_CREAT,
    O_RDONLY,
    O_RDWR,
    O_TMPFILE,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT,
    SEEK_DATA,
    SEEK_HOLE,
)
from kernel.task.creds import Creds

MAP_SHARED, MAP_PRIVATE, PROT_READ = 1, 2, 1
KIB = 1024


@pytest.fixture
def task():
    return FakeTask()


def make(task, path=b"/file", flags=O_CREAT | O_RDWR, mode=0o644):
    return do_open(task, AT_FDCWD, path, flags, mode)


# Contents

OFFSETS = st.one_of(st.integers(0, 200), st.integers(4000, 4200), st.integers(65000, 66000), st.integers(0, 300000))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), OFFSETS, st.integers(1, 70000)),
        st.tuples(st.just("truncate"), OFFSETS, st.just(0)),
        st.tuples(st.just("punch"), OFFSETS, st.integers(1, 70000)),
        st.tuples(st.just("zero"), OFFSETS, st.integers(1, 70000)),
        st.tuples(st.just("allocate"), OFFSETS, st.integers(1, 70000)),
        st.tuples(st.just("append"), st.just(0), st.integers(1, 5000)),
        st.tuples(st.just("map"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


def extended(model, size):
    model.extend(bytes(max(size - len(model), 0)))


def step(file, model, kind, offset, count, byte):
    """The same change to the file and to a bytearray."""
    data = bytes([byte]) * count
    if kind == "write":
        assert write(file, data, offset) == count
        extended(model, offset + count)
        model[offset : offset + count] = data
    elif kind == "append":
        file.flags |= O_APPEND
        assert write(file, data, 0) == count
        file.flags &= ~O_APPEND
        model += data
    elif kind == "truncate":
        file.inode.setattr({"size": offset})
        del model[offset:]
        extended(model, offset)
    elif kind == "map":
        file.mmap_descriptor(PROT_READ, MAP_PRIVATE, 0, 4096)
    else:
        mode = {"punch": FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "zero": FALLOC_FL_ZERO_RANGE, "allocate": 0}[kind]
        file.fallocate(None, mode, offset, count)
        if kind != "punch":
            extended(model, offset + count)
        if kind != "allocate" and offset < len(model):
            end = min(offset + count, len(model))
            model[offset:end] = bytes(end - offset)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_contents_as_a_bytearray(steps):
    file = make(FakeTask())
    model = bytearray()
    for number, (kind, offset, count) in enumerate(steps):
        step(file, model, kind, offset, count, number + 1)
        assert file.inode.size == len(model)
    assert read(file, len(model) + 1) == model
    middle = len(model) // 3
    assert read(file, 100, middle) == model[middle : middle + 100]
    file.put()


def test_small_files_stay_in_the_heap_until_they_are_mapped(task):
    file = make(task)
    write(file, b"x" * 64 * KIB)
    assert file.inode.storage.memfd == -1
    fd, offset = file.mmap_descriptor(PROT_READ, MAP_SHARED, 4096, 4096)
    assert offset == 4096 and os.pread(fd, 3, 4096) == b"xxx"
    write(file, b"y", 4096)
    assert os.pread(fd, 2, 4096) == b"yx"


def test_a_reader_gets_a_descriptor_without_the_right_to_write(task):
    write(make(task), b"secret")
    reader = make(task, flags=O_RDONLY)
    with fails(errno.EACCES):
        reader.mmap_descriptor(PROT_READ, MAP_SHARED, 0, 4096)
    storage.set_reopen_read_only(lambda fd: os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC))
    try:
        fd, _offset = reader.mmap_descriptor(PROT_READ, MAP_SHARED, 0, 4096)
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        assert os.pread(fd, 6, 0) == b"secret"
    finally:
        storage.set_reopen_read_only(None)


def test_holes(task):
    file = make(task)
    write(file, b"x" * 4096)
    file.inode.setattr({"size": 1 << 20})
    write(file, b"y", 512 * KIB)
    assert file.seek(0, SEEK_HOLE) == 4096
    assert file.seek(5000, SEEK_DATA) == 512 * KIB
    assert file.seek(600 * KIB, SEEK_HOLE) == 600 * KIB
    with fails(errno.ENXIO):
        file.seek(600 * KIB, SEEK_DATA)
    with fails(errno.ENXIO):
        file.seek(1 << 20, SEEK_HOLE)
    file.inode.refresh()
    assert file.inode.blocks == 16


# Limits


def test_size_limit(task):
    fs = Tmpfs("size=128k")
    task.fs.mounts.mount(fs, lookup(task, AT_FDCWD, b"/"))
    task.fs.root = task.fs.cwd = task.fs.mounts.root_path()
    file = make(task)
    assert write(file, b"x" * 200 * KIB) == 128 * KIB
    assert write(file, b"x", 128 * KIB) == -errno.ENOSPC
    assert write(file, b"y" * 4096, 0) == 4096
    other = make(task, b"/other")
    assert write(other, b"z") == -errno.ENOSPC
    assert fs.statfs()["bfree"] == 0
    file.inode.setattr({"size": 0})
    assert write(other, b"z") == 1
    assert fs.statfs()["bfree"] == 31
    with fails(errno.ENOSPC):
        other.fallocate(None, 0, 0, 256 * KIB)
    do_unlink(task, AT_FDCWD, b"/other")
    assert fs.statfs()["bfree"] == 31
    other.put()
    del other
    assert fs.statfs()["bfree"] == 32


def test_inode_limit(task):
    fs = Tmpfs("nr_inodes=3")
    task.fs.mounts.mount(fs, lookup(task, AT_FDCWD, b"/"))
    task.fs.root = task.fs.cwd = task.fs.mounts.root_path()
    make(task, b"/one").put()
    do_mkdir(task, AT_FDCWD, b"/two", 0o755)
    with fails(errno.ENOSPC):
        make(task, b"/three")
    do_rmdir(task, AT_FDCWD, b"/two")
    make(task, b"/three").put()


def test_options():
    fs = Tmpfs("size=1m,nr_inodes=10,mode=700,uid=5,gid=6,huge=never")
    assert (fs.root.mode & 0o7777, fs.root.uid, fs.root.gid) == (0o700, 5, 6)
    assert fs.show_options() == ",size=1024k,nr_inodes=10,mode=700,uid=5,gid=6"
    for wrong in ("size=x", "colour=red", "mode=9", "uid=-1", "size=-4k"):
        with fails(errno.EINVAL):
            Tmpfs(wrong)


# Names


def nlink(task, path):
    return lookup(task, AT_FDCWD, path).inode().nlink


def test_link_counts(task):
    do_mkdir(task, AT_FDCWD, b"/a", 0o755)
    do_mkdir(task, AT_FDCWD, b"/a/b", 0o755)
    file = make(task, b"/a/f")
    do_link(task, AT_FDCWD, b"/a/f", AT_FDCWD, b"/g", 0)
    assert (nlink(task, b"/"), nlink(task, b"/a"), nlink(task, b"/a/b"), nlink(task, b"/g")) == (3, 3, 2, 2)
    do_rename(task, AT_FDCWD, b"/a/b", AT_FDCWD, b"/b", 0)
    assert (nlink(task, b"/"), nlink(task, b"/a")) == (4, 2)
    do_unlink(task, AT_FDCWD, b"/g")
    do_unlink(task, AT_FDCWD, b"/a/f")
    assert file.inode.nlink == 0
    write(file, b"still here")
    assert read(file, 10) == b"still here"
    with fails(errno.ENOTEMPTY):
        do_rmdir(task, AT_FDCWD, b"/a/..")
    do_rmdir(task, AT_FDCWD, b"/a")
    with fails(errno.ENOENT):
        lookup(task, AT_FDCWD, b"/a")


def test_rename_flags(task):
    for name in (b"/x", b"/y"):
        make(task, name).put()
    x, y = (lookup(task, AT_FDCWD, name).inode() for name in (b"/x", b"/y"))
    with fails(errno.EEXIST):
        do_rename(task, AT_FDCWD, b"/x", AT_FDCWD, b"/y", RENAME_NOREPLACE)
    do_rename(task, AT_FDCWD, b"/x", AT_FDCWD, b"/y", RENAME_EXCHANGE)
    assert lookup(task, AT_FDCWD, b"/x").inode() is y and lookup(task, AT_FDCWD, b"/y").inode() is x
    do_rename(task, AT_FDCWD, b"/x", AT_FDCWD, b"/z", RENAME_WHITEOUT)
    assert lookup(task, AT_FDCWD, b"/x").inode().mode == 0o020000
    do_rename(task, AT_FDCWD, b"/z", AT_FDCWD, b"/y", 0)
    assert x.nlink == 0 and lookup(task, AT_FDCWD, b"/y").inode() is y


def test_rename_of_directories(task):
    for path in (b"/a", b"/a/b", b"/c", b"/c/full"):
        do_mkdir(task, AT_FDCWD, path, 0o755)
    make(task, b"/f").put()
    for old, new, number in (
        (b"/a", b"/a/b/c", errno.EINVAL),
        (b"/a/b", b"/a", errno.ENOTEMPTY),
        (b"/a", b"/c", errno.ENOTEMPTY),
        (b"/a", b"/f", errno.ENOTDIR),
        (b"/f", b"/a", errno.EISDIR),
        (b"/f/", b"/g", errno.ENOTDIR),
        (b"/a/.", b"/g", errno.EBUSY),
        (b"/none", b"/g", errno.ENOENT),
    ):
        with fails(number):
            do_rename(task, AT_FDCWD, old, AT_FDCWD, new, 0)
    do_rename(task, AT_FDCWD, b"/a/", AT_FDCWD, b"/c/full/", 0)
    assert lookup(task, AT_FDCWD, b"/c/full/b").text(task.fs.root) == b"/c/full/b"


def test_tmpfile(task):
    file = make(task, b"/", O_TMPFILE | O_RDWR)
    assert file.inode.nlink == 0
    write(file, b"nameless")
    assert lookup(task, AT_FDCWD, b"/").inode().readdir() == []


def test_set_gid_directories_hand_down_their_group(task):
    do_mkdir(task, AT_FDCWD, b"/shared", 0o777)
    lookup(task, AT_FDCWD, b"/shared").inode().setattr({"mode": 0o2777, "gid": 50})
    task.creds = Creds(1000, 1000)
    make(task, b"/shared/f", mode=0o2775).put()
    do_mkdir(task, AT_FDCWD, b"/shared/d", 0o755)
    file, directory = (lookup(task, AT_FDCWD, path).inode() for path in (b"/shared/f", b"/shared/d"))
    assert (file.uid, file.gid, file.mode & 0o7777) == (1000, 50, 0o755)
    assert (directory.gid, directory.mode & 0o7777) == (50, 0o2755)


def test_sticky_directories(task):
    task.creds = Creds(1, 1)
    lookup(task, AT_FDCWD, b"/").inode().mode = 0o041777
    make(task, b"/mine").put()
    task.creds = Creds(2, 2)
    for operation in (
        lambda: do_unlink(task, AT_FDCWD, b"/mine"),
        lambda: do_rename(task, AT_FDCWD, b"/mine", AT_FDCWD, b"/yours", 0),
    ):
        with fails(errno.EPERM):
            operation()


def test_times(task):
    file = make(task)
    inode, clock = file.inode, task.kernel.clock
    made = clock.time_ns
    assert inode.btime_ns == inode.mtime_ns == made
    clock.advance(5)
    write(file, b"x")
    assert (inode.mtime_ns, inode.ctime_ns, inode.atime_ns) == (made + 5, made + 5, made)
    clock.advance(5)
    read(file, 1)
    assert inode.atime_ns == made + 10
    clock.advance(5)
    inode.setattr({"mode": 0o600})
    assert (inode.mtime_ns, inode.ctime_ns) == (made + 5, made + 15)


def test_symbolic_links(task):
    do_symlink(task, b"target", AT_FDCWD, b"/link")
    inode = lookup(task, AT_FDCWD, b"/link", 0).inode()
    assert inode.readlink(task) == b"target" and inode.size == 6 and inode.mode == 0o120777


def test_xattrs(task):
    inode = make(task).inode
    inode.setxattr(b"user.a", b"1", 0)
    with fails(errno.EEXIST):
        inode.setxattr(b"user.a", b"2", 1)
    with fails(errno.ENODATA):
        inode.setxattr(b"user.b", b"2", 2)
    with fails(errno.EOPNOTSUPP):
        inode.setxattr(b"system.posix_acl_access", b"", 0)
    assert inode.getxattr(b"user.a") == b"1" and inode.listxattr() == [b"user.a"]
    inode.removexattr(b"user.a")
    with fails(errno.ENODATA):
        inode.getxattr(b"user.a")


# memfd


def test_seals(task):
    file = new_memfd(b"name", task.creds, True, False)
    assert file.path.text(task.fs.root) == b"/memfd:name (deleted)"
    write(file, b"12345")
    add_seals(file, F_SEAL_SHRINK | F_SEAL_GROW)
    with fails(errno.EPERM):
        file.inode.setattr({"size": 4})
    with fails(errno.EPERM):
        write(file, b"6", 5)
    assert write(file, b"x", 0) == 1
    add_seals(file, F_SEAL_WRITE)
    with fails(errno.EPERM):
        write(file, b"x", 0)
    add_seals(file, F_SEAL_SEAL)
    with fails(errno.EPERM):
        add_seals(file, F_SEAL_GROW)
    assert read(file, 9) == b"x2345"


def test_files_that_cannot_be_sealed(task):
    assert get_seals(make(task)) == F_SEAL_SEAL
    with fails(errno.EPERM):
        add_seals(make(task), F_SEAL_GROW)
    assert get_seals(new_memfd(b"", task.creds, False, False)) == F_SEAL_SEAL


def test_a_shared_writable_mapping_forbids_the_write_seal(task):
    import mmap

    file = new_memfd(b"", task.creds, True, False)
    write(file, b"x" * 4096)
    mapping = mmap.mmap(file.mmap_descriptor(3, MAP_SHARED, 0, 4096)[0], 4096)
    with fails(errno.EBUSY):
        add_seals(file, F_SEAL_WRITE)
    assert write(file, b"x") == 1
    mapping.close()
    add_seals(file, F_SEAL_WRITE)


def test_nothing_is_left_of_a_failed_create(task):
    do_mkdir(task, AT_FDCWD, b"/d", 0o555)
    task.creds = Creds(1000, 1000)
    with pytest.raises(Errno):
        make(task, b"/d/f")
    assert lookup(task, AT_FDCWD, b"/d").inode().readdir() == []
