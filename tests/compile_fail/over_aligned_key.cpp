// expect: keys are aligned to 8 bytes at most
#include <leat/leat.hpp>

#ifdef LEAT_COMPILE_FAIL
struct alignas(16) key {
  long number;
};
#else
struct key {
  long number;
};
#endif

void open(const leat::store& store) { (void)store.topic<int, key>("t"); }
