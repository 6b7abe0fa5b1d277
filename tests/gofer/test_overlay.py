# SPDX-License-Identifier: Apache-2.0
"""The overlay against its two layers: the lower tree never changes, numbers stay, names come and go."""

import errno
import os
import random
import shutil
import stat

import pytest
from gofer_support import ROOT, read, write

from fs.overlay.inode import OverlayFileSystem
from fs.tmpfs.inode import Tmpfs
from kernel.abi.errno import Errno

FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


@pytest.fixture
def lower(tmp_path):
    """A small tree."""
    (tmp_path / "file").write_text("lower")
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "a").write_text("a")
    (tmp_path / "dir" / "sub" / "b").write_text("b")
    os.link(tmp_path / "file", tmp_path / "twin")
    (tmp_path / "link").symlink_to("file")
    return tmp_path


@pytest.fixture
def root(gofers, lower):
    return OverlayFileSystem(gofers.mount(lower, read_only=True), Tmpfs()).root


def names(directory):
    return sorted(name for name, _, _ in directory.readdir())


def snapshot(path):
    """Everything that could have changed, but access times."""
    found = []
    for where, directories, files in os.walk(path):
        attributes = [os.lstat(os.path.join(where, name)) for name in [*directories, *files]]
        kept = [(s.st_mode, s.st_ino, s.st_nlink, s.st_uid, s.st_size, s.st_mtime_ns) for s in attributes]
        found.append((where, directories, files, kept))
    return sorted(found)


def test_writing_copies_up_and_keeps_the_number(root, lower):
    before = snapshot(lower)
    inode = root.lookup(b"file")
    reader = inode.open(None, os.O_RDONLY)
    number, mtime = inode.ino, inode.mtime_ns
    inode.setattr({"mode": 0o600})
    assert inode.mtime_ns == mtime and inode.mode == stat.S_IFREG | 0o600
    file = inode.open(None, os.O_RDWR)
    assert read(file) == b"lower"
    write(file, b"UP", 0)
    assert read(reader) == b"UPwer"
    assert root.lookup(b"file") is inode and inode.ino == number
    assert {name: ino for name, ino, _ in root.readdir()}[b"file"] == number
    assert snapshot(lower) == before


def test_a_truncated_open_copies_no_contents(root):
    inode = root.lookup(b"dir").lookup(b"a")
    inode.setattr({"size": 0})
    assert inode.size == 0 and read(inode.open(None, os.O_RDONLY)) == b""


def test_hard_links_survive_the_copy(root):
    inode = root.lookup(b"file")
    assert root.lookup(b"twin") is inode and inode.nlink == 2
    write(inode.open(None, os.O_RDWR), b"new", 0)
    del inode
    twin = root.lookup(b"twin")
    assert read(twin.open(None, os.O_RDONLY)) == b"newer" and twin.nlink == 2
    root.unlink(b"twin", twin)
    assert twin.nlink == 1 and b"twin" not in names(root)
    root.unlink(b"file", root.lookup(b"file"))
    assert twin.nlink == 0


def test_unlinked_names_stay_away_and_can_be_made_again(root):
    root.unlink(b"link", root.lookup(b"link"))
    assert b"link" not in names(root)
    with pytest.raises(Errno, match=os.strerror(errno.ENOENT)):
        root.lookup(b"link")
    made = root.create(b"link", FILE, ROOT)
    assert root.lookup(b"link") is made and names(root).count(b"link") == 1
    root.unlink(b"link", made)
    assert b"link" not in names(root)


def test_a_new_directory_in_the_place_of_an_old_one_is_empty(root):
    directory = root.lookup(b"dir")
    with pytest.raises(Errno, match=os.strerror(errno.ENOTEMPTY)):
        root.rmdir(b"dir", directory)
    sub = directory.lookup(b"sub")
    sub.unlink(b"b", sub.lookup(b"b"))
    directory.rmdir(b"sub", sub)
    directory.unlink(b"a", directory.lookup(b"a"))
    root.rmdir(b"dir", directory)
    assert root.mkdir(b"dir", DIRECTORY, ROOT).readdir() == []


def test_a_lower_directory_is_renamed_with_all_that_is_in_it(root):
    directory = root.lookup(b"dir")
    number = directory.ino
    root.rename(b"dir", directory, root, b"moved", None, 0)
    assert names(root) == [b"file", b"link", b"moved", b"twin"]
    moved = root.lookup(b"moved")
    assert moved.ino == number and names(moved) == [b"a", b"sub"]
    assert read(moved.lookup(b"sub").lookup(b"b").open(None, os.O_RDONLY)) == b"b"
    write(moved.lookup(b"sub").lookup(b"b").open(None, os.O_RDWR), b"B")
    assert read(moved.lookup(b"sub").lookup(b"b").open(None, os.O_RDONLY)) == b"B"


def test_an_unlinked_lower_file_can_still_be_changed(root):
    inode = root.lookup(b"dir").lookup(b"a")
    root.lookup(b"dir").unlink(b"a", inode)
    inode.setattr({"mode": 0o600})
    assert read(inode.open(None, os.O_RDONLY)) == b"a" and inode.nlink == 0


def test_times_and_attributes_are_copied(root, lower):
    os.setxattr(lower / "dir" / "a", "user.k", b"v")
    os.utime(lower / "dir" / "a", ns=(1000, 2000))
    inode = root.lookup(b"dir").lookup(b"a")
    inode.setattr({"uid": 77})
    assert (inode.uid, inode.mtime_ns, inode.getxattr(b"user.k")) == (77, 2000, b"v")


def walk_overlay(directory):
    """{path: contents} of a tree in the overlay."""
    found = {}
    for name, _, kind in directory.readdir():
        inode = directory.lookup(name)
        if kind == stat.S_IFDIR:
            found[name] = walk_overlay(inode)
        else:
            found[name] = inode.readlink(None) if kind == stat.S_IFLNK else read(inode.open(None, os.O_RDONLY))
    return found


def walk_host(path):
    """The same of the host's."""
    found = {}
    for entry in os.scandir(path):
        name = os.fsencode(entry.name)
        if entry.is_symlink():
            found[name] = os.fsencode(os.readlink(entry.path))
        else:
            found[name] = walk_host(entry.path) if entry.is_dir() else open(entry.path, "rb").read()
    return found


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_agree_with_a_plain_copy(root, lower, tmp_path_factory, seed):
    rng = random.Random(seed)
    before = snapshot(lower)
    model = tmp_path_factory.mktemp("model") / "m"
    shutil.copytree(lower, model, symlinks=True)
    os.unlink(model / "twin")
    os.link(model / "file", model / "twin")
    for _ in range(150):
        step(rng, root, str(model))
    assert walk_overlay(root) == walk_host(model)
    assert snapshot(lower) == before


@pytest.mark.parametrize("seed", range(4))
def test_random_operations_through_the_gofer_agree_with_a_plain_copy(gofers, tmp_path, seed):
    rng = random.Random(seed)
    served, model = tmp_path / "served", tmp_path / "model"
    served.mkdir()
    model.mkdir()
    root = gofers.mount(served).root
    for _ in range(400):
        step(rng, root, str(model))
    assert walk_overlay(root) == walk_host(model) == walk_host(served)
    links = sorted(os.lstat(os.path.join(where, name)).st_nlink for where, _, files in os.walk(model) for name in files)
    assert sorted(link_counts(root)) == links


def link_counts(directory):
    """st_nlink of all files below."""
    for name, _, kind in directory.readdir():
        inode = directory.lookup(name)
        if kind == stat.S_IFDIR:
            yield from link_counts(inode)
        else:
            yield inode.nlink


def step(rng, root, model):
    """One random operation on both; both succeed or both fail."""
    places = [(root, model)]
    while rng.random() < 0.5:
        directory, path = places[-1]
        inner = [name for name, _, kind in directory.readdir() if kind == stat.S_IFDIR]
        if not inner:
            break
        name = rng.choice(sorted(inner))
        places.append((directory.lookup(name), os.path.join(path, name.decode())))
    directory, path = places[-1]
    other, other_path = rng.choice(places)
    present = sorted(name for name, _, _ in directory.readdir())
    name = rng.choice([*present, b"n1", b"n2", b"n3"])
    new = rng.choice([b"n1", b"n2", b"n3", b"file", b"dir"])
    action = rng.choice([create, mkdir, unlink, rmdir, rename, link, append])
    action(directory, path, name, other, other_path, new)


def kind_of(directory, name):
    """(inode or None, is a directory)."""
    try:
        inode = directory.lookup(name)
    except Errno:
        return None, False
    return inode, stat.S_ISDIR(inode.mode)


def create(directory, path, name, *_):
    if kind_of(directory, name)[0] is None:
        directory.create(name, FILE, ROOT)
        open(os.path.join(path, name.decode()), "x").close()


def mkdir(directory, path, name, *_):
    if kind_of(directory, name)[0] is None:
        directory.mkdir(name, DIRECTORY, ROOT)
        os.mkdir(os.path.join(path, name.decode()))


def unlink(directory, path, name, *_):
    inode, is_directory = kind_of(directory, name)
    if inode is not None and not is_directory:
        directory.unlink(name, inode)
        os.unlink(os.path.join(path, name.decode()))


def rmdir(directory, path, name, *_):
    inode, is_directory = kind_of(directory, name)
    if is_directory:
        full = os.path.join(path, name.decode())
        if os.listdir(full):
            with pytest.raises(Errno):
                directory.rmdir(name, inode)
        else:
            directory.rmdir(name, inode)
            os.rmdir(full)


def rename(directory, path, name, other, other_path, new):
    inode, is_directory = kind_of(directory, name)
    replaced, replaces_directory = kind_of(other, new)
    if inode is None or inode is replaced or (is_directory != replaces_directory and replaced is not None):
        return
    try:
        os.rename(os.path.join(path, name.decode()), os.path.join(other_path, new.decode()))
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            with pytest.raises(Errno):
                directory.rename(name, inode, other, new, replaced, 0)
        return
    directory.rename(name, inode, other, new, replaced, 0)


def link(directory, path, name, other, other_path, new):
    inode, is_directory = kind_of(directory, name)
    if inode is not None and not is_directory and kind_of(other, new)[0] is None:
        other.link(new, inode)
        os.link(os.path.join(path, name.decode()), os.path.join(other_path, new.decode()), follow_symlinks=False)


def append(directory, path, name, *_):
    inode, _ = kind_of(directory, name)
    if inode is not None and stat.S_ISREG(inode.mode):
        inode.refresh()
        file = inode.open(None, os.O_WRONLY)
        write(file, b"more", inode.size)
        file.put()
        with open(os.path.join(path, name.decode()), "ab") as host:
            host.write(b"more")
