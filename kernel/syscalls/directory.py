# SPDX-License-Identifier: Apache-2.0
"""Names and directories: mkdir(2), rmdir, unlink, rename, link, symlink, readlink, getdents, getcwd, chdir, chroot."""

from fs.vfs.directory import DirectoryFile
from fs.vfs.names import do_link, do_mkdir, do_rename, do_rmdir, do_symlink, do_unlink
from fs.vfs.permission import may
from fs.vfs.walk import LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW, lookup
from kernel.abi.errno import EINVAL, ENOENT, ENOTDIR, EPERM, ERANGE, Errno
from kernel.abi.fs import AT_FDCWD, AT_REMOVEDIR, MAY_EXEC, PATH_MAX, S_IFDIR, S_IFLNK, S_IFMT
from kernel.abi.task import CAP_SYS_CHROOT
from kernel.syscalls.kinds import AnyFile, Fd, Int, OpenFile, Out, Path, Size, UInt
from kernel.syscalls.table import syscall

TURN = 65536  # bytes of records in one call: others have their turn before the next


@syscall(83)
def sys_mkdir(task, path: Path, mode: UInt):
    """mkdir(2)."""
    do_mkdir(task, AT_FDCWD, path, mode)


@syscall(258)
def sys_mkdirat(task, dirfd: Fd, path: Path, mode: UInt):
    """mkdirat(2)."""
    do_mkdir(task, dirfd, path, mode)


@syscall(84)
def sys_rmdir(task, path: Path):
    """rmdir(2)."""
    do_rmdir(task, AT_FDCWD, path)


@syscall(87)
def sys_unlink(task, path: Path):
    """unlink(2)."""
    do_unlink(task, AT_FDCWD, path)


@syscall(263)
def sys_unlinkat(task, dirfd: Fd, path: Path, flags: Int):
    """unlinkat(2)."""
    if flags & ~AT_REMOVEDIR:
        raise Errno(EINVAL)
    if flags & AT_REMOVEDIR:
        do_rmdir(task, dirfd, path)
    else:
        do_unlink(task, dirfd, path)


@syscall(82)
def sys_rename(task, old: Path, new: Path):
    """rename(2)."""
    do_rename(task, AT_FDCWD, old, AT_FDCWD, new, 0)


@syscall(264)
def sys_renameat(task, old_dirfd: Fd, old: Path, new_dirfd: Fd, new: Path):
    """renameat(2)."""
    do_rename(task, old_dirfd, old, new_dirfd, new, 0)


@syscall(316)
def sys_renameat2(task, old_dirfd: Fd, old: Path, new_dirfd: Fd, new: Path, flags: UInt):
    """renameat2(2)."""
    do_rename(task, old_dirfd, old, new_dirfd, new, flags)


@syscall(86)
def sys_link(task, old: Path, new: Path):
    """link(2): doesn't follow a symbolic link."""
    do_link(task, AT_FDCWD, old, AT_FDCWD, new, 0)


@syscall(265)
def sys_linkat(task, old_dirfd: Fd, old: Path, new_dirfd: Fd, new: Path, flags: Int):
    """linkat(2)."""
    do_link(task, old_dirfd, old, new_dirfd, new, flags)


@syscall(88)
def sys_symlink(task, target: Path, path: Path):
    """symlink(2)."""
    do_symlink(task, target, AT_FDCWD, path)


@syscall(266)
def sys_symlinkat(task, target: Path, dirfd: Fd, path: Path):
    """symlinkat(2)."""
    do_symlink(task, target, dirfd, path)


@syscall(89)
def sys_readlink(task, path: Path, buf: Out, size: Int):
    """readlink(2)."""
    return read_link(task, AT_FDCWD, path, buf, size)


@syscall(267)
def sys_readlinkat(task, dirfd: Fd, path: Path, buf: Out, size: Int):
    """readlinkat(2): an empty path is the link that an O_PATH descriptor stands for."""
    return read_link(task, dirfd, path, buf, size)


def read_link(task, dirfd, path, buf, size):
    if size <= 0:
        raise Errno(EINVAL)
    inode = lookup(task, dirfd, path, LOOKUP_EMPTY if dirfd != AT_FDCWD else 0).inode()
    if inode.mode & S_IFMT != S_IFLNK:
        raise Errno(EINVAL if path else ENOENT)
    text = inode.readlink(task)[:size]
    task.copy_out(buf, text)
    return len(text)


@syscall(217)
def sys_getdents64(task, file: OpenFile, buf: Out, count: UInt):
    """getdents64(2)."""
    return list_directory(task, file, buf, count, False)


@syscall(78)
def sys_getdents(task, file: OpenFile, buf: Out, count: UInt):
    """getdents(2)."""
    return list_directory(task, file, buf, count, True)


def list_directory(task, file, buf, count, old_layout):
    if not isinstance(file, DirectoryFile):
        raise Errno(ENOTDIR)
    before = file.pos
    records = file.dirents(min(count, TURN), old_layout)
    try:
        task.copy_out(buf, records)
    except Errno:
        file.pos = before
        raise
    return len(records)


@syscall(79)
def sys_getcwd(task, buf: Out, size: Size):
    """getcwd(2): the length with its NUL. ENOENT if the directory was removed."""
    cwd = task.fs.cwd
    if cwd.dentry.unlinked:
        raise Errno(ENOENT)
    text = cwd.text(task.fs.root) + b"\0"
    if len(text) > min(size, PATH_MAX):
        raise Errno(ERANGE)
    task.copy_out(buf, text)
    return len(text)


@syscall(80)
def sys_chdir(task, path: Path):
    """chdir(2)."""
    place = lookup(task, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY)
    may(place.inode(), task.creds, MAY_EXEC)
    task.fs.cwd = place


@syscall(81)
def sys_fchdir(task, file: AnyFile):
    """fchdir(2)."""
    if file.path is None or file.inode.mode & S_IFMT != S_IFDIR:
        raise Errno(ENOTDIR)
    may(file.inode, task.creds, MAY_EXEC)
    task.fs.cwd = file.path


@syscall(161)
def sys_chroot(task, path: Path):
    """chroot(2): the working directory stays where it is."""
    place = lookup(task, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY)
    may(place.inode(), task.creds, MAY_EXEC)
    if not task.creds.capable(CAP_SYS_CHROOT):
        raise Errno(EPERM)
    task.fs.root = place
