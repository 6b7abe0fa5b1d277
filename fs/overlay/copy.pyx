# SPDX-License-Identifier: Apache-2.0
"""Copying an object from the lower tree of an overlay to the upper one: type, owner, mode, contents, times, attributes.

A directory's entries are not copied. If copying fails, nothing of it stays.
"""

from fs.vfs.file cimport File
from fs.vfs.inode cimport Inode
from kernel.abi.errno cimport EIO, ENOENT, EOPNOTSUPP, Errno
from kernel.abi.fs cimport O_RDONLY, O_RDWR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from kernel.mm.userbuffer cimport KernelBuffer
from kernel.task.creds cimport Creds

cdef enum:
    CHUNK = 262144

cdef bytes ZEROS = bytes(CHUNK)


cdef Inode copy_object(Inode lower, Inode directory, bytes name, long long limit):
    """A copy by that name in the upper directory, or without a name; at most limit bytes of contents unless it is -1."""
    cdef unsigned int kind
    lower.refresh()
    kind = lower.mode & S_IFMT
    copy = new_object(lower, directory, name, kind)
    try:
        if kind == S_IFREG:
            copy_contents(lower, copy, lower.size if limit < 0 else min(limit, lower.size))
        copy_attributes(lower, copy, kind)
    except Errno:
        if name is not None and kind == S_IFDIR:
            directory.rmdir(name, copy)
        elif name is not None:
            directory.unlink(name, copy)
        raise
    return copy


cdef Inode new_object(Inode lower, Inode directory, bytes name, unsigned int kind):
    cdef Creds creds = Creds()
    if name is None and kind != S_IFREG:
        raise Errno(ENOENT)
    if name is None:
        return directory.tmpfile(lower.mode, creds)
    if kind == S_IFREG:
        return directory.create(name, lower.mode, creds)
    if kind == S_IFDIR:
        return directory.mkdir(name, lower.mode, creds)
    if kind == S_IFLNK:
        return directory.symlink(name, lower.readlink(None), creds)
    return directory.mknod(name, lower.mode, lower.rdev, creds)


cdef copy_attributes(Inode lower, Inode copy, unsigned int kind):
    for attribute in lower.listxattr():
        try:
            copy.setxattr(attribute, lower.getxattr(attribute), 0)
        except Errno as error:
            if (<Errno> error).number != EOPNOTSUPP:
                raise
    changes = {"uid": lower.uid, "gid": lower.gid, "atime_ns": lower.atime_ns, "mtime_ns": lower.mtime_ns}
    if kind != S_IFLNK:
        changes["mode"] = lower.mode & 0o7777
    copy.setattr(changes)


cdef copy_contents(Inode lower, Inode copy, long long size):
    """Chunk by chunk; what is all zeros becomes a hole."""
    cdef File source, target
    cdef long long at = 0
    if size == 0:
        return
    source = lower.open(None, O_RDONLY)
    target = copy.open(None, O_RDWR)
    source.flags, target.flags = O_RDONLY, O_RDWR
    try:
        copy.setattr({"size": size})
        while at < size:
            chunk = read_chunk(source, at, min(<long long> CHUNK, size - at))
            if not chunk:
                break
            if chunk != ZEROS[:len(chunk)]:
                write_chunk(target, at, chunk)
            at += len(chunk)
    finally:
        source.put()
        target.put()


cdef bytes read_chunk(File source, long long at, Py_ssize_t count):
    buffer = KernelBuffer(count)
    cdef long got = source.read(None, buffer, at)
    if got < 0:
        raise Errno(-got)
    return bytes((<KernelBuffer> buffer).data)


cdef write_chunk(File target, long long at, bytes chunk):
    cdef Py_ssize_t done = 0
    cdef long count
    buffer = KernelBuffer(data=chunk)
    while done < len(chunk):
        count = target.write(None, buffer, at + done)
        if count < 0:
            raise Errno(-count)
        if count == 0:
            raise Errno(EIO)
        done += count
