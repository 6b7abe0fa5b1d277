# SPDX-License-Identifier: Apache-2.0
"""execve(2): a fresh stub, bound before the old one is left, or the old one emptied.

The image is loaded and checked first, so that every ordinary error is an error of the call. Then the zygote makes a stub; when it says
hello the other threads of the process end, the task moves into the new stub, its own host thread there makes the mappings, the stack is
written, and the program starts. What fails after that point kills the process, as in Linux.

A process that never had two threads and shares its memory with nobody keeps its stub, which saves a fork, a hello and an exit on the
host. Not if its privileges have changed or are about to: the old program could have prepared the shim's own data in there, and calls have
left bytes in it, so two programs of one stub must be allowed to know all of each other.
"""

from kernel.abi.errno cimport EAGAIN, Errno
from kernel.abi.signal cimport SIGKILL, SIGSEGV, SS_DISABLE
from kernel.abi.mm cimport HOST_MUNMAP
from kernel.mm.mm cimport MM
from kernel.platform.platform cimport GuestThread
from kernel.signal.handlers cimport Handlers
from kernel.sync.robust import exit_robust_list
from kernel.task.exit cimport drop_thread, end_task, group_exit, release_vfork_parent
from kernel.task.group cimport ThreadGroup
from kernel.task.kernel cimport Kernel
from kernel.task.task cimport ORDERED, ORDERING, Task

from kernel.task.rusage import note_maxrss


cdef class Exec:
    """An execve between the decision and the start of the new program."""

    cdef Task task
    cdef object image                    # kernel.loader.load.Image
    cdef GuestThread thread              # in the new stub

    def __init__(self, Task task, image):
        self.task, self.image = task, image

    cdef bint stay(self) except -1:
        """Go on in the old stub; False if that can't be."""
        cdef Task task = self.task
        cdef MM mm = task.mm
        cdef tuple everything
        if task.thread is None or len(task.group.tasks) > 1 or task.group.leader is not task or mm.users > 1:
            return False
        if mm.born_with is not task.creds or self.image.secure or self.image.creds.cap_permitted & ~task.creds.cap_permitted:
            return False
        task.find_robust_list()
        everything = task.thread.start_over()
        if everything is None:
            return False
        self.thread = task.thread
        exit_robust_list(task)
        note_maxrss(task.group, mm)
        mm.users = 0
        mm.drop()
        task.state = ORDERING
        self.image.calls.insert(0, (HOST_MUNMAP, *everything))
        self.move()
        return True

    def start(self):
        """Ask for the stub."""
        self.thread = self.task.kernel.platform.new_thread(None)
        self.thread.task = self.task
        self.task.state = ORDERING
        self.task.group.exec_in_progress = self
        self.task.born_action = self.born
        self.task.kernel.platform.spawn(self.thread)

    def born(self, Task task):
        """The stub is there: the point of no return."""
        if task.thread is not None:
            end_other_threads(task)
            task.find_robust_list()
            exit_robust_list(task)
            drop_thread(task)
        task.group.exec_in_progress = None
        self.move()

    cdef int move(self) except -1:
        """Into the stub, which holds nothing of the old program, or is going to be emptied by the first call."""
        cdef Task task = self.task
        task.mm = self.image.mm
        task.mm.users = 1
        task.mm.born_with = self.image.creds
        task.mm.space = self.thread.space
        task.mm.space.mm = task.mm
        task.thread = self.thread
        task.told_creds = None
        become_program(task, self.image)
        task.host_calls(self.image.calls, 0, self.mapped)

    def mapped(self, Task task, results):
        """The mappings are made: fill the stack and go."""
        for number, result in results:
            if -4096 < result < 0:
                task.kernel.log("process %d: execve: host call %d failed: %d" % (task.group.pid, number, result))
                group_exit(task.group, SIGKILL)
                return ORDERED
        for address, data in self.image.writes:
            if task.copy_out_some(address, data) < len(data):
                group_exit(task.group, SIGSEGV)
                return ORDERED
        self.thread.start_state(self.image.entry, self.image.sp)
        (<Kernel> task.kernel).back_to_guest(task, False)
        return ORDERED

    def abandon(self):
        """The process was killed meanwhile: the stub is ended when it says hello."""
        self.task.group.exec_in_progress = None
        self.image.mm.drop()


def execute(Task task, image):
    """Replace the program of a task, or start the first one of a task that has none. Returns ORDERED."""
    if task.group.exec_in_progress is not None:
        image.mm.drop()
        raise Errno(EAGAIN)
    cdef Exec change = Exec(task, image)
    if not change.stay():
        change.start()
    return ORDERED


def end_other_threads(Task task):
    """execve ends all other threads; the caller becomes the leader."""
    cdef ThreadGroup group = task.group
    cdef Kernel kernel = task.kernel
    for other in list(group.tasks.values()):
        if other is not task:
            end_task(other, True)
    if group.leader is task:
        return
    kernel.tasks.pop(task.tid, None)
    group.tasks.pop(task.tid, None)
    task.exit_signal = group.leader.exit_signal
    task.tid = group.pid
    group.leader = task
    group.tasks[task.tid] = task
    kernel.tasks[task.tid] = task


def become_program(Task task, image):
    """What execve changes in the task itself (execve(2), "Effect on process attributes")."""
    group = task.group
    release_vfork_parent(task)
    group.handlers = (<Handlers> group.handlers).copy()
    (<Handlers> group.handlers).reset_for_exec()
    if task.files.shared():
        files = task.files.clone()
        task.files.release_user()
        task.files = files
    task.files.close_on_exec()
    if group.timers is not None:
        group.timers.exec()
    task.altstack = (0, SS_DISABLE, 0)
    task.robust_list = 0
    task.clear_child_tid = 0
    task.comm = image.comm
    task.creds = image.creds
    if image.creds_raised:
        task.pdeath_signal = 0
    task.keep_caps = False
    group.dumpable = 0 if image.creds_raised else 1
    group.execed = True
    if task.exit_signal:
        task.exit_signal = 17
