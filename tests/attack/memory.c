/* SPDX-License-Identifier: Apache-2.0 */
/* The range guard and the shapes of mapping calls: nothing of ours can be unmapped, covered, or made writable. */
#include <fcntl.h>

#include "attack.h"

#define SCRATCH 0x10000000L
#define ANON 0x32                       /* PRIVATE | ANONYMOUS | FIXED */

static const struct call refused[] = {
    {"mprotect of the shim", SYS_mprotect, {SHIM_BASE, PAGE, 7}},
    {"munmap of the shim", SYS_munmap, {SHIM_BASE, PAGE}},
    {"mmap over the shim", SYS_mmap, {SHIM_BASE, PAGE, 7, ANON, -1}},
    {"munmap of the contexts", SYS_munmap, {CTX_BASE, CTX_SIZE}},
    {"mmap over a context", SYS_mmap, {CTX_BASE, PAGE, 3, ANON, -1}},
    {"mprotect of the read-only page", SYS_mprotect, {RO_PAGE, PAGE, 3}},
    {"munmap of the read-only page", SYS_munmap, {RO_PAGE, PAGE}},
    {"munmap of a range that ends in ours", SYS_munmap, {0x7ffd00000000, 0x300000000}},
    {"munmap of everything", SYS_munmap, {0, 0x7ffffffff000}},
    {"munmap that wraps 64 bits", SYS_munmap, {0x10000, -0x10000L - 0x1000}},
    {"munmap with a negative length", SYS_munmap, {SCRATCH, -1}},
    {"mmap of the contexts' descriptor elsewhere", SYS_mmap, {SCRATCH, PAGE, 3, 0x11, FD_CONTEXTS}},
    {"mmap of the contexts' descriptor, other offset", SYS_mmap, {CTX_BASE, CTX_SIZE, 3, 0x11, FD_CONTEXTS, 4096}},
    {"mmap of descriptor 4", SYS_mmap, {SCRATCH, PAGE, 1, 0x11, 4}},
    {"mmap of descriptor 0", SYS_mmap, {SCRATCH, PAGE, 1, 0x11, 0}},
    {"mmap of a huge descriptor number", SYS_mmap, {SCRATCH, PAGE, 1, 0x11, 0x7fffffff}},
    {"mmap without FIXED", SYS_mmap, {0, PAGE, 3, 0x22, -1}},
    {"mmap GROWSDOWN", SYS_mmap, {SCRATCH, PAGE, 3, 0x132, -1}},
    {"mmap HUGETLB", SYS_mmap, {SCRATCH, 2 << 20, 3, 0x40032, -1}},
    {"mmap shared anonymous", SYS_mmap, {SCRATCH, PAGE, 3, 0x31, -1}},
    {"mmap LOCKED and POPULATE", SYS_mmap, {SCRATCH, PAGE, 3, 0xa032, -1}},
    {"mmap with flags in the high half", SYS_mmap, {SCRATCH, PAGE, 3, 0x100000032, -1}},
    {"mprotect GROWSDOWN", SYS_mprotect, {SCRATCH, PAGE, 0x01000003}},
    {"mprotect with protection in the high half", SYS_mprotect, {SCRATCH, PAGE, 0x100000003}},
    {"pkey_mprotect", SYS_pkey_mprotect, {SHIM_BASE, PAGE, 7, -1}},
    {"madvise DOFORK of the contexts", SYS_madvise, {CTX_BASE, CTX_SIZE, 11}},
    {"madvise DONTNEED of the contexts", SYS_madvise, {CTX_BASE, CTX_SIZE, 4}},
    {"madvise REMOVE", SYS_madvise, {SCRATCH, PAGE, 9}},
    {"madvise HWPOISON", SYS_madvise, {SCRATCH, PAGE, 100}},
    {"mremap without an order", SYS_mremap, {SCRATCH, PAGE, 2 * PAGE, 1}},
    {"mremap of the shim", SYS_mremap, {SHIM_BASE, PAGE, PAGE, 3, SCRATCH}},
    {"remap_file_pages", SYS_remap_file_pages, {CTX_BASE, PAGE, 0, 1}},
    {"brk", SYS_brk, {SCRATCH}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"process_madvise", SYS_process_madvise, {0}},
    {"process_vm_writev", SYS_process_vm_writev, {1}},
    {"process_vm_readv", SYS_process_vm_readv, {1}},
};

/* Allowed in exact shapes, and only ever about the caller's own memory. */
static const struct call harmless[] = {
    {"mprotect just below the gap", SYS_mprotect, {0x7ffdfffff000, 0xffffffff, 3}},
    {"mmap that ends in the gap by rounding", SYS_mmap, {0x7ffdfffff000, 0xffffffff, 3, ANON, -1}},
    {"mmap of the contexts again, descriptor closed", SYS_mmap, {CTX_BASE, CTX_SIZE, 3, 0x11, FD_CONTEXTS, 0}},
    {"mmap of descriptor 8, not open", SYS_mmap, {SCRATCH, PAGE, 1, 0x11, 8}},
    {"madvise DONTFORK of the contexts, as at birth", SYS_madvise, {CTX_BASE, CTX_SIZE, 10}},
    {"close of descriptor 0", SYS_close, {0}},
    {"sigaltstack of nothing", SYS_sigaltstack, {0}},
};

/* No descriptor is open while guest code runs, so none can be mapped. */
static void map_every_descriptor(const void *unused)
{
    (void)unused;
    for (int fd = FD_DONATED; fd < 1024; fd++)
        if (jump(SYS_mmap, SCRATCH, PAGE, 1, 0x11, fd, 0) != -EBADF)
            _exit(1);
}

static void close_every_descriptor(const void *unused)
{
    (void)unused;
    for (int fd = 0; fd < 1024; fd++)
        if (jump(SYS_close, fd, 0, 0, 0, 0, 0) != -EBADF)
            _exit(1);
}

/* A shared mapping of a file that was opened for reading only: the rights of the donated descriptor must hold. */
static void upgrade_read_only_mapping(const void *unused)
{
    int fd = open("/etc/passwd", O_RDONLY);
    void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    (void)unused;
    if (map == MAP_FAILED)
        _exit(2);
    if (jump(SYS_mprotect, (long)map, PAGE, 3, 0, 0, 0) != -EACCES)
        _exit(1);
}

int main(void)
{
    uint32_t first = *(volatile uint32_t *)RO_PAGE;

    for (unsigned i = 0; i < LENGTH(refused); i++) {
        int status = in_child(make_call, &refused[i]);
        verdict(!survived(status) && WIFSIGNALED(status), refused[i].name, "wait status %#lx", status);
    }
    for (unsigned i = 0; i < LENGTH(harmless); i++)
        verdict(survived(in_child(make_call, &harmless[i])), harmless[i].name, "its own business", 0);
    must_be_harmless("no descriptor to map", map_every_descriptor, SURVIVED);
    must_be_harmless("no descriptor to close", close_every_descriptor, SURVIVED);
    must_be_harmless("read-only mapping stays so", upgrade_read_only_mapping, SURVIVED);
    verdict(*(volatile uint32_t *)RO_PAGE == first, "the read-only page", "reads %#lx as before", first);
    return finish();
}
