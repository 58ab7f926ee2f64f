// expect: values are aligned to a page at most
#include <leat/leat.hpp>

#ifdef LEAT_COMPILE_FAIL
struct alignas(8192) value {
  long number;
};
#else
struct alignas(4096) value {
  long number;
};
#endif

void open(const leat::store& store) { (void)store.topic<value>("t"); }
