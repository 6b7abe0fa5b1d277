# SPDX-License-Identifier: Apache-2.0
"""pipe(2) and pipe2(2)."""

from fs.anon.inode cimport pipe_inode
from fs.pipe.pipe cimport Pipe, PipeFile, pipe_end
from fs.vfs.fdtable cimport FdTable
from fs.vfs.inode cimport Inode, now_ns
from kernel.abi.errno cimport EINVAL, Errno
from kernel.abi.fs cimport O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY
from kernel.syscalls.table cimport define
from kernel.task.task cimport Task


cdef long sys_pipe(Task task, const unsigned long *args) except? -1:
    """pipe(2): fds[0] reads, fds[1] writes."""
    return make_pipe(task, args[0], 0)


cdef long sys_pipe2(Task task, const unsigned long *args) except? -1:
    """pipe2(2). O_DIRECT makes packets; O_NOTIFICATION_PIPE (O_EXCL) is EINVAL."""
    cdef unsigned int flags = <unsigned int> args[1]
    if flags & ~<unsigned int> (O_CLOEXEC | O_NONBLOCK | O_DIRECT):
        return -EINVAL
    return make_pipe(task, args[0], flags)


define(22, "pipe(fds: Out)", sys_pipe)
define(293, "pipe2(fds: Out, flags: Int)", sys_pipe2)


cdef long make_pipe(Task task, unsigned long address, unsigned int flags) except? -1:
    cdef FdTable files = <FdTable> task.files
    cdef Pipe pipe = Pipe.__new__(Pipe)
    cdef Inode inode = pipe_inode(task.creds, now_ns())
    cdef PipeFile reader, writer
    cdef bint cloexec = flags & O_CLOEXEC != 0
    cdef int fds[2]
    inode.pipe = pipe
    reader = pipe_end(inode, pipe, O_RDONLY | flags & O_NONBLOCK)
    writer = pipe_end(inode, pipe, O_WRONLY | flags & (O_NONBLOCK | O_DIRECT))
    try:
        fds[0] = files.install(reader, cloexec)
    except Errno:
        writer.put()
        raise
    fds[1] = -1
    try:
        fds[1] = files.install(writer, cloexec)
        task.put(address, fds, sizeof(fds))
    except Errno:
        files.close(fds[0])
        if fds[1] >= 0:
            files.close(fds[1])
        raise
    return 0
