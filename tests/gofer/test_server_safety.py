# SPDX-License-Identifier: Apache-2.0
"""What a hostile client can't do, and what a donated descriptor may be."""

import array
import errno
import fcntl
import os
import random
import socket
import stat
import struct
import time

import pytest

from fs.gofer.connection import Connection
from fs.gofer.inode import GoferFileSystem
from gofer.messages import MESSAGES, NOFID, NOOPEN, VERSION_EXTENDED, VERSION_PLAIN
from gofer.wire import emit, parse
from kernel.abi.errno import Errno


class Client:
    """Speaks raw messages."""

    def __init__(self, sock, version=VERSION_EXTENDED, aname=b"0"):
        self.sock = sock
        self.donated = -1
        assert self.ask("Tversion", 65536, version) == (65536, version)
        self.ask("Tattach", 1, NOFID, b"root", aname, 0)

    def ask(self, name, *values):
        """The reply's values; the error's number for an Rlerror."""
        self.sock.sendall(emit(name, 7, *values))
        reply, tag, values = parse(self.receive())
        assert tag == 7
        if reply == "Rlerror":
            return values[0]
        assert reply == "R" + name[1:]
        return values

    def receive(self):
        head, descriptors, _, _ = socket.recv_fds(self.sock, 7, 4)
        if descriptors:
            self.donated = descriptors[0]
        while len(head) < 4 or len(head) < int.from_bytes(head[:4], "little"):
            part = self.sock.recv(65536)
            if not part:
                raise EOFError
            head += part
        return head


@pytest.fixture
def tree(tmp_path):
    """A directory with something to reach, beside something that must not be reached."""
    (tmp_path / "outside").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_text("content")
    (inside / "dir").mkdir()
    (inside / "up").symlink_to("..")
    (inside / "absolute").symlink_to(tmp_path)
    (inside / "tofile").symlink_to("../outside")
    return inside


@pytest.fixture(params=[VERSION_PLAIN, VERSION_EXTENDED])
def client(request, gofers, tree):
    return Client(gofers.start((tree, False)), request.param)


def test_walks_do_not_follow_links_or_leave(client):
    for link in (b"up", b"absolute", b"tofile"):
        assert client.ask("Twalk", 1, 2, [link, b"outside"])[0][0][0] == 2  # only the link itself, as a link
        assert client.ask("Tgetattr", 2, 0x7FF) == errno.EBADF
    for name in (b"", b".", b"a/b", b"../outside", b"/etc", b"x\0y"):
        assert client.ask("Twalk", 1, 2, [name]) == errno.EINVAL
    root = client.ask("Twalk", 1, 3, [])
    above = client.ask("Twalk", 1, 4, [b".."] * 16)
    assert above[0][0] == client.ask("Twalk", 1, 5, [b"dir", b".."])[0][1]
    assert root == ([],)
    assert client.ask("Twalk", 4, 6, [b"outside"]) == errno.ENOENT


def test_dotdot_of_a_directory_that_was_moved_out_is_refused(client, tree):
    assert len(client.ask("Twalk", 1, 2, [b"dir"])[0]) == 1
    (tree / "dir").rename(tree.parent / "moved")
    assert client.ask("Twalk", 2, 3, [b".."]) == errno.ENOENT


def test_names_are_single_components_in_every_message(client):
    for name in (b"..", b"a/b", b"../x", b"", b"."):
        assert client.ask("Tmkdir", 1, name, 0o755, 0) == errno.EINVAL
        assert client.ask("Tunlinkat", 1, name, 0x200) == errno.EINVAL
        assert client.ask("Trenameat", 1, b"file", 1, name) == errno.EINVAL
        assert client.ask("Tsymlink", 1, name, b"x", 0) == errno.EINVAL
        assert client.ask("Tlink", 1, 1, name) == errno.EINVAL
        assert client.ask("Tmknod", 1, name, stat.S_IFIFO, 0, 0, 0) == errno.EINVAL


def test_opening_a_link_or_a_special_file_is_refused(client, tree):
    os.mkfifo(tree / "fifo")
    assert len(client.ask("Twalk", 1, 2, [b"tofile"])[0]) == 1
    assert client.ask("Tlopen", 2, os.O_RDONLY) == errno.ELOOP
    assert len(client.ask("Twalk", 1, 3, [b"fifo"])[0]) == 1
    assert client.ask("Tlopen", 3, os.O_RDWR) == errno.EPERM
    if os.geteuid() == 0:
        os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        assert len(client.ask("Twalk", 1, 4, [b"null"])[0]) == 1
        assert client.ask("Tlopen", 4, os.O_RDONLY) == errno.EPERM


def test_creating_over_a_link_does_not_follow_it(client, tree):
    assert client.ask("Tlcreate", 1, b"tofile", os.O_RDWR, 0o600, 0) == errno.EEXIST
    assert (tree.parent / "outside").read_text() == "secret"


def test_plain_9p_session(gofers, tree):
    client = Client(gofers.start((tree, False)), VERSION_PLAIN)
    client.ask("Twalk", 1, 2, [])
    client.ask("Tlcreate", 2, b"new", os.O_RDWR, 0o640, 12)
    assert client.ask("Twrite", 2, 0, b"hello") == (5,)
    assert client.ask("Tread", 2, 1, 100) == (b"ello",)
    assert client.ask("Tfsync", 2, 0) == ()
    assert client.ask("Tlock", 2, 1, 0, 0, 0, 1, b"me") == (0,)
    assert client.ask("Tgetlock", 2, 1, 0, 0, 1, b"me")[0] == 2
    assert client.ask("Tsetattr", 2, 0x1 | 0x8, 0o600, 0, 0, 3, 0, 0, 0, 0) == ()
    assert client.ask("Txattrcreate", 2, b"user.k", 3, 0) == ()
    assert client.ask("Twrite", 2, 0, b"val") == (3,)
    assert client.ask("Tclunk", 2) == ()
    assert os.getxattr(tree / "new", "user.k") == b"val"
    client.ask("Twalk", 1, 3, [b"new"])
    assert client.ask("Txattrwalk", 3, 4, b"user.k") == (3,)
    assert client.ask("Tread", 4, 0, 10) == (b"val",)
    assert client.ask("Trename", 3, 1, b"renamed") == ()
    assert client.ask("Tremove", 3) == ()
    assert not (tree / "renamed").exists()
    assert client.ask("Twalk", 1, 5, [b"file"]) and client.ask("Twalk", 1, 6, []) and client.ask("Tlopen", 6, 0)
    entries = client.ask("Treaddir", 6, 0, 8192)[0]
    assert b"tofile" in entries and client.ask("Treaddir", 6, 2**63 - 1, 8192) in ((b"",), errno.EINVAL)
    assert client.ask("Treadlink", 5) == errno.EINVAL
    assert client.ask("Twalkattr", 1, 9, b"file", NOOPEN) == errno.ENOSYS
    assert client.ask("Tauth", 9, b"", b"", 0) == errno.ENOSYS


def test_a_read_only_tree_refuses_every_change(gofers, tree):
    client = Client(gofers.start((tree, True)))
    client.ask("Twalkattr", 1, 2, b"file", NOOPEN)
    changes = [
        ("Tsetattr", 2, 1, 0o600, 0, 0, 0, 0, 0, 0, 0),
        ("Tlopen", 2, os.O_WRONLY),
        ("Tlopen", 2, os.O_RDONLY | os.O_TRUNC),
        ("Tdonate", 2, os.O_RDWR),
        ("Tdonate", 2, 3),
        ("Tlcreate", 1, b"new", os.O_RDONLY, 0o600, 0),
        ("Tmake", 1, 3, b"new", stat.S_IFREG | 0o600, 0, 0, 0, b"", NOOPEN),
        ("Tmkdir", 1, b"new", 0o755, 0),
        ("Tmknod", 1, b"new", stat.S_IFIFO, 0, 0, 0),
        ("Tsymlink", 1, b"new", b"x", 0),
        ("Tlink", 1, 2, b"new"),
        ("Tunlinkat", 1, b"file", 0),
        ("Trenameat", 1, b"file", 1, b"new"),
        ("Trename2", 1, b"file", 1, b"new", 0),
        ("Trename", 2, 1, b"new"),
        ("Txattrcreate", 2, b"user.x", 1, 0),
        ("Tsetxattr", 2, b"user.x", b"1", 0),
        ("Tremovexattr", 2, b"user.x"),
    ]
    for change in changes:
        assert client.ask(*change) == errno.EROFS, change
    assert client.ask("Tremove", 2) == errno.EROFS
    assert client.ask("Twalkattr", 1, 4, b"file", os.O_RDWR) == errno.EROFS
    assert client.donated == -1


def test_trees_are_apart(gofers, tree, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    client = Client(gofers.start((tree, False), (other, False)))
    client.ask("Tattach", 2, NOFID, b"", b"1", 0)
    assert client.ask("Trenameat", 1, b"file", 2, b"file") == errno.EXDEV
    client.ask("Twalk", 1, 3, [b"file"])
    assert client.ask("Tlink", 2, 3, b"file") == errno.EXDEV
    assert client.ask("Tattach", 4, NOFID, b"", b"2", 0) == errno.ENOENT
    assert client.ask("Tattach", 4, NOFID, b"", b"/etc", 0) == errno.EINVAL


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_a_donated_descriptor_has_the_rights_asked_for(gofers, tree, access):
    client = Client(gofers.start((tree, False)))
    client.ask("Twalkattr", 1, 2, b"file", access | os.O_TRUNC | os.O_APPEND)
    assert fcntl.fcntl(client.donated, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_APPEND) == access
    assert os.fstat(client.donated).st_size == 7
    os.close(client.donated)


def test_directories_and_special_files_are_never_donated(gofers, tree):
    os.mkfifo(tree / "fifo")
    client = Client(gofers.start((tree, False)))
    for fid, name in enumerate((b"dir", b"fifo", b"up", b""), 10):
        client.ask("Twalkattr", 1, fid, name, os.O_RDONLY)
        assert client.ask("Tdonate", fid, os.O_RDONLY) == errno.EINVAL
    assert client.donated == -1


@pytest.mark.parametrize("frame", [b"\0" * 7, struct.pack("<IBH", 6, 100, 1), struct.pack("<IBH", 2**31, 100, 1)])
def test_broken_framing_ends_the_connection(gofers, tree, frame):
    client = Client(gofers.start((tree, False)))
    client.sock.sendall(frame)
    assert client.sock.recv(1) == b""


def test_messages_that_make_no_sense_get_errors(gofers, tree):
    sock = gofers.start((tree, False))
    client = Client(sock)
    for number in (0, 6, 101, 199, 255):
        sock.sendall(struct.pack("<IBH", 7, number, 7))
        assert parse(client.receive()) == ("Rlerror", 7, (errno.ENOSYS,))
    sock.sendall(struct.pack("<IBH", 8, 120, 7) + b"x")
    assert parse(client.receive()) == ("Rlerror", 7, (errno.EPROTO,))
    assert client.ask("Tclunk", 99) == errno.EBADF
    assert client.ask("Twalk", 1, 1, [b"file", b"x"]) != errno.EBADF
    assert client.ask("Twalk", 1, 2, []) == ([],)
    assert client.ask("Twalk", 1, 2, []) == errno.EBADF


def random_value(kind, rng):
    """A value of a field's kind, odd ones often."""
    if kind[0] == "u":
        bits = int(kind[1:])
        return rng.choice([0, 1, 2, 3, rng.getrandbits(3), (1 << bits) - 1, 1 << (bits - 1), rng.getrandbits(bits)])
    if kind == "str":
        return rng.choice([b"", b"file", b"dir", b"up", b"..", b"new", b"user.x", rng.randbytes(rng.randrange(300))])
    if kind == "data":
        return rng.randbytes(rng.randrange(64))
    if kind == "str*":
        return [random_value("str", rng) for _ in range(rng.randrange(4))]
    return {"qid": (0, 0, 0), "attr": bytes(153), "qid*": []}[kind]


def test_random_messages_do_no_harm(gofers, tree):
    rng = random.Random(42)
    sock = gofers.start((tree, False))
    end = time.monotonic() + 3
    client = Client(sock)
    requests = [(name, fields) for number, name, fields in MESSAGES if name[0] == "T" and name not in ("Tversion", "Tclunks", "Tsyncfs")]
    while time.monotonic() < end:
        name, fields = rng.choice(requests)
        values = [random_value(field.split(":")[1], rng) for field in fields.split()]
        sock.sendall(emit(name, 7, *values))
        reply, _, _ = parse(client.receive())
        assert reply in ("Rlerror", "R" + name[1:])
        if client.donated >= 0:
            os.close(client.donated)
            client.donated = -1
    assert (tree.parent / "outside").read_text() == "secret"
    assert sorted(os.listdir(tree.parent)) == ["inside", "outside"]


def test_random_bytes_end_the_connection_at_worst(gofers, tree):
    rng = random.Random(43)
    for _ in range(20):
        client = Client(gofers.start((tree, False)))
        try:
            for _ in range(50):
                body = rng.randbytes(rng.randrange(40))
                client.sock.sendall(struct.pack("<IBH", 7 + len(body), rng.randrange(256), 7) + body)
            client.sock.sendall(rng.randbytes(100))
        except OSError:
            pass
        client.sock.close()


def test_when_the_gofer_dies_every_call_is_an_io_error(gofers, tree):
    sock = gofers.start((tree, False))
    sock.settimeout(None)
    fs = GoferFileSystem(Connection(sock.detach()), b"0", exclusive=True)
    file = fs.root.lookup(b"file").open(None, os.O_RDONLY)
    gofers.end()
    for _ in range(2):
        with pytest.raises(Errno, match="Input/output error"):
            fs.root.lookup(b"dir")
    file.put()


def test_a_jailed_gofer_serves_and_holds_few_rights(gofers, tree):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    client = Client(gofers.start((tree, False), is_jailed=True))
    pid = gofers.pids[-1]
    client.ask("Tmake", 1, 2, b"made", stat.S_IFREG | 0o4755, 0, 12, 13, b"", os.O_RDWR)
    made = os.stat(tree / "made")
    assert (made.st_uid, made.st_gid, made.st_mode) == (12, 13, stat.S_IFREG | 0o4755)
    assert client.ask("Tsetxattr", 2, b"user.a", b"b", 0) == ()
    assert client.ask("Tsetxattr", 2, b"trusted.a", b"b", 0) == errno.EPERM
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0x800001F
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert os.listdir(f"/proc/{pid}/root") == []
    os.write(client.donated, array.array("b", [65]).tobytes())
    assert (tree / "made").read_bytes() == b"A"


def test_descriptors_do_not_leak(gofers, tree):
    client = Client(gofers.start((tree, False)))
    where = f"/proc/{gofers.pids[-1]}/fd"
    before = len(os.listdir(where))
    for fid in range(10, 500):
        client.ask("Twalkattr", 1, fid, b"file", os.O_RDONLY)
        os.close(client.donated)
    client.sock.sendall(emit("Tclunks", 7, b"".join(fid.to_bytes(4, "little") for fid in range(10, 500))))
    assert client.ask("Tclunk", 9999) == errno.EBADF
    assert len(os.listdir(where)) <= before


def test_descriptors_sent_to_the_server_are_not_kept(gofers, tree):
    client = Client(gofers.start((tree, False)))
    where = f"/proc/{gofers.pids[-1]}/fd"
    before = len(os.listdir(where))
    with open(tree / "file") as file:
        for _ in range(20):
            socket.send_fds(client.sock, [emit("Tgetattr", 7, 1, 0)], [file.fileno()] * 3)
            assert parse(client.receive())[0] == "Rgetattr"
    assert len(os.listdir(where)) <= before + 1
