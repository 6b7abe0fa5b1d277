# SPDX-License-Identifier: Apache-2.0
"""threading, asyncio and selectors over AF_UNIX."""

import asyncio
import queue
import selectors
import socket
import threading
import time


def threads():
    done = []
    several = [threading.Thread(target=lambda i=i: done.append(i)) for i in range(50)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    print(sorted(done) == list(range(50)))
    channel, results = queue.Queue(5), queue.Queue()

    def worker():
        while (item := channel.get()) is not None:
            results.put(item * 2)

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for thread in workers:
        thread.start()
    for i in range(1000):
        channel.put(i)
    for _ in workers:
        channel.put(None)
    for thread in workers:
        thread.join()
    print(sum(results.get() for _ in range(1000)))
    condition = threading.Condition()
    with condition:
        print(condition.wait(0.02))
    barrier = threading.Barrier(8)
    waiting = [threading.Thread(target=barrier.wait) for _ in range(7)]
    for thread in waiting:
        thread.start()
    barrier.wait()
    for thread in waiting:
        thread.join()
    timer = threading.Timer(0.02, print, ["timer"])
    timer.start()
    timer.join()


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(number):
    reader, writer = await asyncio.open_unix_connection("s.sock")
    answers = []
    for i in range(20):
        writer.write(b"hello %d %d\n" % (number, i))
        answers.append(await reader.readline())
    writer.close()
    return answers == [b"HELLO %d %d\n" % (number, i) for i in range(20)]


async def loop():
    server = await asyncio.start_unix_server(echo, "s.sock")
    print(all(await asyncio.gather(*(client(i) for i in range(20)))))
    server.close()
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await process.communicate(b"through cat"), process.returncode)
    several = [await asyncio.create_subprocess_shell(f"exit {i}") for i in range(10)]
    print([await process.wait() for process in several])
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.02)
    except TimeoutError:
        print("timeout")
    print(await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.01))


def select():
    chooser = selectors.DefaultSelector()
    pairs = [socket.socketpair() for _ in range(10)]
    for i, (ours, theirs) in enumerate(pairs):
        chooser.register(ours, selectors.EVENT_READ, i)
        theirs.sendall(b"%d" % i)
    seen = set()
    while len(seen) < 10:
        for key, _ in chooser.select(1):
            seen.add((key.data, key.fileobj.recv(10)))
    print(sorted(seen), chooser.select(0))
    socket.send_fds(pairs[0][0], [b"fd"], [pairs[1][1].fileno()])
    _, fds, _, _ = socket.recv_fds(pairs[0][1], 10, 4)
    socket.socket(fileno=fds[0]).sendall(b"passed")
    print(pairs[1][0].recv(10))


threads()
asyncio.run(loop())
select()
