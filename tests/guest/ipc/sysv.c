/* SPDX-License-Identifier: Apache-2.0 */
/* System V shared memory, semaphores and message queues. */
#include "../check.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

TEST(shared_memory)
{
    int id = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600);
    if (id == -1 && errno == ENOSYS)
        SKIP("no System V IPC");
    CHECK(id >= 0);
    char *map = shmat(id, NULL, 0);
    CHECK(map != (void *)-1);
    IN_CHILD {
        map[0] = 'c';
        char *again = shmat(id, NULL, SHM_RDONLY);
        CHECK(again != (void *)-1 && again[0] == 'c');
    }
    CHECK_EQ(map[0], 'c');
    struct shmid_ds ds;
    CHECK(shmctl(id, IPC_STAT, &ds) == 0);
    CHECK(ds.shm_segsz == 3 * PAGE && ds.shm_nattch == 1 && ds.shm_cpid == getpid() && (ds.shm_perm.mode & 0777) == 0600);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK_EQ(map[0], 'c');
    CHECK(shmdt(map) == 0);
    CHECK_ERR(shmdt(map), EINVAL);
    CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL);
}

TEST(shared_memory_keys)
{
    key_t key = 0x43480000 | (getpid() & 0xffff);
    int id = shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    if (id == -1 && errno == ENOSYS)
        SKIP("no System V IPC");
    CHECK(id >= 0);
    CHECK_ERR(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_EQ(shmget(key, PAGE, 0600), id);
    CHECK_ERR(shmget(key, 2 * PAGE, 0600), EINVAL);
    CHECK_ERR(shmget(key + 1, PAGE, 0600), ENOENT);
    CHECK_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
    if (geteuid() == 0)
        IN_CHILD {
            CHECK(setuid(1000) == 0);
            CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EACCES);
            CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
        }
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(semaphores)
{
    int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
    if (id == -1 && errno == ENOSYS)
        SKIP("no System V IPC");
    CHECK(id >= 0);
    unsigned short values[3] = {1, 0, 5};
    CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    CHECK(semctl(id, 0, GETVAL) == 1 && semctl(id, 2, GETVAL) == 5);
    struct sembuf two[2] = {{0, -1, 0}, {2, -3, 0}};
    CHECK(semop(id, two, 2) == 0);
    CHECK(semctl(id, 0, GETVAL) == 0 && semctl(id, 2, GETVAL) == 2);
    struct sembuf none = {0, -1, IPC_NOWAIT}, zero = {2, 0, IPC_NOWAIT}, bad = {3, 1, 0};
    CHECK_ERR(semop(id, &none, 1), EAGAIN);
    CHECK_ERR(semop(id, &zero, 1), EAGAIN);
    CHECK_ERR(semop(id, &bad, 1), EFBIG);
    CHECK_ERR(semop(id, BAD_POINTER, 1), EFAULT);
    CHECK_ERR(semop(id, &none, 0), EINVAL);
    struct timespec limit = {0, 20 * MS};
    struct sembuf wait = {1, -1, 0};
    CHECK_ERR(semtimedop(id, &wait, 1, &limit), EAGAIN);
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(semop(id, &wait, 1) == 0 ? 0 : 1);
    wait_asleep(pid);
    CHECK_EQ(semctl(id, 1, GETNCNT), 1);
    struct sembuf post = {1, 1, 0};
    CHECK(semop(id, &post, 1) == 0);
    CHECK_EXIT(pid, 0);
    IN_CHILD {
        struct sembuf undo = {2, -1, SEM_UNDO};
        CHECK(semop(id, &undo, 1) == 0);
        CHECK_EQ(semctl(id, 2, GETVAL), 1);
    }
    CHECK_EQ(semctl(id, 2, GETVAL), 2);
    pid = check_fork();
    if (pid == 0)
        _exit(semop(id, &wait, 1) == -1 && errno == EIDRM ? 0 : 1);
    wait_asleep(pid);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    CHECK_EXIT(pid, 0);
    CHECK_ERR(semctl(id, 0, GETVAL), EINVAL);
}

struct message {
    long type;
    char text[64];
};

TEST(queues)
{
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id == -1 && errno == ENOSYS)
        SKIP("no System V IPC");
    CHECK(id >= 0);
    struct message a = {3, "three"}, b = {1, "one"}, c = {2, "two"}, got;
    CHECK(msgsnd(id, &a, 6, 0) == 0 && msgsnd(id, &b, 4, 0) == 0 && msgsnd(id, &c, 4, 0) == 0);
    CHECK_EQ(msgrcv(id, &got, 64, 2, 0), 4);
    CHECK(strcmp(got.text, "two") == 0);
    CHECK_EQ(msgrcv(id, &got, 64, -3, 0), 4);
    CHECK_EQ(got.type, 1);
    CHECK_ERR(msgrcv(id, &got, 2, 0, 0), E2BIG);
    CHECK_EQ(msgrcv(id, &got, 2, 0, MSG_NOERROR), 2);
    CHECK_ERR(msgrcv(id, &got, 64, 0, IPC_NOWAIT), ENOMSG);
    a.type = 0;
    CHECK_ERR(msgsnd(id, &a, 6, 0), EINVAL);
    a.type = 1;
    CHECK_ERR(msgsnd(id, &a, 1 << 20, 0), EINVAL);
    pid_t pid = check_fork();
    if (pid == 0)
        _exit(msgrcv(id, &got, 64, 9, 0) == 4 ? 0 : 1);
    wait_asleep(pid);
    b.type = 9;
    CHECK(msgsnd(id, &b, 4, 0) == 0);
    CHECK_EXIT(pid, 0);
    struct msqid_ds ds;
    CHECK(msgctl(id, IPC_STAT, &ds) == 0);
    CHECK_EQ(ds.msg_qnum, 0);
    while (msgsnd(id, &b, 64, IPC_NOWAIT) == 0)
        ;
    CHECK_ERR(msgsnd(id, &b, 64, IPC_NOWAIT), EAGAIN);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
}

/* The line of an object in /proc/sysvipc/KIND, without what the figures are. */
static char *listed(const char *kind, int id)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/sysvipc/%s", kind);
    char *text = read_file(path);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (atoi(line + 10) == id)
            return line + 22;
    check_failed(__FILE__, __LINE__, kind, "%d is not listed", id);
}

TEST(listings)
{
    int ids[] = {shmget(IPC_PRIVATE, PAGE, 0600), semget(IPC_PRIVATE, 7, 0640), msgget(IPC_PRIVATE, 0604)};
    struct { long type; char text[5]; } message = {1, "text"};
    unsigned mode;
    unsigned long first, second;
    CHECK(ids[0] >= 0 && ids[1] >= 0 && ids[2] >= 0 && msgsnd(ids[2], &message, 5, 0) == 0);
    CHECK(sscanf(listed("shm", ids[0]), "%o %lu %lu", &mode, &first, &second) == 3);
    CHECK(mode == 0600 && first == PAGE && second == (unsigned long)getpid());
    CHECK(sscanf(listed("sem", ids[1]), "%o %lu %lu", &mode, &first, &second) == 3);
    CHECK(mode == 0640 && first == 7 && second == 0);
    CHECK(sscanf(listed("msg", ids[2]), "%o %lu %lu", &mode, &first, &second) == 3);
    CHECK(mode == 0604 && first == 5 && second == 1);
    CHECK(shmctl(ids[0], IPC_RMID, NULL) == 0 && semctl(ids[1], 0, IPC_RMID) == 0 && msgctl(ids[2], IPC_RMID, NULL) == 0);
}
