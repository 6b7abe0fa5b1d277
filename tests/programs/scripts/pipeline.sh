# SPDX-License-Identifier: Apache-2.0
# Text tools in pipelines over /usr.
find /usr/bin /usr/sbin -type f | sort | awk -F/ '{print $NF}' | uniq | sed 's/a/b/' | xargs -n 100 echo | md5sum
find /usr/share -name '*.txt' -print0 2>/dev/null | sort -z | head -z -n 200 | xargs -0 cat | tr -cs 'a-zA-Z' '\n' | sort | uniq -c | sort -k1,1nr -k2 | head -20
find /usr/lib/x86_64-linux-gnu -type l -printf '%p %l\n' | sort | cut -c1-200 | md5sum
seq 1 100000 | awk '{s += $1} END {print s}'
seq 1 20000 | shuf | sort -n | sed -n '1p;$p'
yes | head -n 100000 | md5sum
head -c 5000000 /dev/zero | tee copy | wc -c
md5sum < copy
seq 50 | xargs -P 4 -I{} sh -c 'echo {}' | sort -n | tr '\n' ' '
grep -rl 'bin/sh' /usr/bin 2>/dev/null | sort | md5sum
false | true
echo "${PIPESTATUS[@]}"
