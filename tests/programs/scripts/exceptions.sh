# SPDX-License-Identifier: Apache-2.0
# C++ exceptions across shared objects, and threads that throw.
cat > thrower.cc <<'C'
#include <stdexcept>
struct Held { ~Held(); };
extern int held;
Held::~Held() { held++; }
void thrower(int depth)
{
    Held h;
    if (depth == 0)
        throw std::runtime_error("boom");
    thrower(depth - 1);
}
C
cat > main.cc <<'C'
#include <cstdio>
#include <future>
#include <stdexcept>
#include <vector>
void thrower(int depth);
int held;
int main()
{
    for (int i = 0; i < 1000; i++)
        try { thrower(3); } catch (const std::exception &e) { if (i == 0) std::puts(e.what()); }
    std::printf("%d\n", held);
    std::vector<std::future<int>> futures;
    for (int i = 0; i < 20; i++)
        futures.push_back(std::async(std::launch::async, [i] { if (i % 2) throw i; return i; }));
    int caught = 0, sum = 0;
    for (auto &f : futures)
        try { sum += f.get(); } catch (int) { caught++; }
    std::printf("%d %d\n", caught, sum);
    std::fflush(stdout);
    throw 1;
}
C
g++ -O1 -shared -fPIC thrower.cc -o libthrower.so && g++ -O1 main.cc -L. -lthrower -pthread -o main || exit 1
ulimit -c 0
LD_LIBRARY_PATH=. ./main
echo "$?"
