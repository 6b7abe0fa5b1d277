# SPDX-License-Identifier: Apache-2.0
"""read(2), write(2), their vector and positioned forms, and lseek(2).

A file kind never blocks: it answers -EAGAIN, and this file decides. Regular files are read and written completely. A stream is read
once and written until it has taken everything; what was written when the wait began is in task.progress, and is the result if a
signal handler runs. A file kind consumes only what it has copied out, so a bad address loses nothing.
Regular files are served in chunks, others get their turn in between; such a call has the file to itself, and signals that do not kill wait.
"""

from kernel.abi.errno cimport EAGAIN, EBADF, EFAULT, EFBIG, EINVAL, EOPNOTSUPP, EPIPE, ESPIPE, ERESTARTSYS, Errno
from kernel.abi.fs cimport (
    IN_ACCESS, IN_MODIFY, O_ACCMODE, O_APPEND, O_DSYNC, O_NONBLOCK, O_PATH, O_RDONLY, O_SYNC, O_WRONLY, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG,
    S_IFSOCK,
)
from kernel.abi.poll cimport POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from kernel.abi.signal cimport SI_USER, SIGPIPE, SIGXFSZ
from kernel.abi.task cimport RLIMIT_FSIZE
from kernel.mm.userbuffer cimport GuestBuffer
from fs.anon.inotify cimport nr_watches
from fs.dev.memory cimport MemoryDevice
from fs.vfs.fdtable cimport FdTable
from fs.vfs.file cimport File
from fs.vfs.permission cimport remove_privileges
from kernel.signal.pending cimport kill_info
from kernel.signal.send cimport send_to_task
from kernel.sync.moved cimport Moved, holder_of, nr_held
from kernel.sync.pool cimport UNINTERRUPTIBLE
from kernel.syscalls.table cimport define
from kernel.task.task cimport BLOCKED, Task
from net.socket.socket cimport Socket

from fs.vfs.notify import notify_path
from kernel.sync.pool import start_over

cdef enum:
    IOV_MAX = 1024
    SEEK_MAX = 4                         # SEEK_HOLE
    # preadv2 and pwritev2
    RWF_HIPRI = 0x01
    RWF_DSYNC = 0x02
    RWF_SYNC = 0x04
    RWF_NOWAIT = 0x08
    RWF_APPEND = 0x10
    RWF_NOAPPEND = 0x20
    RWF_SUPPORTED = 0x3f
    READ_EVENTS = POLLIN | POLLHUP | POLLERR | POLLRDHUP
    WRITE_EVENTS = POLLOUT | POLLHUP | POLLERR
    OWN_POSITION = -1                    # use and move the file's own position
    SET_ID_BITS = 0o6000
    CHUNK = 262144                       # of a regular file, between two turns of others
    SECOND_LOOK_NS = 10000000            # a holder that was killed tells nobody


cdef unsigned long ADDRESS_END = 0x7ffffffff000   # access_ok: beyond it EFAULT before anything else happens
cdef unsigned long RLIM_INFINITY = 0xffffffffffffffff


cdef long sys_read(Task task, const unsigned long *args) except? -1:
    """read(2): up to count bytes from fd into buf."""
    cdef File file = readable(task, args[0])
    return read_into(task, file, one_piece(args[1], args[2]), OWN_POSITION, 0)


cdef long sys_write(Task task, const unsigned long *args) except? -1:
    """write(2): up to count bytes from buf to fd."""
    cdef File file = writable(task, args[0])
    return write_from(task, file, one_piece(args[1], args[2]), OWN_POSITION, 0)


cdef long sys_pread64(Task task, const unsigned long *args) except? -1:
    """pread(2): read at pos, without moving the file's position."""
    check_position(<long> args[3])
    cdef File file = positioned(readable(task, args[0]))
    return read_into(task, file, one_piece(args[1], args[2]), args[3], 0)


cdef long sys_pwrite64(Task task, const unsigned long *args) except? -1:
    """pwrite(2): write at pos, without moving the file's position."""
    check_position(<long> args[3])
    cdef File file = positioned(writable(task, args[0]))
    return write_from(task, file, one_piece(args[1], args[2]), args[3], 0)


cdef long sys_readv(Task task, const unsigned long *args) except? -1:
    """readv(2): read into several buffers."""
    cdef File file = readable(task, args[0])
    return read_into(task, file, copy_in_iovec(task, args[1], args[2]), OWN_POSITION, 0)


cdef long sys_writev(Task task, const unsigned long *args) except? -1:
    """writev(2): write from several buffers."""
    cdef File file = writable(task, args[0])
    return write_from(task, file, copy_in_iovec(task, args[1], args[2]), OWN_POSITION, 0)


cdef long sys_preadv(Task task, const unsigned long *args) except? -1:
    """preadv(2). The position is one register on this architecture; pos_h is ignored, as in Linux."""
    check_position(<long> args[3])
    cdef File file = positioned(readable(task, args[0]))
    return read_into(task, file, copy_in_iovec(task, args[1], args[2]), args[3], 0)


cdef long sys_pwritev(Task task, const unsigned long *args) except? -1:
    """pwritev(2)."""
    check_position(<long> args[3])
    cdef File file = positioned(writable(task, args[0]))
    return write_from(task, file, copy_in_iovec(task, args[1], args[2]), args[3], 0)


cdef long sys_preadv2(Task task, const unsigned long *args) except? -1:
    """preadv2(2): position -1 is the file's own."""
    cdef long pos = <long> args[3]
    cdef int rwf = <int> args[5]
    if pos != OWN_POSITION:
        check_position(pos)
    cdef File file = readable(task, args[0])
    if pos != OWN_POSITION:
        positioned(file)
    pieces = copy_in_iovec(task, args[1], args[2])
    if rwf & ~RWF_SUPPORTED:
        return -EOPNOTSUPP
    return read_into(task, file, pieces, pos, rwf)


cdef long sys_pwritev2(Task task, const unsigned long *args) except? -1:
    """pwritev2(2): RWF_APPEND, RWF_NOAPPEND, RWF_DSYNC and RWF_SYNC hold for this call."""
    cdef long pos = <long> args[3]
    cdef int rwf = <int> args[5]
    cdef unsigned int flags
    if pos != OWN_POSITION:
        check_position(pos)
    cdef File file = writable(task, args[0])
    if pos != OWN_POSITION:
        positioned(file)
    pieces = copy_in_iovec(task, args[1], args[2])
    if rwf & ~RWF_SUPPORTED:
        return -EOPNOTSUPP
    if rwf & RWF_APPEND and rwf & RWF_NOAPPEND:
        return -EINVAL
    flags = file.flags
    file.flags = flags_for_call(flags, rwf)
    try:
        return write_from(task, file, pieces, pos, rwf)
    finally:
        file.flags = flags


cdef long sys_lseek(Task task, const unsigned long *args) except? -1:
    """lseek(2)."""
    cdef File file = (<FdTable> task.files).get(<int> args[0])
    cdef unsigned int whence = <unsigned int> args[2]
    if file.flags & O_PATH:
        return -EBADF
    if whence > SEEK_MAX:
        return -EINVAL
    return file.seek(<long long> args[1], whence)


define(0, "read(fd: Fd, buf: Out, count: Size)", sys_read)
define(1, "write(fd: Fd, buf: Ptr, count: Size)", sys_write)
define(8, "lseek(fd: Fd, offset: Long, whence: UInt)", sys_lseek)
define(17, "pread64(fd: Fd, buf: Out, count: Size, pos: Long)", sys_pread64)
define(18, "pwrite64(fd: Fd, buf: Ptr, count: Size, pos: Long)", sys_pwrite64)
define(19, "readv(fd: Fd, vec: Ptr, vlen: ULong)", sys_readv)
define(20, "writev(fd: Fd, vec: Ptr, vlen: ULong)", sys_writev)
define(295, "preadv(fd: Fd, vec: Ptr, vlen: ULong, pos_l: Long, pos_h: Long)", sys_preadv)
define(296, "pwritev(fd: Fd, vec: Ptr, vlen: ULong, pos_l: Long, pos_h: Long)", sys_pwritev)
define(327, "preadv2(fd: Fd, vec: Ptr, vlen: ULong, pos_l: Long, pos_h: Long, flags: Int)", sys_preadv2)
define(328, "pwritev2(fd: Fd, vec: Ptr, vlen: ULong, pos_l: Long, pos_h: Long, flags: Int)", sys_pwritev2)


cdef long read_into(Task task, File file, list pieces, long long pos, int rwf) except? -1:
    """Read from `pos` (or OWN_POSITION) into guest memory: the count, -errno, or BLOCKED."""
    cdef bint regular = (<unsigned int> file.inode.mode & S_IFMT) == S_IFREG
    cdef Moved other = None
    cdef long result
    if nr_held and regular and pos == OWN_POSITION:
        other = holder_of(task, file)
        if other is not None:
            return wait_for_turn(task, other, rwf)
    result = read_pieces(task, file, pieces, pos, rwf, regular)
    if result != BLOCKED and task.progress is not None:
        (<Moved> task.progress).let_go()
    return result


cdef long read_pieces(Task task, File file, list pieces, long long pos, int rwf, bint regular) except? -1:
    """As far as this attempt goes."""
    cdef long total = 0 if task.progress is None else (<Moved> task.progress).total
    cdef GuestBuffer buf = GuestBuffer(task, remaining(pieces, total))
    cdef Py_ssize_t whole = buf.count
    cdef long got = 0
    if regular:
        task.timed_out = False
        buf.count = min(whole, <Py_ssize_t> CHUNK)
    while True:
        got = read_once(task, file, buf, pos, total)
        if got <= 0:
            break
        total += got
        if nr_watches:
            tell_watchers(file, IN_ACCESS)
        if buf.done == whole or not (regular or isinstance(file, MemoryDevice)):
            return total
        if not regular:
            return let_others(task, total, [])
        if buf.left() == 0:
            return let_others(task, total, [file] if pos == OWN_POSITION else [])
    if got == -EAGAIN and may_wait(task, file, regular, rwf) and (regular or total == 0):
        if regular:
            return wait_for_host(task, file, total, [file] if pos == OWN_POSITION else [])
        return wait_for(task, file, READ_EVENTS, total)
    return total if total or got == 0 else got


def transfer(Task task, File file, list pieces, bint writing, bint nonblocking):
    """What vmsplice(2) needs: a read or write of pieces."""
    cdef int rwf = RWF_NOWAIT if nonblocking else 0
    return write_from(task, file, pieces, OWN_POSITION, rwf) if writing else read_into(task, file, pieces, OWN_POSITION, rwf)


def copy_in_pieces(Task task, unsigned long address, unsigned long count):
    """struct iovec[count] as a list of (address, length)."""
    return copy_in_iovec(task, address, count)


cdef long read_once(Task task, File file, GuestBuffer buf, long long pos, long total) except? -1:
    """One read at the file's or the given position; moves the file's own. An error after some bytes ends the read: 0."""
    cdef long got = 0
    try:
        got = file.read(task, buf, file.pos if pos == OWN_POSITION else pos + total)
    except Errno as error:
        got = -(<Errno> error).number
    if got > 0 and pos == OWN_POSITION and file.seekable():
        file.pos += got
    return got


cdef long write_from(Task task, File file, list pieces, long long pos, int rwf) except? -1:
    """Write guest memory at `pos` (or OWN_POSITION): the count, -errno, or BLOCKED."""
    cdef bint regular = (<unsigned int> file.inode.mode & S_IFMT) == S_IFREG
    cdef Moved other = None
    cdef long result
    if nr_held and regular:
        other = holder_of(task, file.inode)
        if other is None and pos == OWN_POSITION:
            other = holder_of(task, file)
        if other is not None:
            return wait_for_turn(task, other, rwf)
    result = write_pieces(task, file, pieces, pos, rwf, regular)
    if result != BLOCKED and task.progress is not None:
        (<Moved> task.progress).let_go()
    return result


cdef long write_pieces(Task task, File file, list pieces, long long pos, int rwf, bint regular) except? -1:
    """As far as this attempt goes."""
    cdef long total = 0 if task.progress is None else (<Moved> task.progress).total
    cdef unsigned int kind = <unsigned int> file.inode.mode & S_IFMT
    cdef bint takes_all = regular or kind == S_IFIFO or kind == S_IFSOCK or kind == S_IFCHR
    cdef GuestBuffer buf
    cdef long put = 0, goal
    pieces = remaining(pieces, total)
    if regular:
        task.timed_out = False
        pieces = within_limit(task, file, pieces, pos, total)
        if <unsigned int> file.inode.mode & SET_ID_BITS:
            remove_privileges(file.inode, task.creds)
    buf = GuestBuffer(task, pieces)
    goal = total + buf.left()            # not what the buffer says: some files take bytes without looking at them
    if regular:
        buf.count = min(buf.count, <Py_ssize_t> CHUNK)
    while True:
        put = write_once(task, file, buf, pos, total)
        if put <= 0:
            break
        total += put
        if nr_watches:
            tell_watchers(file, IN_MODIFY)
        if not takes_all or total >= goal:
            return total
        if regular and buf.left() == 0:
            return let_others(task, total, [file.inode, file] if pos == OWN_POSITION else [file.inode])
    if put == -EAGAIN and may_wait(task, file, regular, rwf):
        if regular:
            return wait_for_host(task, file, total, [file.inode, file] if pos == OWN_POSITION else [file.inode])
        return wait_for(task, file, WRITE_EVENTS, total)
    if put == -EPIPE:
        signal_self(task, SIGPIPE)
    return total if total or put == 0 else put


cdef long write_once(Task task, File file, GuestBuffer buf, long long pos, long total) except? -1:
    """One write at the file's or the given position; moves the file's own. A file opened with O_APPEND moves it itself."""
    cdef long put = 0
    cdef long long before = file.pos
    try:
        put = file.write(task, buf, before if pos == OWN_POSITION else pos + total)
    except Errno as error:
        put = -(<Errno> error).number
    if pos != OWN_POSITION:
        file.pos = before
    elif put > 0 and not file.flags & O_APPEND and file.seekable():
        file.pos = before + put
    return put


cdef bint may_wait(Task task, File file, bint regular, int rwf):
    """-EAGAIN means to wait: O_NONBLOCK has no meaning for regular files."""
    return not rwf & RWF_NOWAIT and not task.timed_out and (regular or not file.flags & O_NONBLOCK)


cdef long wait_for(Task task, File file, unsigned int events, long total) except? -1:
    """Until a stream is ready."""
    cdef Moved moved = task.progress
    if moved is None:
        moved = task.progress = Moved()
        if isinstance(file, Socket):
            timeout = (<Socket> file).rcvtimeo_ns if events & POLLIN else (<Socket> file).sndtimeo_ns
            if timeout:
                moved.deadline_ns = task.kernel.clock.monotonic_ns() + timeout
    moved.total = total
    task.wait_on(file.poll_queue(), events)
    return task.block(moved.deadline_ns, ERESTARTSYS, count_so_far if total else None)


cdef Moved holding(Task task, long total, list objects):
    """The progress of a transfer that has the objects for itself."""
    cdef Moved moved = task.progress
    if moved is None:
        moved = task.progress = Moved()
    moved.total = total
    moved.hold(task, objects)
    return moved


cdef long let_others(Task task, long total, list objects) except? -1:
    """Go on when everybody else who wants something has been looked at."""
    holding(task, total, objects)
    return task.block(0, UNINTERRUPTIBLE, count_so_far)


cdef long wait_for_host(Task task, File file, long total, list objects) except? -1:
    """Until the pool has done what the file asked it for."""
    holding(task, total, objects)
    task.wait_on(file.poll_queue())
    return task.block(-1, UNINTERRUPTIBLE, count_so_far if total else start_over)


cdef long wait_for_turn(Task task, Moved other, int rwf) except? -1:
    """Until another call has moved all of its bytes."""
    if rwf & RWF_NOWAIT:
        return -EAGAIN
    task.wait_on(other.queue)
    return task.block(task.kernel.clock.monotonic_ns() + SECOND_LOOK_NS, UNINTERRUPTIBLE, start_over)


def count_so_far(Task task):
    """A handler is going to run: the call ends with what it has moved."""
    return (<Moved> task.progress).total


cdef File readable(Task task, unsigned long fd):
    """The file behind fd if it is open for reading; EBADF."""
    cdef File file = (<FdTable> task.files).find(<int> fd)
    if file is None or file.flags & O_PATH or (file.flags & O_ACCMODE) == O_WRONLY:
        raise Errno(EBADF)
    return file


cdef File writable(Task task, unsigned long fd):
    """The file behind fd if it is open for writing; EBADF."""
    cdef File file = (<FdTable> task.files).find(<int> fd)
    if file is None or file.flags & O_PATH or (file.flags & O_ACCMODE) == O_RDONLY:
        raise Errno(EBADF)
    return file


cdef File positioned(File file):
    """The file if it has positions; ESPIPE."""
    if not file.seekable():
        raise Errno(ESPIPE)
    return file


cdef int check_position(long pos) except -1:
    if pos < 0:
        raise Errno(EINVAL)
    return 0


cdef list one_piece(unsigned long address, unsigned long length):
    """The only piece of a buffer; EFAULT if it leaves the address range of programs."""
    if length > ADDRESS_END or address > ADDRESS_END - length:
        raise Errno(EFAULT)
    return [(address, length)]


cdef list copy_in_iovec(Task task, unsigned long address, unsigned long count):
    """struct iovec[count] as pieces; EINVAL, EFAULT."""
    cdef const unsigned long *words
    cdef bytes raw
    cdef unsigned long i
    if count > IOV_MAX:
        raise Errno(EINVAL)
    if count == 0:
        return []
    raw = task.copy_in(address, 16 * count)
    words = <const unsigned long *> <const char *> raw
    pieces = []
    for i in range(count):
        if <long> words[2 * i + 1] < 0:
            raise Errno(EINVAL)
        pieces.extend(one_piece(words[2 * i], words[2 * i + 1]))
    return pieces


cdef list remaining(list pieces, long done):
    """The pieces without their first `done` bytes."""
    cdef unsigned long address, length
    if done == 0:
        return pieces
    rest = []
    for address, length in pieces:
        skipped = min(<unsigned long> done, length)
        done -= skipped
        rest.append((address + skipped, length - skipped))
    return rest


cdef list within_limit(Task task, File file, list pieces, long long pos, long total):
    """The pieces cut at RLIMIT_FSIZE; SIGXFSZ and EFBIG if not one byte fits below it."""
    cdef unsigned long limit = task.group.limits.soft(RLIMIT_FSIZE)
    cdef unsigned long start, address, length, room
    if limit == RLIM_INFINITY:
        return pieces
    if file.flags & O_APPEND:
        start = file.inode.size
    else:
        start = file.pos if pos == OWN_POSITION else pos + total
    if not any([piece[1] for piece in pieces]):
        return pieces
    if start >= limit:
        if total:
            return []
        signal_self(task, SIGXFSZ)
        raise Errno(EFBIG)
    room = limit - start
    kept = []
    for address, length in pieces:
        length = min(length, room)
        room -= length
        kept.append((address, length))
    return kept


cdef int tell_watchers(File file, unsigned int event) except -1:
    """inotify(7)."""
    if file.path is not None:
        notify_path(file.path, event)
    return 0


cdef unsigned int flags_for_call(unsigned int flags, int rwf):
    if rwf & RWF_APPEND:
        flags |= O_APPEND
    if rwf & RWF_NOAPPEND:
        flags &= ~(<unsigned int> O_APPEND)
    if rwf & RWF_DSYNC:
        flags |= O_DSYNC
    if rwf & RWF_SYNC:
        flags |= O_SYNC
    return flags


cdef int signal_self(Task task, int signo) except -1:
    """A signal to the calling thread for what it has just done."""
    send_to_task(task, kill_info(signo, SI_USER, task.group.pid, task.creds.uid))
    return 0
