# SPDX-License-Identifier: Apache-2.0
"""Writes the C of oci._host (cffi, API mode): the host calls that Python's posix module lacks.

`build_host.py --emit FILE` only writes the C, for the executable that links everything; without arguments the module is built in
place. Every function returns the call's result, or -errno. There is no policy here.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

from cffi import FFI

DECLARATIONS = """
int host_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int host_umount2(const char *target, int flags);
int host_pivot_root(const char *new_root, const char *put_old);
int host_chroot(const char *path);
int host_unshare(int flags);
int host_setns(int fd, int kind);
int host_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int host_prctl_name(const char *name);
const char *host_null(void);
int host_set_capabilities(unsigned long long effective, unsigned long long permitted, unsigned long long inheritable);
int host_sethostname(const char *name, size_t length);
int host_close_range(unsigned int first, unsigned int last, unsigned int flags);
int host_open_tree(int dirfd, const char *path, unsigned int flags);
int host_mount_setattr(int fd, unsigned int flags, unsigned long long set, unsigned long long clear, unsigned long long propagation);
int host_openat2(int dirfd, const char *path, unsigned long long flags, unsigned long long resolve);
int host_seccomp_filter(unsigned int flags, const void *program, unsigned short count);
int host_setrlimit(int resource, unsigned long soft, unsigned long hard);
long host_hard_limit(int resource);
int host_set_winsize(int fd, unsigned short rows, unsigned short columns);
int host_copy_winsize(int from, int to);
int host_raw_terminal(int fd, void *saved, size_t length);
int host_restore_terminal(int fd, const void *saved);
size_t host_terminal_size(void);
void host_forget_file_pages(void);
"""

SOURCE = r"""
#include <errno.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

static int answer(long result) { return result < 0 ? -errno : (int)result; }

static int host_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
    return answer(syscall(SYS_mount, source, target, type, flags, data));
}
static int host_umount2(const char *target, int flags) { return answer(syscall(SYS_umount2, target, flags)); }
static int host_pivot_root(const char *new_root, const char *put_old) { return answer(syscall(SYS_pivot_root, new_root, put_old)); }
static int host_chroot(const char *path) { return answer(syscall(SYS_chroot, path)); }
static int host_unshare(int flags) { return answer(unshare(flags)); }
static int host_setns(int fd, int kind) { return answer(setns(fd, kind)); }
static int host_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return answer(prctl(option, a, b, c, d));
}
static int host_prctl_name(const char *name) { return answer(prctl(PR_SET_NAME, name, 0, 0, 0)); }
static const char *host_null(void) { return NULL; }
static int host_set_capabilities(unsigned long long effective, unsigned long long permitted, unsigned long long inheritable)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    for (int i = 0; i < 2; i++) {
        sets[i].effective = (unsigned int)(effective >> 32 * i);
        sets[i].permitted = (unsigned int)(permitted >> 32 * i);
        sets[i].inheritable = (unsigned int)(inheritable >> 32 * i);
    }
    return answer(syscall(SYS_capset, &header, sets));
}
static int host_sethostname(const char *name, size_t length) { return answer(sethostname(name, length)); }
static int host_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
    return answer(syscall(SYS_close_range, first, last, flags));
}
static int host_open_tree(int dirfd, const char *path, unsigned int flags) { return answer(syscall(SYS_open_tree, dirfd, path, flags)); }
static int host_mount_setattr(int fd, unsigned int flags, unsigned long long set, unsigned long long clear, unsigned long long propagation)
{
    unsigned long long attributes[4] = {set, clear, propagation, 0};
    return answer(syscall(442, fd, "", flags, attributes, sizeof attributes));
}
static int host_openat2(int dirfd, const char *path, unsigned long long flags, unsigned long long resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    return answer(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
}
static int host_seccomp_filter(unsigned int flags, const void *program, unsigned short count)
{
    struct sock_fprog filter = {count, (struct sock_filter *)program};
    return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter));
}
static int host_setrlimit(int resource, unsigned long soft, unsigned long hard)
{
    struct rlimit limit = {soft, hard};
    return answer(setrlimit(resource, &limit));
}
static long host_hard_limit(int resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) < 0 ? -errno : (long)(limit.rlim_max >> 1 ? limit.rlim_max & 0x7fffffffffffffff : limit.rlim_max);
}
static int host_set_winsize(int fd, unsigned short rows, unsigned short columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return answer(ioctl(fd, TIOCSWINSZ, &size));
}
static int host_copy_winsize(int from, int to)
{
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) < 0)
        return -errno;
    return answer(ioctl(to, TIOCSWINSZ, &size));
}
static size_t host_terminal_size(void) { return sizeof(struct termios); }
static int host_raw_terminal(int fd, void *saved, size_t length)
{
    struct termios raw;
    if (length < sizeof raw)
        return -EINVAL;
    if (tcgetattr(fd, &raw) < 0)
        return -errno;
    memcpy(saved, &raw, sizeof raw);
    cfmakeraw(&raw);
    return answer(tcsetattr(fd, TCSANOW, &raw));
}
static int host_restore_terminal(int fd, const void *saved) { return answer(tcsetattr(fd, TCSANOW, (const struct termios *)saved)); }

/* Whole pages only, and only where nothing was ever written: what is needed again comes back from the page cache. */
static void forget(uintptr_t start, uintptr_t end)
{
    const uintptr_t page = 4096, first = (start + page - 1) & -page, last = end & -page;
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}
static int forget_segments(struct dl_phdr_info *object, size_t size, void *unused)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            forget(object->dlpi_addr + segment->p_vaddr, object->dlpi_addr + segment->p_vaddr + segment->p_memsz);
    }
    return 0;
}
struct frozen_module { const char *name; const unsigned char *code; int size, is_package; void *get_code; }; /* of Python 3.11 */
extern const struct frozen_module *PyImport_FrozenModules;
static void host_forget_file_pages(void)
{
    uintptr_t first = UINTPTR_MAX, last = 0;
    /* The executable maps its archive of modules for good; an interpreter of the host has no such table. */
    for (const struct frozen_module *module = PyImport_FrozenModules; module && module->name; module++) {
        if ((uintptr_t)module->code < first)
            first = (uintptr_t)module->code;
        if ((uintptr_t)module->code + module->size > last)
            last = (uintptr_t)module->code + module->size;
    }
    forget(first, last);
    dl_iterate_phdr(forget_segments, NULL);
}
"""


def host_module():
    """The cffi description of oci._host."""
    ffi = FFI()
    ffi.cdef(DECLARATIONS)
    ffi.set_source("oci._host", SOURCE)
    return ffi


def build_in_place():
    """Developers' build: oci/_host.<tag>.so beside this file."""
    here = Path(__file__).resolve().parent
    scratch = here.parent / "out" / "dev"
    scratch.mkdir(parents=True, exist_ok=True)
    c = scratch / "oci._host.c"
    host_module().emit_c_code(str(c))
    so = here / ("_host" + sysconfig.get_config_var("EXT_SUFFIX"))
    include = sysconfig.get_paths()["include"]
    flags = ["-O2", "-g", "-fPIC", "-fwrapv", "-Wall", "-fvisibility=hidden", "-shared"]
    subprocess.run(["gcc", *flags, "-I", include, str(c), "-o", f"{so}.new"], check=True)
    Path(f"{so}.new").rename(so)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--emit"]:
        host_module().emit_c_code(sys.argv[2])
    else:
        build_in_place()
