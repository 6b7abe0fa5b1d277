# SPDX-License-Identifier: Apache-2.0
"""subprocess, multiprocessing, signals: what Python makes of processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def square(x):
    return x * x


def put(queue):
    queue.put(os.getpid() != os.getppid())


def subprocesses():
    print(subprocess.check_output(["sh", "-c", "echo one; echo two"]))
    print(subprocess.run("cat; exit 5", shell=True, input=b"x" * 300000, stdout=subprocess.PIPE).returncode)
    many = [subprocess.Popen(["sh", "-c", f"echo {i}; exit {i}"], stdout=subprocess.PIPE) for i in range(20)]
    print([(int(p.communicate()[0]), p.returncode) for p in many] == [(i, i) for i in range(20)])
    try:
        subprocess.run(["sleep", "10"], timeout=0.1)
    except subprocess.TimeoutExpired as error:
        print(type(error).__name__)
    try:
        subprocess.run(["/nonexistent"])
    except FileNotFoundError as error:
        print(error)
    killed = subprocess.Popen(["sleep", "10"], start_new_session=True)
    os.killpg(killed.pid, signal.SIGTERM)
    print(killed.wait())


def signals():
    got = []
    signal.signal(signal.SIGALRM, lambda *a: got.append("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while len(got) < 5:
        signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    print(got, signal.sigpending(), signal.sigwait([signal.SIGUSR1]))
    print(signal.sigtimedwait([signal.SIGUSR1], 0.05))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except KeyboardInterrupt:
        print("interrupt")


def pools():
    with multiprocessing.Pool(3) as pool:
        print(pool.map(square, range(20)))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(list(pool.map(square, range(5))))
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
    value = multiprocessing.Value("i", 0)
    workers = [multiprocessing.Process(target=add, args=(value,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(value.value, [worker.exitcode for worker in workers])


def add(value):
    for _ in range(500):
        with value.get_lock():
            value.value += 1


if __name__ == "__main__":
    subprocesses()
    signals()
    sys.stdout.flush()
    pools()
    sys.exit(42)
