/* SPDX-License-Identifier: Apache-2.0 */
/* System-wide files of /proc, and their agreement with system calls. */
#include "../check.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static long field(const char *path, const char *name)
{
    char *line = strstr(read_file(path), name);
    CHECK(line != NULL);
    return strtol(line + strlen(name), NULL, 10);
}

TEST(memory)
{
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0);
    long total = field("/proc/meminfo", "MemTotal:"), free = field("/proc/meminfo", "MemFree:");
    CHECK(total > 1000 && free > 0 && free <= total);
    CHECK(field("/proc/meminfo", "MemAvailable:") > 0);
    CHECK_EQ((long)(info.totalram * info.mem_unit / 1024), total);
    CHECK_ERR(syscall(SYS_sysinfo, BAD_POINTER), EFAULT);
}

TEST(processors)
{
    int n = 0, lines = 0;
    for (char *at = read_file("/proc/cpuinfo"); (at = strstr(at, "processor\t:")); at++)
        n++;
    CHECK(n >= 1);
    CHECK(strstr(read_file("/proc/cpuinfo"), "flags\t") != NULL);
    for (char *at = read_file("/proc/stat"); (at = strstr(at, "\ncpu")); at++)
        lines++;
    CHECK_EQ(lines, n);
    CHECK(strncmp(read_file("/proc/stat"), "cpu ", 4) == 0);
    CHECK(field("/proc/stat", "btime ") > 1000000000);
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(CPU_COUNT(&set) <= n);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

TEST(uptime_and_load)
{
    double up, idle, load[3];
    int running, total, last;
    struct timespec boot;
    CHECK_EQ(sscanf(read_file("/proc/uptime"), "%lf %lf", &up, &idle), 2);
    CHECK(up > 0);
    CHECK(clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
    CHECK(up - boot.tv_sec < 3 && boot.tv_sec - up < 3);
    CHECK_EQ(sscanf(read_file("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &load[0], &load[1], &load[2], &running, &total, &last), 6);
    CHECK(running >= 1 && total >= running && last > 0);
}

TEST(kernel_names)
{
    struct utsname uts;
    CHECK(uname(&uts) == 0);
    CHECK(strncmp(read_file("/proc/version"), "Linux version ", 14) == 0);
    CHECK(strstr(read_file("/proc/version"), uts.release) != NULL);
    char *text = read_file("/proc/sys/kernel/osrelease");
    CHECK(strncmp(text, uts.release, strlen(uts.release)) == 0 && text[strlen(uts.release)] == '\n');
    text = read_file("/proc/sys/kernel/hostname");
    CHECK(strncmp(text, uts.nodename, strlen(uts.nodename)) == 0 && text[strlen(uts.nodename)] == '\n');
    CHECK(strcmp(read_file("/proc/sys/kernel/ostype"), "Linux\n") == 0);
}

TEST(settings)
{
    CHECK(atoi(read_file("/proc/sys/kernel/pid_max")) >= 32768);
    CHECK(atol(read_file("/proc/sys/fs/file-max")) > 1000);
    CHECK(atoi(read_file("/proc/sys/fs/pipe-max-size")) >= 65536);
    CHECK(atoi(read_file("/proc/sys/vm/max_map_count")) >= 65530);
    int overcommit = atoi(read_file("/proc/sys/vm/overcommit_memory"));
    CHECK(overcommit >= 0 && overcommit <= 2);
    CHECK(atoi(read_file("/proc/sys/kernel/ngroups_max")) == 65536);
    CHECK(atoi(read_file("/proc/sys/kernel/cap_last_cap")) >= 37);
}

TEST(random_identifiers)
{
    char first[40], second[40];
    strncpy(first, read_file("/proc/sys/kernel/random/uuid"), 37);
    strncpy(second, read_file("/proc/sys/kernel/random/uuid"), 37);
    CHECK(memcmp(first, second, 36) != 0);
    CHECK(first[8] == '-' && first[13] == '-' && first[14] == '4' && first[36] == '\n');
    strncpy(first, read_file("/proc/sys/kernel/random/boot_id"), 37);
    strncpy(second, read_file("/proc/sys/kernel/random/boot_id"), 37);
    CHECK(memcmp(first, second, 37) == 0);
    CHECK(atoi(read_file("/proc/sys/kernel/random/entropy_avail")) >= 0);
}

TEST(file_systems_and_mounts)
{
    CHECK(strstr(read_file("/proc/filesystems"), "nodev\ttmpfs\n") != NULL);
    CHECK(strstr(read_file("/proc/filesystems"), "nodev\tproc\n") != NULL);
    CHECK(strstr(read_file("/proc/mounts"), " / ") != NULL);
    char target[16] = "";
    CHECK(readlink("/proc/mounts", target, 15) > 0 && strcmp(target, "self/mounts") == 0);
    CHECK(access("/proc/cmdline", R_OK) == 0 && access("/proc/net/dev", R_OK) == 0 && access("/proc/vmstat", R_OK) == 0);
}

TEST(writes_are_refused)
{
    CHECK_ERR(open("/proc/new", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK(mkdir("/proc/dir", 0755) == -1);
    CHECK(unlink("/proc/version") == -1);
    IN_CHILD {
        if (geteuid() == 0)
            CHECK(setuid(1000) == 0);
        CHECK_ERR(open("/proc/version", O_WRONLY), EACCES);
        CHECK_ERR(open("/proc/1/mem", O_RDONLY), EACCES);
    }
    char c;
    int fd = open("/proc/uptime", O_RDONLY);
    CHECK_EQ(pread(fd, &c, 1, 10000), 0);
    CHECK_ERR(read(fd, BAD_POINTER, 10), EFAULT);
    close(fd);
}

TEST(small_reads_add_up)
{
    char whole[65536], parts[65536];
    strcpy(whole, read_file("/proc/filesystems"));
    int fd = open("/proc/filesystems", O_RDONLY);
    size_t n = 0;
    while (read(fd, parts + n, 1) == 1)
        n++;
    parts[n] = 0;
    CHECK(strcmp(whole, parts) == 0);
    CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
    CHECK_EQ(read(fd, parts, 3), 3);
    CHECK(memcmp(parts, whole + 5, 3) == 0);
    close(fd);
}
