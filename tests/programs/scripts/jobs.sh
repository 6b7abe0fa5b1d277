# SPDX-License-Identifier: Apache-2.0
# Job control and redirections of bash.
sleep 0.3 & sleep 0.1 &
wait -n
echo "first: $?"
wait
(exit 3) &
wait $!
echo "status: $?"
trap 'echo usr1' USR1
kill -USR1 $$
trap 'echo interrupted' TERM
(sleep 0.1; kill -TERM $$) &
sleep 0.3 &
wait $!
echo "wait: $?"
wait
sleep 100 &
kill %%
wait %% 2>/dev/null
echo "killed: $?"
diff <(seq 100) <(seq 100) && echo same
diff <(echo a) <(echo b)
while read -r line; do echo "got $line"; done < <(seq 3)
cat <<'HERE'
a here-document with $dollar
HERE
cat <<< 'a here-string'
tee /dev/fd/3 3>&1 >/dev/null <<< 'through a descriptor'
exec 5<>scratch; echo in >&5; exec 5<&-; cat scratch
coproc cat
echo 'to the coprocess' >&"${COPROC[1]}"
read -r answer <&"${COPROC[0]}"; echo "$answer"
kill "$COPROC_PID"
mkfifo fifo
(seq 5 > fifo) & paste -sd+ fifo | bc 2>/dev/null || true
wait
set -o pipefail
(trap '' PIPE; yes 2>/dev/null) | head -n 1
trap 'echo bye' EXIT
exit 7
