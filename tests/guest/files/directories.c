/* SPDX-License-Identifier: Apache-2.0 */
/* getdents64(2): small buffers, seeking, changes while reading; types of entries. */
#define CHECK_SCRATCH
#include "../check.h"

struct linux_dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

enum { FILES = 200 };

static void make_files(void)
{
    char name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%03d", i);
        write_file(name, "");
    }
}

/* Reads the whole directory with a buffer of `size`; counts how often each file came. */
static int read_all(int fd, size_t size, int seen[FILES])
{
    char buffer[4096];
    int entries = 0;
    long n;
    while ((n = syscall(SYS_getdents64, fd, buffer, size)) > 0)
        for (long at = 0; at < n;) {
            struct linux_dirent64 *entry = (void *)(buffer + at);
            CHECK(entry->d_reclen % 8 == 0 && entry->d_reclen >= 24 && entry->d_ino != 0);
            if (strncmp(entry->d_name, "file-", 5) == 0)
                seen[atoi(entry->d_name + 5)]++;
            entries++;
            at += entry->d_reclen;
        }
    CHECK_EQ(n, 0);
    return entries;
}

TEST(every_size_of_buffer)
{
    size_t sizes[] = {32, 64, 100, 1000, 4096};
    make_files();
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        int seen[FILES] = {0};
        CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
        CHECK_EQ(read_all(fd, sizes[i], seen), FILES + 2);
        for (int j = 0; j < FILES; j++)
            CHECK_EQ(seen[j], 1);
    }
    close(fd);
}

TEST(refusals)
{
    char buffer[512];
    int fd = open(".", O_RDONLY | O_DIRECTORY), file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_ERR(syscall(SYS_getdents64, fd, buffer, 5), EINVAL);
    CHECK_ERR(syscall(SYS_getdents64, fd, BAD_POINTER, 512), EFAULT);
    CHECK_ERR(syscall(SYS_getdents64, file, buffer, 512), ENOTDIR);
    CHECK_ERR(syscall(SYS_getdents64, 99, buffer, 512), EBADF);
    CHECK(mkdir("gone", 0700) == 0);
    int gone = open("gone", O_RDONLY);
    CHECK(rmdir("gone") == 0);
    CHECK_ERR(syscall(SYS_getdents64, gone, buffer, 512), ENOENT);
    close(fd), close(file), close(gone);
}

TEST(types)
{
    write_file("r", "");
    CHECK(mkdir("d", 0755) == 0 && symlink("r", "l") == 0 && mkfifo("p", 0600) == 0 && mknod("s", S_IFSOCK | 0600, 0) == 0);
    DIR *dir = opendir(".");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        unsigned char want = 0;
        switch (entry->d_name[0]) {
        case 'r': want = DT_REG; break;
        case 'd': want = DT_DIR; break;
        case 'l': want = DT_LNK; break;
        case 'p': want = DT_FIFO; break;
        case 's': want = DT_SOCK; break;
        case '.': want = DT_DIR; break;
        }
        CHECK_EQ(entry->d_type, want);
        struct stat st;
        CHECK(lstat(entry->d_name, &st) == 0);
        if (strcmp(entry->d_name, "..") != 0)
            CHECK_EQ(entry->d_ino, st.st_ino);
        found++;
    }
    CHECK_EQ(found, 7);
    closedir(dir);
}

TEST(telldir_and_seekdir)
{
    long positions[FILES + 2];
    char names[FILES + 2][32];
    make_files();
    DIR *dir = opendir(".");
    for (int i = 0; i < FILES + 2; i++) {
        positions[i] = telldir(dir);
        struct dirent *entry = readdir(dir);
        CHECK(entry != NULL);
        strcpy(names[i], entry->d_name);
    }
    CHECK(readdir(dir) == NULL);
    int order[] = {150, 3, 199, 0, 77, 201};
    for (size_t i = 0; i < LENGTH(order); i++) {
        seekdir(dir, positions[order[i]]);
        struct dirent *entry = readdir(dir);
        CHECK(entry && strcmp(entry->d_name, names[order[i]]) == 0);
    }
    rewinddir(dir);
    CHECK(strcmp(readdir(dir)->d_name, names[0]) == 0);
    closedir(dir);
}

TEST(deleting_while_reading)
{
    make_files();
    int fd = open(".", O_RDONLY | O_DIRECTORY), removed = 0;
    char buffer[512];
    long n;
    while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < n;) {
            struct linux_dirent64 *entry = (void *)(buffer + at);
            if (entry->d_name[0] == 'f') {
                CHECK(unlink(entry->d_name) == 0);
                removed++;
            }
            at += entry->d_reclen;
        }
    CHECK_EQ(removed, FILES);
    int seen[FILES] = {0};
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read_all(fd, 4096, seen), 2);
    close(fd);
}

TEST(new_entries_do_not_disturb)
{
    make_files();
    int fd = open(".", O_RDONLY | O_DIRECTORY), seen[FILES] = {0};
    char buffer[300];
    long n = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    for (long at = 0; at < n;) {
        struct linux_dirent64 *entry = (void *)(buffer + at);
        if (entry->d_name[0] == 'f')
            seen[atoi(entry->d_name + 5)]++;
        at += entry->d_reclen;
    }
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "new-%d", i);
        write_file(name, "");
    }
    read_all(fd, 300, seen);
    for (int j = 0; j < FILES; j++)
        CHECK_EQ(seen[j], 1);
    close(fd);
}

TEST(deep_tree)
{
    for (int i = 0; i < 100; i++)
        CHECK(mkdir("d", 0755) == 0 && chdir("d") == 0);
    char cwd[PATH_MAX];
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK(strlen(cwd) > 200);
    CHECK(chdir("/") == 0);
    CHECK(chdir(cwd) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(chdir("..") == 0);
    CHECK(access("d/d/d", F_OK) == 0);
}
