# SPDX-License-Identifier: Apache-2.0
"""What the guest writes is in the container's root, where docker's other commands find it; and what the host gives, the guest sees."""

import io
import tarfile

import pytest

pytestmark = pytest.mark.docker

WRITE = "echo text > /root/made; mkdir /root/d; ln -s made /root/link; chmod 750 /root/made; rm /etc/group; echo more >> /etc/passwd"


@pytest.fixture
def written(docker):
    name = docker.start("--", "sh", "-c", WRITE)
    assert docker("wait", name).stdout == "0\n"
    return name


def test_diff(docker, written):
    lines = set(docker("diff", written).stdout.splitlines())
    assert {"A /root/made", "A /root/d", "A /root/link", "D /etc/group", "C /etc/passwd"} <= lines
    assert not [line for line in lines if line[2:].split("/")[1] not in ("root", "etc", "dev", "proc", "sys")]


def test_export(docker, written):
    with tarfile.open(fileobj=io.BytesIO(docker("export", written, text=False).stdout)) as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert tar.extractfile("root/made").read() == b"text\n"
    assert members["root/made"].mode & 0o7777 == 0o750
    assert members["root/link"].linkname == "made"
    assert "etc/group" not in members


def test_commit(docker, written):
    docker("commit", written, "committed")
    try:
        assert docker.run("--", "cat", "/root/link", image="committed").stdout == "text\n"
        docker.run("--", "test", "-e", "/etc/group", image="committed", status=1)
    finally:
        docker("rmi", "committed")


def test_copy_both_ways(docker, tmp_path):
    name = docker.start("--", "sh", "-c", "echo inside > /root/file; exec sleep 1000")
    (tmp_path / "in").write_text("from outside\n")
    docker("cp", tmp_path / "in", f"{name}:/root/new")
    assert docker("exec", name, "cat", "/root/new").stdout == "from outside\n"
    docker("exec", name, "sh", "-c", "echo changed >> /root/file")
    docker("cp", f"{name}:/root/file", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "inside\nchanged\n"


def test_volumes(docker, tmp_path):
    (tmp_path / "file").write_text("host\n")
    script = "cat /v/file; echo guest > /v/new; echo more >> /v/file"
    assert docker.run("-v", f"{tmp_path}:/v", "--", "sh", "-c", script).stdout == "host\n"
    assert (tmp_path / "new").read_text() == "guest\n"
    assert (tmp_path / "file").read_text() == "host\nmore\n"
    done = docker.run("-v", f"{tmp_path}:/v:ro", "--", "sh", "-c", "cat /v/new; echo x > /v/file", status=1)
    assert done.stdout == "guest\n"
    assert "Read-only file system" in done.stderr
    assert docker.run("-v", f"{tmp_path}/file:/etc/one", "--", "cat", "/etc/one").stdout == "host\nmore\n"


def test_the_host_changes_a_volume_meanwhile(docker, tmp_path, eventually):
    name = docker.start("-v", f"{tmp_path}:/v", "--", "sleep", "1000")
    docker("exec", name, "ls", "/v/late", status=1)
    (tmp_path / "late").write_text("now\n")
    assert docker("exec", name, "cat", "/v/late").stdout == "now\n"
    (tmp_path / "late").write_text("and longer\n")
    assert docker("exec", name, "cat", "/v/late").stdout == "and longer\n"
    (tmp_path / "late").unlink()
    docker("exec", name, "cat", "/v/late", status=1)


def test_named_volume(docker):
    docker.run("-v", "vol:/data", "--", "sh", "-c", "echo kept > /data/f")
    try:
        assert docker.run("-v", "vol:/data", "--", "cat", "/data/f").stdout == "kept\n"
        assert docker.run("-v", "vol:/data", "--", "cat", "/data/f", runtime="runc").stdout == "kept\n"
    finally:
        docker("volume", "rm", "vol")


def test_read_only_root(docker):
    done = docker.run("--read-only", "--tmpfs", "/tmp", "--", "sh", "-c", "echo ok > /tmp/f; cat /tmp/f; echo x > /root/f", status=1)
    assert done.stdout == "ok\n"
    assert "Read-only file system" in done.stderr


def test_tmpfs(docker):
    script = "df -k /scratch | tail -1; stat -c %a /scratch; dd if=/dev/zero of=/scratch/f bs=1M count=3 2>&1 | grep -c 'No space'"
    lines = docker.run("--tmpfs", "/scratch:size=2m,mode=700", "--", "sh", "-c", script, status=None).stdout.splitlines()
    assert lines[0].split()[:2] == ["tmpfs", "2048"]
    assert lines[1:] == ["700", "1"]


def test_files_of_docker(docker):
    script = "cat /etc/hostname; grep -c . /etc/hosts; mount | grep -c ' /proc '; ls /dev"
    lines = docker.run("-h", "box", "--", "sh", "-c", script).stdout.split()
    assert lines[0] == "box"
    assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "stdin", "fd"} <= set(lines)
    assert "sda" not in lines


def test_masked_and_read_only_paths(docker):
    assert docker.run("--", "sh", "-c", "cat /proc/kcore | wc -c").stdout == "0\n"
    assert docker.run("--", "sh", "-c", "echo 1 > /proc/sys/kernel/sysrq", status=1).stdout == ""


def test_many_files_reach_the_host(docker):
    script = "mkdir /root/t; for i in $(seq 300); do echo $i > /root/t/$i; done; rm /root/t/1??; sync"
    name = docker.start("--", "sh", "-c", script)
    docker("wait", name)
    with tarfile.open(fileobj=io.BytesIO(docker("export", name, text=False).stdout)) as tar:
        names = [member.name for member in tar.getmembers() if member.name.startswith("root/t/")]
        assert len(names) == 200
        assert tar.extractfile("root/t/300").read() == b"300\n"
