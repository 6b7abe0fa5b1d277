# SPDX-License-Identifier: Apache-2.0
# gcc -O2, with a pipe to the assembler and a temporary file, and the run of what it makes.
cat > sum.c <<'C'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static double parts[4];
static void *part(void *which)
{
    long n = (long)which;
    for (long i = n; i < 4000000; i += 4)
        parts[n] += sqrt((double)i);
    return NULL;
}
static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
int main(int argc, char **argv)
{
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, part, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%.3f\n", parts[0] + parts[1] + parts[2] + parts[3]);
    qsort(argv + 1, argc - 1, sizeof *argv, compare);
    for (int i = 1; i < argc; i++)
        puts(argv[i]);
    return 3;
}
C
gcc -O2 -Wall sum.c -lm -o sum && ./sum pear apple fig
echo "$?"
gcc -O2 -pipe -static sum.c -lm -o static && ./static
gcc -c missing.c 2>&1
echo "$?"
