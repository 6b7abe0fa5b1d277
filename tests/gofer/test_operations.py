# SPDX-License-Identifier: Apache-2.0
"""One suite of operations for every file system that can be written: the gofer's, own or shared, and the overlay."""

import errno
import os
import stat

import pytest
from gofer_support import ROOT, read, write

from fs.overlay.inode import OverlayFileSystem
from fs.tmpfs.inode import Tmpfs
from kernel.abi.errno import Errno
from kernel.task.creds import Creds

RENAME_EXCHANGE = 2


@pytest.fixture(params=["exclusive", "shared", "overlay", "tmpfs"])
def root(request, gofers, tmp_path):
    """An empty root directory, with mode 755."""
    os.chmod(tmp_path, 0o755)
    if request.param == "tmpfs":
        return Tmpfs("mode=755").root
    if request.param == "overlay":
        return OverlayFileSystem(gofers.mount(tmp_path, read_only=True), Tmpfs()).root
    return gofers.mount(tmp_path, exclusive=request.param == "exclusive").root


def raises(number):
    """Expect an Errno."""
    return pytest.raises(Errno, match=os.strerror(number))


def names(directory):
    return sorted(name for name, _, _ in directory.readdir())


def test_create_write_read(root):
    inode = root.create(b"file", stat.S_IFREG | 0o640, Creds(1000, 1001))
    assert (inode.uid, inode.gid, inode.nlink, stat.S_IMODE(inode.mode)) == (1000, 1001, 1, 0o640)
    file = inode.open(None, os.O_RDWR)
    assert write(file, b"hello") == 5
    assert write(file, b"world", 10) == 5
    assert read(file) == b"hello" + bytes(5) + b"world"
    assert read(file, 3, 1) == b"ell"
    assert read(file, 3, 100) == b""
    inode.refresh()
    assert inode.size == 15
    assert root.lookup(b"file") is inode
    file.put()


def test_the_file_mode_ignores_our_umask_and_keeps_set_id_bits(root):
    assert stat.S_IMODE(root.create(b"file", stat.S_IFREG | 0o6777, Creds(5, 6)).mode) == 0o6777


def test_append_goes_to_the_end(root):
    inode = root.create(b"log", stat.S_IFREG | 0o600, ROOT)
    file = inode.open(None, os.O_WRONLY | os.O_APPEND)
    file.flags = os.O_WRONLY | os.O_APPEND
    write(file, b"one")
    write(file, b"two", 0)
    assert file.pos == 6
    assert read(inode.open(None, os.O_RDONLY)) == b"onetwo"


def test_big_files(root):
    inode = root.create(b"big", stat.S_IFREG | 0o600, ROOT)
    data = os.urandom(1 << 20) + bytes(1 << 20)
    file = inode.open(None, os.O_RDWR)
    done = 0
    while done < len(data):
        done += write(file, data[done:], done)
    back = b""
    while part := read(file, 1 << 20, len(back)):
        back += part
    assert back == data


def test_truncate_and_extend(root):
    inode = root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    file = inode.open(None, os.O_RDWR)
    write(file, b"123456")
    inode.setattr({"size": 3})
    inode.setattr({"size": 5})
    inode.refresh()
    assert inode.size == 5
    assert read(file) == b"123\0\0"
    file.put()
    inode.setattr({"size": 0})
    inode.refresh()
    assert inode.size == 0


def test_seek(root):
    file = root.create(b"file", stat.S_IFREG | 0o600, ROOT).open(None, os.O_RDWR)
    write(file, b"x", 99999)
    assert file.seek(5, os.SEEK_SET) == 5
    assert file.seek(2, os.SEEK_CUR) == 7
    assert file.seek(-1, os.SEEK_END) == 99999
    assert file.seek(0, os.SEEK_HOLE) <= 99999
    assert file.seek(99999, os.SEEK_DATA) == 99999
    with raises(errno.EINVAL):
        file.seek(-1, os.SEEK_SET)
    with raises(errno.ENXIO):
        file.seek(100001, os.SEEK_DATA)


def test_directories(root):
    directory = root.mkdir(b"dir", stat.S_IFDIR | 0o711, Creds(7, 8))
    assert stat.S_ISDIR(directory.mode) and stat.S_IMODE(directory.mode) == 0o711 and directory.uid == 7
    inner = directory.create(b"file", stat.S_IFREG | 0o600, ROOT)
    assert directory.readdir() == [(b"file", inner.ino, stat.S_IFREG)]
    with raises(errno.ENOTEMPTY):
        root.rmdir(b"dir", directory)
    directory.unlink(b"file", inner)
    root.rmdir(b"dir", directory)
    assert root.readdir() == []
    with raises(errno.ENOENT):
        root.lookup(b"dir")


def test_a_directory_of_thousands(root):
    expected = [b"name%05d" % i + b"x" * (i % 50) for i in range(3000)]
    for name in expected:
        root.create(name, stat.S_IFREG | 0o600, ROOT)
    assert names(root) == sorted(expected)


def test_a_set_gid_directory_hands_down_its_group(root):
    directory = root.mkdir(b"dir", stat.S_IFDIR | 0o755, Creds(0, 50))
    directory.setattr({"mode": 0o2755})
    assert directory.create(b"file", stat.S_IFREG | 0o600, Creds(1, 2)).gid == 50
    inner = directory.mkdir(b"inner", stat.S_IFDIR | 0o755, Creds(1, 2))
    assert inner.gid == 50 and inner.mode & stat.S_ISGID


def test_symbolic_links(root):
    link = root.symlink(b"link", b"/no/where", Creds(3, 4))
    assert stat.S_ISLNK(link.mode) and link.readlink(None) == b"/no/where" and link.uid == 3
    link.refresh()
    assert link.size == 9
    assert root.lookup(b"link").readlink(None) == b"/no/where"
    with raises(errno.EINVAL):
        root.create(b"file", stat.S_IFREG | 0o600, ROOT).readlink(None)


def test_special_files_are_metadata(root):
    fifo = root.mknod(b"fifo", stat.S_IFIFO | 0o622, 0, Creds(1, 1))
    assert stat.S_ISFIFO(fifo.mode) and stat.S_IMODE(fifo.mode) == 0o622 and fifo.uid == 1
    root.mknod(b"sock", stat.S_IFSOCK | 0o600, 0, ROOT)
    device = root.mknod(b"null", stat.S_IFCHR | 0o666, os.makedev(1, 3), ROOT)
    assert device.rdev == os.makedev(1, 3) and stat.S_ISCHR(device.mode)
    assert {kind for _, _, kind in root.readdir()} == {stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR}


def test_hard_links_are_one_inode(root):
    inode = root.create(b"a", stat.S_IFREG | 0o600, ROOT)
    root.link(b"b", inode)
    other = root.lookup(b"b")
    assert other is inode
    inode.refresh()
    assert inode.nlink == 2
    root.unlink(b"a", inode)
    inode.refresh()
    assert inode.nlink == 1 and names(root) == [b"b"]


def test_rename_replaces(root):
    a, b = root.create(b"a", stat.S_IFREG | 0o600, ROOT), root.create(b"b", stat.S_IFREG | 0o600, ROOT)
    directory = root.mkdir(b"dir", stat.S_IFDIR | 0o755, ROOT)
    root.rename(b"a", a, root, b"b", b, 0)
    assert root.lookup(b"b") is a and names(root) == [b"b", b"dir"]
    b.refresh()
    assert b.nlink == 0
    root.rename(b"b", a, directory, b"c", None, 0)
    assert directory.lookup(b"c") is a and names(root) == [b"dir"]


def test_rename_exchange(root):
    a, b = root.create(b"a", stat.S_IFREG | 0o600, ROOT), root.mkdir(b"b", stat.S_IFDIR | 0o700, ROOT)
    root.rename(b"a", a, root, b"b", b, RENAME_EXCHANGE)
    assert root.lookup(b"a") is b and root.lookup(b"b") is a


def test_rename_of_a_full_directory(root):
    directory = root.mkdir(b"dir", stat.S_IFDIR | 0o755, ROOT)
    inner = directory.mkdir(b"inner", stat.S_IFDIR | 0o755, ROOT)
    file = inner.create(b"file", stat.S_IFREG | 0o600, ROOT)
    root.rename(b"dir", directory, root, b"moved", None, 0)
    assert root.lookup(b"moved").lookup(b"inner").lookup(b"file") is file
    full = root.mkdir(b"full", stat.S_IFDIR | 0o755, ROOT)
    full.create(b"x", stat.S_IFREG | 0o600, ROOT)
    with raises(errno.ENOTEMPTY):
        root.rename(b"moved", directory, root, b"full", full, 0)


def test_an_unlinked_file_works_on(root):
    inode = root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    file = inode.open(None, os.O_RDWR)
    root.unlink(b"file", inode)
    assert write(file, b"still") == 5
    assert read(file) == b"still"
    inode.refresh()
    assert (inode.nlink, inode.size) == (0, 5)
    inode.setattr({"mode": 0o604})
    assert stat.S_IMODE(inode.mode) == 0o604
    file.put()


def test_tmpfile_gets_a_name_later(root):
    inode = root.tmpfile(stat.S_IFREG | 0o600, Creds(9, 9))
    file = inode.open(None, os.O_RDWR)
    write(file, b"data")
    inode.refresh()
    assert inode.nlink == 0 and root.readdir() == []
    root.link(b"named", inode)
    assert read(root.lookup(b"named").open(None, os.O_RDONLY)) == b"data"
    assert inode.uid == 9


def test_attributes(root):
    inode = root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    inode.setattr({"mode": 0o4711, "atime_ns": 1_000_000_001, "mtime_ns": -5})
    inode.refresh()
    assert (stat.S_IMODE(inode.mode), inode.atime_ns, inode.mtime_ns) == (0o4711, 1_000_000_001, -5)
    inode.setattr({"uid": 12, "gid": 34, "mode": 0o4711})
    assert (inode.uid, inode.gid, stat.S_IMODE(inode.mode)) == (12, 34, 0o4711)
    link = root.symlink(b"link", b"file", ROOT)
    link.setattr({"uid": 5, "mtime_ns": 7})
    assert (link.uid, link.mtime_ns) == (5, 7)
    inode.refresh()
    assert inode.uid == 12


def test_extended_attributes(root):
    inode = root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    with raises(errno.ENODATA):
        inode.getxattr(b"user.none")
    inode.setxattr(b"user.a", b"1", 0)
    inode.setxattr(b"user.b", b"", os.XATTR_CREATE)
    assert sorted(inode.listxattr()) == [b"user.a", b"user.b"]
    assert inode.getxattr(b"user.a") == b"1" and inode.getxattr(b"user.b") == b""
    with raises(errno.EEXIST):
        inode.setxattr(b"user.a", b"2", os.XATTR_CREATE)
    with raises(errno.ENODATA):
        inode.setxattr(b"user.c", b"2", os.XATTR_REPLACE)
    inode.removexattr(b"user.a")
    assert inode.listxattr() == [b"user.b"]


def test_statfs(root):
    root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    values = root.fs.statfs()
    assert values["namelen"] >= 255 and values["bsize"] > 0 and values["type"] != 0


def test_fsync_and_fallocate(root):
    inode = root.create(b"file", stat.S_IFREG | 0o600, ROOT)
    file = inode.open(None, os.O_RDWR)
    for job in (file.fallocate(None, 0, 0, 8192), file.fsync(False), file.fsync(True), file.syncfs(), root.fsync(False), root.fsync(True)):
        assert job is None or job.run() == 0
    inode.refresh()
    assert inode.size == 8192
