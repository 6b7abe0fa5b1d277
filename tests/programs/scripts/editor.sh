# SPDX-License-Identifier: Apache-2.0
# vim as a stream editor; less as a pipe.
seq 5 > numbers
vi -es -u NONE '+%s/3/three/' '+1d' '+wq' numbers </dev/null
echo "$?"
cat numbers
seq 3 | less -F | cat
less -E numbers | cat
