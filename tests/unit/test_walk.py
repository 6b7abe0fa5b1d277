# SPDX-License-Identifier: Apache-2.0
"""Path walk, alone and against the host's (openat2 with RESOLVE_IN_ROOT is a walk with another root)."""

import ctypes
import errno
import os
import shutil
import struct
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vfs_world import AT_FDCWD, FakeTask, fails

from fs.vfs.dentry import cache_size
from fs.vfs.names import do_mkdir, do_mknod, do_rmdir, do_symlink
from fs.vfs.operations import do_open
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import Errno
from kernel.abi.fs import O_DIRECTORY, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, S_IFREG
from kernel.task.creds import Creds

SYS_OPENAT2 = 437
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def task():
    task = FakeTask()
    for path in (b"/a", b"/a/b", b"/a/b/c", b"/d"):
        do_mkdir(task, AT_FDCWD, path, 0o755)
    do_mknod(task, AT_FDCWD, b"/a/file", S_IFREG | 0o644, 0)
    return task


def text(task, path, how=LOOKUP_FOLLOW, dirfd=AT_FDCWD, resolve=0):
    return lookup(task, dirfd, path, how, resolve).text(task.fs.root)


def test_components(task):
    assert text(task, b"/a//./b/../b/c/..") == b"/a/b"
    assert text(task, b"a/b/") == b"/a/b"
    assert text(task, b"/../..") == b"/"
    assert text(task, b"////") == b"/"
    with fails(errno.ENOTDIR):
        text(task, b"/a/file/")
    with fails(errno.ENOTDIR):
        text(task, b"/a/file/.")
    with fails(errno.ENOTDIR):
        text(task, b"/a/file/..")
    with fails(errno.ENOENT):
        text(task, b"")
    with fails(errno.ENOENT):
        text(task, b"/nowhere/..")
    with fails(errno.ENAMETOOLONG):
        text(task, b"/" + b"x" * 256)
    with fails(errno.ENOTDIR):
        text(task, b"/a/file", LOOKUP_FOLLOW | LOOKUP_DIRECTORY)


def test_symbolic_links(task):
    do_symlink(task, b"../a/b", AT_FDCWD, b"/d/relative")
    do_symlink(task, b"/a/file", AT_FDCWD, b"/d/absolute")
    do_symlink(task, b"loop", AT_FDCWD, b"/loop")
    do_symlink(task, b"nowhere", AT_FDCWD, b"/dangling")
    assert text(task, b"/d/relative/c") == b"/a/b/c"
    assert text(task, b"/d/relative", 0) == b"/d/relative"
    assert text(task, b"/d/relative/", 0) == b"/a/b"
    assert text(task, b"/d/absolute") == b"/a/file"
    with fails(errno.ELOOP):
        text(task, b"/loop")
    with fails(errno.ENOENT):
        text(task, b"/dangling")
    with fails(errno.ENOTDIR):
        text(task, b"/d/absolute/")
    with fails(errno.ELOOP):
        text(task, b"/d/absolute", resolve=RESOLVE_NO_SYMLINKS)


def test_forty_links_are_followed_and_no_more(task):
    do_symlink(task, b"/a/file", AT_FDCWD, b"/l1")
    for i in range(2, 42):
        do_symlink(task, b"/l%d" % (i - 1), AT_FDCWD, b"/l%d" % i)
    assert text(task, b"/l40") == b"/a/file"
    with fails(errno.ELOOP):
        text(task, b"/l41")


def test_search_permission_is_asked_of_every_directory(task):
    lookup(task, AT_FDCWD, b"/a/b").inode().mode = 0o040700
    task.creds = Creds(1000, 1000)
    assert text(task, b"/a/b") == b"/a/b"
    with fails(errno.EACCES):
        text(task, b"/a/b/c")
    with fails(errno.EACCES):
        text(task, b"/a/b/.")


def test_resolve_flags(task):
    dirfd = task.files.install(do_open(task, AT_FDCWD, b"/a/b", O_DIRECTORY))
    do_symlink(task, b"/c", AT_FDCWD, b"/a/b/link")
    do_symlink(task, b"../../d", AT_FDCWD, b"/a/b/out")
    assert text(task, b"c/../c", dirfd=dirfd, resolve=RESOLVE_BENEATH) == b"/a/b/c"
    for path in (b"..", b"c/../..", b"/a", b"link", b"out"):
        with fails(errno.EXDEV):
            text(task, path, dirfd=dirfd, resolve=RESOLVE_BENEATH)
    assert text(task, b"/c", dirfd=dirfd, resolve=RESOLVE_IN_ROOT) == b"/a/b/c"
    assert text(task, b"link", dirfd=dirfd, resolve=RESOLVE_IN_ROOT) == b"/a/b/c"
    assert text(task, b"../../c", dirfd=dirfd, resolve=RESOLVE_IN_ROOT) == b"/a/b/c"
    with fails(errno.ENOENT):
        text(task, b"out", dirfd=dirfd, resolve=RESOLVE_IN_ROOT)
    assert text(task, b"..", dirfd=dirfd, resolve=RESOLVE_NO_XDEV) == b"/a"


def test_directory_descriptors(task):
    dirfd = task.files.install(do_open(task, AT_FDCWD, b"/a/b", O_DIRECTORY))
    filefd = task.files.install(do_open(task, AT_FDCWD, b"/a/file", 0))
    assert text(task, b"../file", dirfd=dirfd) == b"/a/file"
    assert text(task, b"", LOOKUP_EMPTY, filefd) == b"/a/file"
    with fails(errno.ENOTDIR):
        text(task, b"x", dirfd=filefd)
    with fails(errno.EBADF):
        text(task, b"x", dirfd=99)
    assert text(task, b"/a", dirfd=99) == b"/a"


def test_chroot_bounds_the_walk(task):
    task.fs.root = lookup(task, AT_FDCWD, b"/a")
    assert text(task, b"/..//../b") == b"/b"
    assert text(task, b".") == b"(unreachable)/"


def test_nothing_is_found_or_made_in_a_removed_directory(task):
    task.fs.cwd = lookup(task, AT_FDCWD, b"/d")
    with fails(errno.ENOENT):
        text(task, b"x")
    do_rmdir(task, AT_FDCWD, b"/d")
    assert text(task, b".") == b"/d (deleted)"
    assert text(task, b"..") == b"/"
    for operation in (lambda: text(task, b"x"), lambda: do_mkdir(task, AT_FDCWD, b"x", 0o755)):
        with fails(errno.ENOENT):
            operation()


def test_the_cache_is_bounded_and_keeps_what_is_held(task):
    held = lookup(task, AT_FDCWD, b"/a/b/c")
    for number in range(70000):
        with fails(errno.ENOENT):
            text(task, b"/d/%d" % number)
    assert cache_size() <= 65536 + 1
    assert held.same(lookup(task, AT_FDCWD, b"/a/b/c"))


# Against the host: a tree of fixed names with random links, walked by random paths.

NAMES = [b"p", b"q", b"r"]
COMPONENTS = st.sampled_from([*NAMES, b".", b"..", b"", b"file"])
PATHS = st.lists(COMPONENTS, min_size=1, max_size=6).map(b"/".join).filter(bool)
PLACES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
TREES = st.lists(st.tuples(st.sampled_from(["directory", "file", "link"]), PLACES, PATHS), max_size=12)


def host_walk(root_fd, path, follow):
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    how = struct.pack("QQQ", flags, 0, RESOLVE_IN_ROOT)
    fd = LIBC.syscall(SYS_OPENAT2, root_fd, path, how, len(how))
    if fd < 0:
        return errno.errorcode[ctypes.get_errno()]
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def our_walk(task, path, follow):
    try:
        return lookup(task, AT_FDCWD, path, LOOKUP_FOLLOW if follow else 0).text(task.fs.root).decode()
    except Errno as error:
        return errno.errorcode[error.number]


def build(task, root, kind, place, target):
    """The same object in both trees, or in neither."""
    host = os.path.join(root, place)
    try:
        if kind == "directory":
            os.mkdir(host)
            do_mkdir(task, AT_FDCWD, b"/" + place, 0o755)
        elif kind == "file":
            os.mknod(host)
            do_mknod(task, AT_FDCWD, b"/" + place, S_IFREG | 0o644, 0)
        else:
            os.symlink(target, host)
            do_symlink(task, target, AT_FDCWD, b"/" + place)
    except OSError:
        return


@settings(max_examples=150, deadline=None)
@given(TREES, st.lists(PATHS, min_size=1, max_size=10), st.booleans())
def test_as_the_host(tree, paths, follow):
    task = FakeTask()
    root = tempfile.mkdtemp().encode()
    root_fd = os.open(root, os.O_PATH)
    try:
        for kind, place, target in sorted(tree, key=lambda entry: entry[1].count(b"/")):
            if all(not os.path.islink(os.path.join(root, place.rsplit(b"/", depth)[0])) for depth in (1, 2) if b"/" in place):
                build(task, root, kind, place, target)
        for path in paths:
            expected = host_walk(root_fd, path, follow)
            if expected.startswith("/"):
                expected = expected.removeprefix(root.decode()) or "/"
            assert our_walk(task, path, follow) == expected, path
    finally:
        os.close(root_fd)
        shutil.rmtree(root)
