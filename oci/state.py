# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a container: the directory ROOT/ID with state.json, a copy of config.json, and the control socket.

The directory itself carries the lock (flock). state.json is replaced by rename, so a reader sees the old or the new one. After a crash
the directory may hold no state, or half of one: then only `delete --force` works on it. Who is alive is never believed from the
file: a process is its pid together with its start time.
"""

import fcntl
import posix

from kernel.abi.json import JsonError, dumps, loads
from oci.errors import NoSuchContainer, RunscError

STATE = "state.json"
SPARE = "spare.json"  # the fields that removal needs, for when state.json is damaged
CONFIG = "config.json"
OCI_VERSION = "1.1.0"
ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")
DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC | posix.O_NOFOLLOW


class DamagedState(RunscError):
    """The state can't be read; delete --force removes it."""


def check_id(container_id):
    """Ids are names of directories."""
    if not container_id or container_id in (".", "..") or len(container_id) > 255 or not ID_CHARACTERS.issuperset(container_id):
        raise RunscError(f'invalid container id "{container_id}"')


def read_file(path, dir_fd=None, limit=64 << 20):
    """The bytes of a file."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC, dir_fd=dir_fd)
    try:
        parts, total = [], 0
        while True:
            part = posix.read(fd, 1 << 16)
            if not part:
                return b"".join(parts)
            total += len(part)
            if total > limit:
                raise RunscError(f"{path}: file too long")
            parts.append(part)
    finally:
        posix.close(fd)


def write_file(path, data, dir_fd=None, mode=0o600, flags=posix.O_CREAT | posix.O_TRUNC):
    """Writes a whole file."""
    fd = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC | flags, mode, dir_fd=dir_fd)
    try:
        while data:
            data = data[posix.write(fd, data) :]
    finally:
        posix.close(fd)


def make_directories(path, mode):
    """mkdir -p."""
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = path.rstrip("/").rpartition("/")[0]
        if not parent or parent == path:
            raise
        make_directories(parent, 0o755)
        make_directories(path, mode)


def process_start(pid):
    """Start time of a process in clock ticks, or 0 if it is gone or a zombie."""
    try:
        text = read_file(f"/proc/{pid}/stat")
    except OSError:
        return 0
    fields = text[text.rfind(b")") + 2 :].split()
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


class Container:
    """A container's state directory, open and (until close()) locked. Fields are in `values`, by name."""

    def __init__(self, root, container_id, directory_fd, values):
        self.root, self.id = root, container_id
        self.directory_fd = directory_fd
        self.values = values

    @property
    def path(self):
        """The state directory."""
        return f"{self.root}/{self.id}"

    def close(self):
        """Gives up the lock."""
        if self.directory_fd >= 0:
            posix.close(self.directory_fd)
            self.directory_fd = -1

    def unlock(self):
        """Gives up the lock but keeps the directory open."""
        fcntl.flock(self.directory_fd, fcntl.LOCK_UN)

    def lock(self):
        """Takes the lock again, and reads what changed meanwhile. NoSuchContainer: it was deleted."""
        fcntl.flock(self.directory_fd, fcntl.LOCK_EX)
        self.values = read_values(self.directory_fd, self.id)

    def save(self):
        """Replaces state.json."""
        write_file(STATE + ".new", dumps(self.values), self.directory_fd)
        posix.rename(STATE + ".new", STATE, src_dir_fd=self.directory_fd, dst_dir_fd=self.directory_fd)

    def save_with_spare(self):
        """As save(), and a second copy: processes and cgroups have changed."""
        write_file(SPARE, dumps(self.values), self.directory_fd)
        self.save()

    def is_alive(self):
        """Does the sandbox process live?"""
        pid = self.values.get("pid", 0)
        return pid > 0 and process_start(pid) == self.values.get("pidStart")

    def status(self):
        """creating, created, running, paused or stopped."""
        if not self.is_alive():
            return "stopped"
        return self.values.get("status", "creating")

    def public(self):
        """The object that `state` prints, and hooks read."""
        values = self.values
        status = self.status()
        return {
            "ociVersion": OCI_VERSION,
            "id": self.id,
            "status": status,
            "pid": values.get("pid", 0) if status != "stopped" else 0,
            "bundle": values.get("bundle", ""),
            "rootfs": values.get("rootfs", ""),
            "created": values.get("created", ""),
            "owner": values.get("owner", ""),
            "annotations": values.get("annotations", {}),
        }

    def remove(self):
        """Deletes the directory."""
        try:
            for name in posix.listdir(self.directory_fd):
                posix.unlink(name, dir_fd=self.directory_fd)
            posix.rmdir(self.path)
        except FileNotFoundError:
            pass
        self.close()


def read_values(directory_fd, container_id, name=STATE):
    """The fields of state.json."""
    try:
        values = loads(read_file(name, directory_fd))
    except FileNotFoundError:
        if posix.fstat(directory_fd).st_nlink == 0:
            raise NoSuchContainer(container_id) from None
        raise DamagedState(f'state of container "{container_id}" is missing') from None
    except JsonError as error:
        raise DamagedState(f'state of container "{container_id}" is damaged: {error}') from None
    if type(values) is not dict or type(values.get("pid", 0)) is not int:
        raise DamagedState(f'state of container "{container_id}" is damaged')
    return values


def open_directory(root, container_id):
    """The locked state directory."""
    check_id(container_id)
    path = f"{root}/{container_id}"
    while True:
        try:
            fd = posix.open(path, DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchContainer(container_id) from None
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            now = posix.stat(path)
        except FileNotFoundError:
            now = None
        mine = posix.fstat(fd)
        if now is not None and (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino):
            return fd
        posix.close(fd)  # deleted, perhaps made anew, while we waited for the lock


def load(root, container_id):
    """A locked Container. NoSuchContainer, DamagedState."""
    fd = open_directory(root, container_id)
    try:
        return Container(root, container_id, fd, read_values(fd, container_id))
    except RunscError:
        posix.close(fd)
        raise


def peek(root, container_id):
    """A Container that is not locked, to look at: hooks ask for the state while `create` is at work."""
    check_id(container_id)
    try:
        fd = posix.open(f"{root}/{container_id}", DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchContainer(container_id) from None
    try:
        return Container(root, container_id, fd, read_values(fd, container_id))
    except RunscError:
        posix.close(fd)
        raise


def load_damaged(root, container_id):
    """A locked Container, with older fields or none if the state can't be read."""
    fd = open_directory(root, container_id)
    for name in (STATE, SPARE):
        try:
            return Container(root, container_id, fd, read_values(fd, container_id, name))
        except DamagedState:
            pass
    return Container(root, container_id, fd, {})


def create(root, container_id):
    """A new, locked Container without state yet."""
    check_id(container_id)
    path = f"{root}/{container_id}"
    try:
        make_directories(root, 0o711)
        posix.mkdir(path, 0o700)
    except FileExistsError:
        raise RunscError(f'container with id "{container_id}" exists already') from None
    except OSError as error:
        raise RunscError(f"{path}: {error.strerror.lower()}") from None
    return Container(root, container_id, open_directory(root, container_id), {})


def names(root):
    """Ids of all containers."""
    try:
        found = posix.listdir(root)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if ID_CHARACTERS.issuperset(name))
