# SPDX-License-Identifier: Apache-2.0
"""The birth of the zygote: vfork and execveat of the shim, which empties its address space and installs the stub's filter.

It happens once, before the sentry's own filter and after its final credentials. The shim is executed from a sealed memfd, so
nobody can change it and no path is needed. The sentry takes the listener with pidfd_getfd.
"""

from libc.errno cimport errno
from libc.signal cimport SIGKILL
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from posix.signal cimport kill
from posix.unistd cimport close, ftruncate, write

from libc.stdint cimport uint64_t

import posix

from kernel.platform.border cimport ContextArea
from kernel.platform.x86_64.abi cimport FD_CONTEXTS, FD_RO_PAGE, NR_DESCRIBED

cdef extern from "out/shim/shim_image.h":
    const unsigned char shim_elf[]
    const unsigned char shim_filter[]
    const unsigned char shim_filter_strict[]
    enum:
        SHIM_ELF_SIZE "sizeof(shim_elf)"
        SHIM_FILTER_SIZE "sizeof(shim_filter)"
        SHIM_FILTER_STRICT_SIZE "sizeof(shim_filter_strict)"

cdef extern from *:
    """
    #include <fcntl.h>
    #include <linux/seccomp.h>
    #include <signal.h>
    #include <sys/mman.h>
    #include <sys/personality.h>
    #include <sys/resource.h>
    #include <sys/stat.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    #ifndef MFD_EXEC
    #define MFD_EXEC 0x10u
    #endif
    #ifndef F_SEAL_FUTURE_WRITE
    #define F_SEAL_FUTURE_WRITE 0x10
    #endif
    enum { SEAL_ALL = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
    enum { SEAL_FUTURE = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE };
    """
    int memfd_create(const char *name, unsigned int flags) nogil
    int fchmod(int fd, unsigned int mode) nogil
    int fcntl(int fd, int command, ...) nogil
    int vfork() nogil
    void _exit(int status) nogil
    int dup2(int old, int new) nogil
    int personality(unsigned long persona) nogil
    long syscall(long number, ...) nogil
    struct rlimit:
        unsigned long rlim_cur, rlim_max
    int setrlimit(int resource, const rlimit *limit) nogil
    ctypedef struct sigset_t:
        pass
    int sigemptyset(sigset_t *set) nogil
    int sigprocmask(int how, const sigset_t *set, sigset_t *old) nogil
    enum:
        MFD_CLOEXEC
        MFD_ALLOW_SEALING
        MFD_EXEC
        F_ADD_SEALS
        F_DUPFD_CLOEXEC
        SEAL_ALL
        SEAL_FUTURE
        ADDR_NO_RANDOMIZE
        RLIMIT_STACK
        RLIMIT_CORE
        SIG_SETMASK
        AT_EMPTY_PATH
        CLOSE_RANGE_CLOEXEC
        SYS_execveat
        SYS_close_range
        SYS_pidfd_open
        SYS_pidfd_getfd
        SECCOMP_FILTER_FLAG_NEW_LISTENER

cdef enum:
    PATIENCE_MS = 5000
    STACK_BYTES = 8 << 20                # finite, or the host would lay out memory bottom-up, with the vdso below the guard


cdef class Zygote:
    """Its process, its listener, and what it found out about the host."""

    def __cinit__(self):
        self.listener = -1

    def start(self, ContextArea area, unsigned long nonce, bint strict):
        """Makes the process. area: slot 0 becomes the zygote's context. Its hello waits on the listener afterwards."""
        cdef int page = self.make_page()
        cdef int shim = shim_memfd()
        cdef const unsigned char *program = &shim_filter_strict[0] if strict else &shim_filter[0]
        cdef size_t size = SHIM_FILTER_STRICT_SIZE if strict else SHIM_FILTER_SIZE
        area.prepare_zygote(nonce, program, size, SECCOMP_FILTER_FLAG_NEW_LISTENER)
        # numbers that dup2 in the child can't collide with
        cdef int contexts = fcntl(area.memfd, F_DUPFD_CLOEXEC, 100)
        cdef int high_page = fcntl(page, F_DUPFD_CLOEXEC, 100)
        cdef int high_shim = fcntl(shim, F_DUPFD_CLOEXEC, 100)
        try:
            if contexts < 0 or high_page < 0 or high_shim < 0:
                raise OSError(errno, "descriptors for the zygote")
            self.host_pid = vfork_shim(high_shim, contexts, high_page)
            if self.host_pid < 0:
                raise OSError(errno, "vfork")
            self.take_listener(area)
        finally:
            for fd in (page, shim, contexts, high_page, high_shim):
                if fd >= 0:
                    close(fd)

    cdef int make_page(self) except -1:
        """One page that we write and stubs only read: after the seal no writable mapping of it can be made."""
        cdef int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING)
        if fd < 0 or ftruncate(fd, 4096):
            raise OSError(errno, "memfd_create")
        cdef void *where = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        if where == MAP_FAILED or fcntl(fd, F_ADD_SEALS, SEAL_FUTURE):
            raise OSError(errno, "the read-only page")
        self.page = <unsigned int *> where
        return fd

    cdef void describe(self, list pieces):
        """The table of what calls read and write, for shims to see; see abi.h."""
        cdef uint64_t *table = <uint64_t *> self.page
        cdef uint64_t action
        cdef int shift, number
        for number, actions in pieces:
            shift = 0
            table[number % NR_DESCRIBED] = 0
            for kind, argument, size, counter in actions:
                action = kind | argument << 3
                action |= size << 6 if counter is None else counter << 6 | size << 9
                table[number % NR_DESCRIBED] |= action << shift
                shift += 16

    cdef int take_listener(self, ContextArea area) except -1:
        """The zygote wakes us when its filter is in place; then its descriptor is fetched."""
        cdef int theirs = -1, waited = 0
        while theirs < 0:
            theirs = area.wait_listener(50)
            self.check_alive()
            waited += 50
            if waited > PATIENCE_MS:
                kill(self.host_pid, SIGKILL)
                raise OSError("the zygote is silent")
        cdef int pidfd = syscall(SYS_pidfd_open, self.host_pid, 0)
        self.listener = syscall(SYS_pidfd_getfd, pidfd, theirs, 0)
        cdef int error = errno
        close(pidfd)
        if self.listener < 0:
            raise OSError(error, "pidfd_getfd")
        area.take_birth(&self.birth)
        return 0

    def check_alive(self):
        pid, status = posix.waitpid(self.host_pid, posix.WNOHANG)
        if pid:
            raise OSError(f"the zygote died with status {status:#x}")

    def __dealloc__(self):
        if self.page != NULL:
            munmap(self.page, 4096)


cdef int shim_memfd() except -1:
    """The shim as a sealed, readable, executable file: unreadable to us it would not be dumpable, and its memory out of reach."""
    cdef int fd = memfd_create("shim", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC)
    if fd < 0:                           # before Linux 6.3 there is no MFD_EXEC
        fd = memfd_create("shim", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    if fd < 0 or write(fd, shim_elf, SHIM_ELF_SIZE) != SHIM_ELF_SIZE:
        raise OSError(errno, "memfd_create")
    if fchmod(fd, 0o555) or fcntl(fd, F_ADD_SEALS, SEAL_ALL):
        raise OSError(errno, "seals of the shim")
    return fd


cdef int vfork_shim(int shim, int contexts, int page) noexcept nogil:
    """The child shares our memory until execveat: it writes nothing but its own locals, which are all set before."""
    cdef rlimit stack, core
    cdef sigset_t nothing
    cdef char *argv[2]
    cdef char *envp[1]
    cdef int pid
    stack.rlim_cur = stack.rlim_max = STACK_BYTES
    core.rlim_cur = core.rlim_max = 0
    sigemptyset(&nothing)
    argv[0] = b"stub"
    argv[1] = NULL
    envp[0] = NULL
    pid = vfork()
    if pid == 0:
        personality(ADDR_NO_RANDOMIZE)
        setrlimit(RLIMIT_STACK, &stack)
        setrlimit(RLIMIT_CORE, &core)
        sigprocmask(SIG_SETMASK, &nothing, NULL)
        dup2(contexts, FD_CONTEXTS)
        dup2(page, FD_RO_PAGE)
        syscall(SYS_close_range, 5, <unsigned int> 0xffffffff, CLOSE_RANGE_CLOEXEC)
        close(0)
        close(1)
        close(2)
        syscall(SYS_execveat, shim, <const char *> b"", argv, envp, AT_EMPTY_PATH)
        _exit(120)
    return pid
