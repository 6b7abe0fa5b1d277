# SPDX-License-Identifier: Apache-2.0
"""mmap, sqlite3, tempfile, shutil and friends: what Python makes of files."""

import fcntl
import mmap
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path


def mappings():
    memory = mmap.mmap(-1, 8192)
    memory[:5] = b"hello"
    if os.fork() == 0:
        memory[0:1] = b"J"
        os._exit(0)
    os.wait()
    print(memory[:5])
    Path("mapped").write_bytes(bytes(100000))
    with open("mapped", "r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)
        shared[50000:50003] = b"abc"
        file.seek(50000)
        print(file.read(3))
        os.pwrite(file.fileno(), b"XYZ", 70000)
        print(shared[70000:70003], shared.find(b"abc"))
        shared.flush()
        shared.resize(200000)
        print(os.fstat(file.fileno()).st_size)
        private = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        private[:3] = b"own"
        print(shared[:3], private[:3])


def database():
    connection = sqlite3.connect("x.db", timeout=10)
    print(connection.execute("pragma journal_mode=wal").fetchall())
    connection.execute("create table t(a integer primary key, b text)")
    connection.commit()
    for child in range(3):
        if os.fork() == 0:
            own = sqlite3.connect("x.db", timeout=20)
            for i in range(20):
                with own:
                    own.execute("insert into t(b) values(?)", (f"{child} {i}",))
            own.close()
            os._exit(0)
    print([os.wait()[1] for _ in range(3)])
    print(connection.execute("select count(*) from t").fetchall(), connection.execute("pragma integrity_check").fetchall())
    connection.close()
    rollback = sqlite3.connect("y.db")
    rollback.execute("create table t(a)")
    rollback.executemany("insert into t values(?)", [(i,) for i in range(1000)])
    rollback.rollback()
    print(rollback.execute("select count(*) from t").fetchall(), sorted(os.listdir(".")))
    rollback.close()


def temporary():
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "x").write_text("y")
        print(os.listdir(directory))
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as named:
        file.write(b"z" * 100000)
        print(file.tell(), os.fstat(file.fileno()).st_nlink, os.path.exists(named.name))
    print(os.path.exists(directory))


def tree():
    os.makedirs("a/b/c")
    Path("a/b/c/f").write_text("deep")
    os.symlink("b/c/f", "a/s")
    shutil.copytree("a", "d", symlinks=True)
    print(sorted((root, *dirs, *sorted(files)) for root, dirs, files in os.walk("d")), os.readlink("d/s"))
    os.replace("d/b/c/f", "d/g")
    print(Path("d/g").read_text(), os.path.exists("d/s"))
    os.setxattr("d/g", "user.note", b"value")
    print(os.listxattr("d/g"), os.getxattr("d/g", "user.note"))
    with open("d/g") as one, open("d/g") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            print(error)
    with open("sparse", "wb") as file:
        file.truncate(1 << 30)
    print(os.stat("sparse").st_size, os.stat("sparse").st_blocks < 100)
    source, target = os.open("/usr/bin/env", os.O_RDONLY), os.open("env", os.O_RDWR | os.O_CREAT)
    size = os.fstat(source).st_size
    sent = 0
    while sent < size:
        sent += os.sendfile(target, source, sent, size - sent)
    print(Path("env").read_bytes() == Path("/usr/bin/env").read_bytes())
    shutil.rmtree("d")


mappings()
database()
temporary()
tree()
