# SPDX-License-Identifier: Apache-2.0
# make -j2 over 20 files, then again with nothing to do.
for i in $(seq 20); do echo "int f$i(int x) { return x + $i; }" > "f$i.c"; done
echo 'int f3(int); int main(void) { return f3(4); }' > main.c
cat > Makefile <<'M'
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(OBJECTS)
	gcc -o $@ $^
M
make -j2 | sort
./program
echo "$?"
make -q && echo up to date
touch f3.c
make -j2 -n | sort
echo 'broken' > f4.c
make -j2 >/dev/null 2>&1
echo "$?"
