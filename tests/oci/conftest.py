# SPDX-License-Identifier: Apache-2.0
"""A runtime with the pretended kernel, a bundle, and the promise that nothing is left behind."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
os.environ.setdefault("PYTHONPATH", str(TREE))  # build/test names the tree that it built
FAKE = [sys.executable, str(HERE / "fake_runsc.py")]


def config(*args, **changes):
    """config.json as an object."""
    spec = {
        "ociVersion": "1.0.2",
        "process": {"args": list(args), "cwd": "/", "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": "network"}]},
    }
    spec.update(changes)
    return spec


class Runtime:
    """Runs commands below one --root."""

    def __init__(self, directory):
        self.directory = directory
        self.root = directory / "state"
        self.log = directory / "log.json"

    def argv(self, *words):
        return [*FAKE, "--root", str(self.root), "--log", str(self.log), *map(str, words)]

    def __call__(self, *words, status=0, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        # Files, not pipes: a container keeps what it inherits, and a pipe would not end before it does.
        with open(self.directory / "out", "w+") as out, open(self.directory / "err", "w+") as err:
            done = subprocess.run(self.argv(*words), stdout=out, stderr=err, timeout=30, check=False, **options)
            done.stdout, done.stderr = (self.directory / "out").read_text(), (self.directory / "err").read_text()
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words, **options):
        return subprocess.Popen(self.argv(*words), **options)

    def bundle(self, *args, **changes):
        path = self.directory / "bundle"
        (path / "rootfs").mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text(json.dumps(config(*args, **changes)))
        return path

    def state(self, name="c"):
        return json.loads(self("state", name).stdout)

    def status(self, name="c"):
        return self.state(name)["status"]


def processes(directory):
    """Live host processes whose command line names something of this test."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(directory).encode() in text or text.startswith((b"runsc-sentry c\0", b"runsc-gofer c\0")):
                found.append((entry.name, text))
    return found


@pytest.fixture
def eventually():
    return wait_until


def wait_until(check, seconds=5):
    """Waits until check() is true."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


@pytest.fixture
def runtime(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root for namespaces")
    before = {pid for pid, _ in processes(tmp_path)}
    runtime = Runtime(tmp_path)
    yield runtime
    if runtime.root.exists():
        for name in os.listdir(runtime.root):
            subprocess.run(runtime.argv("delete", "--force", name), timeout=30, check=True)
        assert os.listdir(runtime.root) == []
    wait_until(lambda: not [pid for pid, _ in processes(tmp_path) if pid not in before])
