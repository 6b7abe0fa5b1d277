# SPDX-License-Identifier: Apache-2.0
"""The pool: two threads for host calls that wait for a disk, so that the kernel's thread does not.

Rules: a pool thread touches no Python object, since the kernel's thread never gives up the GIL; all that the two share is a list of
Work under one mutex. Threads are made when they are needed first and sleep when there is nothing to do; all signals are blocked in them.
A job is made anew for each call, works on a descriptor of its own, and is kept alive until the bell (an eventfd) has told its end.
Where no thread can be had the job is done at once. Absent: cancelling; a job whose task is gone ends for nobody.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EINTR, errno
from libc.stdlib cimport calloc

from kernel.abi.errno cimport ERESTARTNOINTR, ERESTARTSYS, EBADF, Errno
from kernel.sync.waitqueue cimport WaitQueue

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef struct pthread_attr_t:
        pass
    int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *) noexcept nogil, void *argument)
    int pthread_attr_init(pthread_attr_t *attr)
    int pthread_attr_setstacksize(pthread_attr_t *attr, size_t size)
    int pthread_attr_setdetachstate(pthread_attr_t *attr, int state)
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attr)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)
    int pthread_cond_init(pthread_cond_t *cond, void *attr)
    int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
    int pthread_cond_signal(pthread_cond_t *cond)
    enum:
        PTHREAD_CREATE_DETACHED

cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int sigfillset(sigset_t *mask)
    int pthread_sigmask(int how, const sigset_t *mask, sigset_t *old)
    enum:
        SIG_SETMASK

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int value, int flags)
    enum:
        EFD_CLOEXEC
        EFD_NONBLOCK

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t pwritev2(int fd, const iovec *pieces, int count, long offset, int flags)

cdef extern from "<fcntl.h>" nogil:
    int fallocate(int fd, int mode, long offset, long length)

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *data, size_t size)
    ssize_t write(int fd, const void *data, size_t size)
    ssize_t pread(int fd, void *data, size_t size, long offset)
    int fsync(int fd)
    int fdatasync(int fd)
    int syncfs(int fd)
    int dup(int fd)
    int close(int fd)

cdef enum:
    NR_THREADS = 2
    SCRATCH = 262144
    STACK_SIZE = 262144
    EPOLLIN = 1


cdef struct Shared:
    pthread_mutex_t lock                 # of everything below
    pthread_cond_t more                  # there is something in `first`
    Work *first
    Work *last
    Work *done                           # last done first
    int bell


cdef struct Worker:                      # what a thread is born with
    Shared *shared
    char scratch[SCRATCH]


cdef class Pool:
    """The threads, and the jobs that are under way."""

    cdef Shared *shared                  # never freed: threads have no end
    cdef int nr_threads
    cdef dict under_way                  # HostJob -> None

    def __init__(self, kernel):
        self.under_way = {}
        self.shared = <Shared *> calloc(1, sizeof(Shared))
        if self.shared == NULL:
            raise MemoryError()
        pthread_mutex_init(&self.shared.lock, NULL)
        pthread_cond_init(&self.shared.more, NULL)
        self.shared.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        if self.shared.bell < 0:
            raise OSError(errno, "eventfd")
        kernel.watch(self.shared.bell, EPOLLIN, self.on_bell)

    cdef bint submit(self, HostJob job) except -1:
        """Give a job to a thread; False if there is none."""
        cdef Work *work = &job.work
        if len(self.under_way) >= self.nr_threads < NR_THREADS:
            self.nr_threads += start_thread(self.shared)
        if self.nr_threads == 0:
            return False
        self.under_way[job] = None
        pthread_mutex_lock(&self.shared.lock)
        if self.shared.first == NULL:
            self.shared.first = work
        else:
            self.shared.last.next = work
        self.shared.last = work
        pthread_cond_signal(&self.shared.more)
        pthread_mutex_unlock(&self.shared.lock)
        return True

    def on_bell(self, events):
        """Some jobs are done."""
        cdef unsigned long count = 0
        cdef Work *work
        cdef Work *next_work
        cdef HostJob job
        read(self.shared.bell, &count, sizeof(count))
        pthread_mutex_lock(&self.shared.lock)
        work = self.shared.done
        self.shared.done = NULL
        pthread_mutex_unlock(&self.shared.lock)
        while work != NULL:
            next_work = work.next
            job = <HostJob> work.job
            del self.under_way[job]
            job.finish()
            work = next_work


cdef class HostJob:
    """One host call; `host_job` makes it."""

    def __cinit__(self):
        self.work.fd = -1
        self.after = []

    def __dealloc__(self):
        if self.work.fd >= 0:
            close(self.work.fd)

    cdef long submit(self, object kernel) except? -1:
        """Have it done by the pool of this kernel; it is done when this returns if there is no pool."""
        self.submitted = True
        if not pool_of(kernel).submit(self):
            self.run()
        return 0

    cpdef long run(self) except? -1:
        """Do it here and now: the count or -errno."""
        cdef char scratch[4096]
        if not self.is_done:
            self.submitted = True
            with nogil:
                do_work(&self.work, scratch, sizeof(scratch))
            self.finish()
        return self.work.result

    cdef int finish(self) except -1:
        """It is done: give back what it held, tell who waits."""
        close(self.work.fd)
        self.work.fd = -1
        self.data = None
        self.is_done = True
        after, self.after = self.after, []
        if self.work.result >= 0:
            for action in after:
                action()
        self.queue.wake()
        return 0

    def result(self):
        """The count or -errno of a job that is done."""
        return self.work.result


cpdef HostJob host_job(int kind, int fd, long long offset=0, long long length=0, int flags=0, bytes data=None):
    """A job that nobody does yet, on a copy of the descriptor. For WRITE `data` is what to write at offset."""
    cdef HostJob job = HostJob.__new__(HostJob)
    job.work.fd = dup(fd)
    if job.work.fd < 0:
        raise Errno(errno if fd >= 0 else EBADF)
    job.work.kind, job.work.flags, job.work.offset, job.work.length = kind, flags, offset, length
    job.work.job = <void *> job
    if data is not None:
        job.data = data
        job.work.data = PyBytes_AS_STRING(data)
        job.work.length = PyBytes_GET_SIZE(data)
    job.queue = WaitQueue()
    return job


cpdef long result_of(Task task, HostJob job) except? -1:
    """For a system call that is a job and nothing else: what its handler returns, at each attempt. task.progress is the job."""
    if task.progress is None:
        task.progress = job
    if not job.submitted:
        job.submit(task.kernel)
    if not job.is_done:
        task.wait_on(job.queue)
        return task.block(-1, UNINTERRUPTIBLE, start_over)
    return job.work.result


cpdef long results_of(Task task, list jobs) except? -1:
    """The same for several; task.progress is the list. The first error, or 0."""
    cdef HostJob job
    task.progress = jobs
    for job in jobs:
        if not job.submitted:
            job.submit(task.kernel)
    for job in jobs:
        if not job.is_done:
            task.wait_on(job.queue)
            return task.block(-1, UNINTERRUPTIBLE, start_over)
    return min([(<HostJob> job).work.result for job in jobs], default=0)


def start_over(task):
    """The wait was broken off after all (the process was stopped and goes on in a handler): the call is made again."""
    task.restart = ERESTARTNOINTR
    return -ERESTARTSYS


cdef Pool pool = None
cdef object kernel_of_pool = None


cdef Pool pool_of(object kernel):
    """The pool of the kernel; a process has one kernel."""
    global pool, kernel_of_pool
    if pool is None or kernel_of_pool is not kernel:
        pool, kernel_of_pool = Pool(kernel), kernel
    return pool


cdef int start_thread(Shared *shared):
    """1, or 0 if the host gives no more threads."""
    cdef pthread_attr_t attr
    cdef pthread_t thread = 0
    cdef sigset_t every, before
    cdef Worker *worker = <Worker *> calloc(1, sizeof(Worker))
    if worker == NULL:
        return 0
    worker.shared = shared
    pthread_attr_init(&attr)
    pthread_attr_setstacksize(&attr, STACK_SIZE)
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED)
    sigfillset(&every)
    pthread_sigmask(SIG_SETMASK, &every, &before)
    failed = pthread_create(&thread, &attr, work_for_ever, worker)
    pthread_sigmask(SIG_SETMASK, &before, NULL)
    return 0 if failed else 1


cdef void *work_for_ever(void *argument) noexcept nogil:
    """A thread's life."""
    cdef Worker *worker = <Worker *> argument
    cdef Shared *shared = worker.shared
    cdef Work *work
    cdef unsigned long one = 1
    pthread_mutex_lock(&shared.lock)
    while True:
        while shared.first == NULL:
            pthread_cond_wait(&shared.more, &shared.lock)
        work = shared.first
        shared.first = work.next
        work.next = NULL
        pthread_mutex_unlock(&shared.lock)
        do_work(work, worker.scratch, SCRATCH)
        pthread_mutex_lock(&shared.lock)
        work.next = shared.done
        shared.done = work
        write(shared.bell, &one, sizeof(one))
    return NULL


cdef void do_work(Work *work, char *scratch, size_t size) noexcept nogil:
    """Make the host call; the result is the count or -errno."""
    cdef iovec piece
    cdef long result = -1
    if work.kind == READ_AHEAD:
        result = read_range(work, scratch, size)
    elif work.kind == WRITE:
        piece.iov_base = <void *> work.data
        piece.iov_len = work.length
        result = pwritev2(work.fd, &piece, 1, work.offset, work.flags)
    elif work.kind == FSYNC:
        result = fsync(work.fd)
    elif work.kind == FDATASYNC:
        result = fdatasync(work.fd)
    elif work.kind == SYNCFS:
        result = syncfs(work.fd)
    elif work.kind == FALLOCATE:
        result = fallocate(work.fd, work.flags, work.offset, work.length)
        while result < 0 and errno == EINTR:
            result = fallocate(work.fd, work.flags, work.offset, work.length)
    work.result = -errno if result < 0 else result


cdef long read_range(Work *work, char *scratch, size_t size) noexcept nogil:
    """Read the range and forget the bytes: what counts is that the host has them in memory now."""
    cdef long total = 0, got
    while total < work.length:
        got = pread(work.fd, scratch, min(size, <size_t> (work.length - total)), work.offset + total)
        if got <= 0:
            return got if total == 0 else total
        total += got
    return total
