#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A short real job for a sandbox: looks around, and uses a pipe, threads and a compiler.
set -e
echo "== the machine, as the sandbox sees it"
uname -a
echo "host name $(hostname), $(nproc) processors, user $(id -un)"
ps -ef 2>/dev/null || ps
ls /
echo "== a pipe"
seq 1 1000 | sort -rn | head -3 | tr "\n" " "; echo
echo "== Python"
python3 -c "
import hashlib, os, threading
total = []
threads = [threading.Thread(target=lambda n=n: total.append(sum(range(n)))) for n in range(1000, 9000, 1000)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(total), \"threads,\", hashlib.sha256(str(sorted(total)).encode()).hexdigest()[:16], \"pid\", os.getpid())"
echo "== a compiler"
mkdir -p /tmp/job && cd /tmp/job
cat > hello.c <<END
#include <stdio.h>
#include <sys/utsname.h>
int main(void) { struct utsname u; uname(&u); printf("compiled and run on %s %s\n", u.sysname, u.release); return 0; }
END
gcc -O2 -o hello hello.c && ./hello

