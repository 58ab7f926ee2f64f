// expect: a topic's value and key need a codec
// A pointer means nothing to another process.
#include <leat/leat.hpp>

#ifdef LEAT_COMPILE_FAIL
using value = const int*;
#else
using value = int;
#endif

void open(const leat::store& store) { (void)store.topic<value>("t"); }
