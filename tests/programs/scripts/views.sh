# SPDX-License-Identifier: Apache-2.0
# What ps, top and their like can find out; numbers differ between kernels, so only their form is compared.
ps aux | head -n 1 | tr -s ' '
ps aux | awk 'NR > 1 && $11 == "ps" {n++; if ($3 !~ /^[0-9.]+$/ || $6 + 0 == 0) print "odd:", $0} END {print (n > 0), "ps"}'
ps -o ppid= -p $$ | grep -cE '^ *[0-9]+$'
ps -o pid= -C bash | tr -d ' ' | grep -cx "$$"
top -b -n1 | head -n 7 | awk 'NR == 1 {print $1} NR > 1 {print $1, NF > 0}'
top -b -n2 -d 0.2 | grep -c '^top'
sleep 30 & pgrep -f 'sleep 30' | grep -cx "$!"
pkill -P $$ sleep; wait; echo "pkill: $?"
free -b | awk '/^Mem/ {print ($2 > 1000000 && $7 > 0)}'
uptime | grep -c 'load average'
nproc | grep -cE '^[1-9][0-9]*$'
vmstat 1 1 | tail -1 | awk '{print NF > 15}'
tr '\0' ' ' < /proc/self/cmdline; echo
readlink /proc/self/exe /proc/self/cwd | sed "s#$PWD#cwd#"
id; hostname | wc -l; uname -sm; date -u -d @0; tty; pwd | wc -l
w -h | wc -l > /dev/null; echo "w: $?"
getconf PAGESIZE; getconf ARG_MAX; ulimit -s
pmap $$ | tail -1 | awk '{print $1}'
timeout 0.2 sleep 10; echo "timeout: $?"
timeout -s KILL 0.2 sleep 10; echo "timeout: $?"
