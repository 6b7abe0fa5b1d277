# SPDX-License-Identifier: Apache-2.0
"""Mount namespaces: covering, bind, move, pivot_root, busy mounts, copies, and what /proc says of them."""

import errno
import gc

import pytest
from vfs_world import AT_FDCWD, FakeTask, fails, read, write

from fs.tmpfs.inode import Tmpfs
from fs.vfs.dentry import cache_size, drop_caches
from fs.vfs.mountinfo import mountinfo, mounts
from fs.vfs.names import do_link, do_mkdir, do_rename, do_rmdir, do_unlink
from fs.vfs.operations import do_open
from fs.vfs.walk import lookup
from kernel.abi.errno import Errno
from kernel.abi.fs import (
    MNT_DETACH,
    MNT_EXPIRE,
    MS_NODEV,
    MS_NOEXEC,
    MS_RDONLY,
    O_CREAT,
    O_DIRECTORY,
    O_RDWR,
    RESOLVE_NO_XDEV,
)


@pytest.fixture
def task():
    task = FakeTask()
    for path in (b"/a", b"/a/sub", b"/b", b"/c"):
        do_mkdir(task, AT_FDCWD, path, 0o755)
    return task


def at(task, path):
    return lookup(task, AT_FDCWD, path)


def text(task, path):
    return at(task, path).text(task.fs.root)


def make(task, path, data=b""):
    file = do_open(task, AT_FDCWD, path, O_CREAT | O_RDWR, 0o644)
    write(file, data)
    file.put()


def mount(task, path, flags=0):
    return task.fs.mounts.mount(Tmpfs(), at(task, path), flags)


def test_covering_and_uncovering(task):
    make(task, b"/a/below")
    mount(task, b"/a")
    with fails(errno.ENOENT):
        at(task, b"/a/below")
    make(task, b"/a/above")
    mount(task, b"/a")
    with fails(errno.ENOENT):
        at(task, b"/a/above")
    assert text(task, b"/a/..") == b"/" and text(task, b"/a/../a") == b"/a"
    task.fs.mounts.umount(at(task, b"/a"))
    at(task, b"/a/above")
    task.fs.mounts.umount(at(task, b"/a"))
    at(task, b"/a/below")
    with fails(errno.EINVAL):
        task.fs.mounts.umount(at(task, b"/a"))


def test_busy_mounts(task):
    mount(task, b"/a")
    file = do_open(task, AT_FDCWD, b"/a/f", O_CREAT | O_RDWR, 0o644)
    with fails(errno.EBUSY):
        task.fs.mounts.umount(at(task, b"/a"))
    file.put()
    del file
    task.fs.cwd = at(task, b"/a")
    with fails(errno.EBUSY):
        task.fs.mounts.umount(at(task, b"/a"))
    task.fs.cwd = task.fs.root
    do_mkdir(task, AT_FDCWD, b"/a/deep", 0o755)
    mount(task, b"/a/deep")
    with fails(errno.EBUSY):
        task.fs.mounts.umount(at(task, b"/a"))
    task.fs.mounts.umount(at(task, b"/a/deep"))
    with fails(errno.EAGAIN):
        task.fs.mounts.umount(at(task, b"/a"), MNT_EXPIRE)
    task.fs.mounts.umount(at(task, b"/a"), MNT_EXPIRE)
    with fails(errno.EBUSY):
        task.fs.mounts.umount(at(task, b"/"))


def test_lazy_umount_leaves_open_files_alone(task):
    mount(task, b"/a")
    file = do_open(task, AT_FDCWD, b"/a/f", O_CREAT | O_RDWR, 0o644)
    task.fs.mounts.umount(at(task, b"/a"), MNT_DETACH)
    write(file, b"alive")
    assert read(file, 9) == b"alive"
    assert file.path.text(task.fs.root).startswith(b"(unreachable)")
    with fails(errno.ENOENT):
        at(task, b"/a/f")


def test_bind_of_directories_and_files(task):
    make(task, b"/a/f", b"1")
    make(task, b"/target")
    mount(task, b"/a/sub")
    make(task, b"/a/sub/inner")
    task.fs.mounts.bind(at(task, b"/a"), at(task, b"/b"))
    assert at(task, b"/b/f").inode() is at(task, b"/a/f").inode()
    with fails(errno.ENOENT):
        at(task, b"/b/sub/inner")
    task.fs.mounts.bind(at(task, b"/a"), at(task, b"/c"), True)
    assert text(task, b"/c/sub/inner") == b"/c/sub/inner"
    task.fs.mounts.bind(at(task, b"/a/f"), at(task, b"/target"))
    assert at(task, b"/target").inode() is at(task, b"/a/f").inode()
    with fails(errno.ENOTDIR):
        task.fs.mounts.bind(at(task, b"/a"), at(task, b"/target"))
    with fails(errno.EXDEV):
        do_link(task, AT_FDCWD, b"/a/f", AT_FDCWD, b"/b/g", 0)
    with fails(errno.EXDEV):
        do_rename(task, AT_FDCWD, b"/a/f", AT_FDCWD, b"/b/g", 0)


def test_read_only_mounts(task):
    make(task, b"/a/f")
    task.fs.mounts.bind(at(task, b"/a"), at(task, b"/b")).flags |= MS_RDONLY
    do_open(task, AT_FDCWD, b"/b/f", 0).put()
    for operation in (
        lambda: do_open(task, AT_FDCWD, b"/b/f", O_RDWR),
        lambda: make(task, b"/b/new"),
        lambda: do_mkdir(task, AT_FDCWD, b"/b/new", 0o755),
        lambda: do_unlink(task, AT_FDCWD, b"/b/f"),
    ):
        with fails(errno.EROFS):
            operation()
    with fails(errno.EEXIST):
        do_mkdir(task, AT_FDCWD, b"/b/f", 0o755)
    make(task, b"/a/new")


def test_mount_points_stay(task):
    mount(task, b"/a")
    with fails(errno.EBUSY):
        do_rmdir(task, AT_FDCWD, b"/a")
    with fails(errno.EBUSY):
        do_rename(task, AT_FDCWD, b"/a", AT_FDCWD, b"/z", 0)


def test_move(task):
    mount(task, b"/a")
    make(task, b"/a/f")
    with fails(errno.EINVAL):
        task.fs.mounts.move(at(task, b"/b"), at(task, b"/c"))
    task.fs.mounts.move(at(task, b"/a"), at(task, b"/b"))
    assert text(task, b"/b/f") == b"/b/f"
    do_mkdir(task, AT_FDCWD, b"/b/inner", 0o755)
    with fails(errno.ELOOP):
        task.fs.mounts.move(at(task, b"/b"), at(task, b"/b/inner"))
    at(task, b"/a/sub")


def test_crossing_can_be_forbidden(task):
    mount(task, b"/a")
    fd = task.files.install(do_open(task, AT_FDCWD, b"/", O_DIRECTORY))
    with fails(errno.EXDEV):
        lookup(task, fd, b"a", 1, RESOLVE_NO_XDEV)
    inside = task.files.install(do_open(task, AT_FDCWD, b"/a", O_DIRECTORY))
    with fails(errno.EXDEV):
        lookup(task, inside, b"..", 1, RESOLVE_NO_XDEV)


def test_pivot_root(task):
    mount(task, b"/a")
    do_mkdir(task, AT_FDCWD, b"/a/old", 0o755)
    make(task, b"/a/new_root")
    make(task, b"/old_root")
    new, old, root = at(task, b"/a"), at(task, b"/a/old"), task.fs.root
    with fails(errno.EBUSY):
        task.fs.mounts.pivot_root(at(task, b"/b"), at(task, b"/b"), root)
    task.fs.mounts.pivot_root(new, old, root)
    task.fs.root = task.fs.cwd = task.fs.mounts.root_path()
    at(task, b"/new_root")
    at(task, b"/old/old_root")
    assert text(task, b"/old/a/..") == b"/old" and text(task, b"/old/../..") == b"/"
    task.fs.mounts.umount(at(task, b"/old"), MNT_DETACH)
    with fails(errno.ENOENT):
        at(task, b"/old/old_root")


def test_pivot_root_onto_itself(task):
    """pivot_root(".", "."), as runc and systemd do it."""
    mount(task, b"/a")
    make(task, b"/a/new_root")
    new = at(task, b"/a")
    task.fs.mounts.pivot_root(new, new, task.fs.root)
    task.fs.root = task.fs.cwd = new
    task.fs.mounts.umount(task.fs.mounts.root_path(), MNT_DETACH)
    at(task, b"/new_root")
    assert len(task.fs.mounts.mounts) == 1


def test_copies_are_independent(task):
    mount(task, b"/a")
    make(task, b"/a/f")
    task.fs.cwd = at(task, b"/a")
    other = FakeTask(namespace=task.fs.mounts)
    other.fs = task.fs.copy()
    other.fs.new_namespace()
    assert lookup(other, AT_FDCWD, b"f").text(other.fs.root) == b"/a/f"
    other.fs.cwd = other.fs.root
    other.fs.mounts.umount(lookup(other, AT_FDCWD, b"/a"))
    with fails(errno.ENOENT):
        lookup(other, AT_FDCWD, b"/a/f")
    at(task, b"/a/f")


def test_the_cache_forgets_a_file_system_without_mounts(task):
    drop_caches()
    before = cache_size()
    mount(task, b"/a")
    for number in range(50):
        make(task, b"/a/%d" % number)
    assert cache_size() >= before + 50
    task.fs.mounts.umount(at(task, b"/a"))
    assert cache_size() <= before + 1


def test_umount_gives_the_memory_back_at_once(task):
    gc.disable()
    try:
        mounted = mount(task, b"/a")
        make(task, b"/a/f", b"x" * 4096)
        quota = mounted.fs.quota
        assert quota.used == 1
        del mounted
        task.fs.mounts.umount(at(task, b"/a"))
        assert quota.used == 0
    finally:
        gc.enable()


def test_proc_files(task):
    mount(task, b"/a", MS_NODEV | MS_NOEXEC)
    do_mkdir(task, AT_FDCWD, b"/with space", 0o755)
    task.fs.mounts.bind(at(task, b"/b"), at(task, b"/with space")).flags |= MS_RDONLY
    assert mounts(task.fs.mounts, task.fs.root) == (
        "tmpfs / tmpfs rw,mode=755 0 0\ntmpfs /a tmpfs rw,nodev,noexec 0 0\ntmpfs /with\\040space tmpfs ro,mode=755 0 0\n"
    )
    lines = [line.split() for line in mountinfo(task.fs.mounts, task.fs.root).splitlines()]
    assert lines[1][1] == lines[0][0] and lines[2][3:5] == ["/b", "/with\\040space"]
    assert lines[2][5:] == ["ro", "-", "tmpfs", "tmpfs", "rw,mode=755"]
    task.fs.root = at(task, b"/a")
    assert mounts(task.fs.mounts, task.fs.root) == "tmpfs / tmpfs rw,nodev,noexec 0 0\n"


def test_nothing_can_be_mounted_on_what_was_removed(task):
    place = at(task, b"/c")
    do_rmdir(task, AT_FDCWD, b"/c")
    with pytest.raises(Errno):
        task.fs.mounts.mount(Tmpfs(), place)
